// Command owner says in each log record which Deployment its pod is of, as the table of pods has it.
package main

import "github.com/obsd-io/obsd/sdk"

var (
	deployments = sdk.NewLookup("pods", "k8s.deployment.name")
	owner       = sdk.NameOf("owner")
)

func init() {
	sdk.Logs(sdk.Plugin{
		Name: "owner", Reads: []string{"resource.k8s.pod.uid"}, Writes: []string{"attributes.owner"}, Capabilities: []string{"lookup"},
	}, func(b *sdk.Batch) {
		uids := b.Column("resource.k8s.pod.uid")
		for row := range b.Rows() {
			uid, _ := uids.String(row)
			if name, ok := deployments.Get(uid); ok {
				b.Edit(row).String(owner, name)
			}
		}
	})
}

func main() {}
