// Command first-plugin drops health checks and marks panics.
package main

import (
	"strings"

	"github.com/obsd-io/obsd/sdk"
)

var panicked = sdk.NameOf("app.panicked")

func init() {
	sdk.Logs(sdk.Plugin{
		Name:   "first-plugin",
		Reads:  []string{"body"},
		Writes: []string{"severity", "attributes.app.panicked"},
	}, func(b *sdk.Batch) {
		body := b.Column("body")
		for row := range b.Rows() {
			text, _ := body.String(row)
			if strings.Contains(text, "GET /healthz") {
				b.Drop(row)
			} else if strings.Contains(text, "panic: ") {
				e := b.Edit(row)
				e.Severity(sdk.SeverityError)
				e.Bool(panicked, true)
			}
		}
	})
}

func main() {}
