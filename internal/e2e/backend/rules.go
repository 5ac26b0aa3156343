package backend

import (
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// CheckRules reads rules.yaml, in the folder of the test, with Prometheus's own parser, sees that rules_test.yaml lets each alert
// fire, and has promtool check the one and run the other.
func CheckRules(t *testing.T) {
	t.Helper()
	groups, errs := rulefmt.ParseFile("rules.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	text, err := os.ReadFile("rules_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if rule.Alert != "" && !regexp.MustCompile(`alertname: `+regexp.QuoteMeta(rule.Alert)+`\b`).Match(text) {
				t.Errorf("rules_test.yaml lets the alert %s never fire", rule.Alert)
			}
		}
	}
	t.Run("promtool", func(t *testing.T) {
		promtool := Promtool(t)
		for _, args := range [][]string{{"check", "rules", "--lint-fatal", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
			if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %v: %v\n%s", args, err, out)
			}
		}
	})
}
