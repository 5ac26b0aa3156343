package main

import (
	_ "embed" // default.yaml
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/obsd-io/obsd/cmd/obsd/internal/config"
)

// defaultConfig is what obsd runs without --config.
//
//go:embed default.yaml
var defaultConfig string

// defaultName is what messages call the embedded configuration.
const defaultName = "default.yaml (built in)"

const about = `obsd collects logs, metrics and traces, runs WebAssembly plugins over every record, and
writes to Elasticsearch, InfluxDB, Prometheus and any OTLP endpoint.

Without --config it runs a built-in configuration: it tails /var/log, reads the host's
metrics, takes OTLP on 127.0.0.1:4317 and 4318, and writes to ./obsd-data. See it with
` + "`obsd print-config --builtin`" + `. SIGHUP reloads the configuration, SIGTERM drains and ends.`

const examples = `  obsd                                          run the built-in configuration
  obsd --config obsd.yaml                       run a configuration
  obsd --config base.yaml --config site.yaml    merge several, the later over the earlier
  obsd --set exporters.prometheus.endpoint=127.0.0.1:9999
  obsd validate --config obsd.yaml              check a configuration, run nothing`

// options are the flags that say what the configuration is.
type options struct {
	configs []string
	sets    []string
}

// addTo defines the flags.
func (o *options) addTo(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&o.configs, "config", "c", nil, "configuration `FILE`, or URI of scheme file, env, yaml, http or https;\nrepeat it to merge several")
	flags.StringArrayVar(&o.sets, "set", nil, "set one `KEY=VALUE` over the configuration, such as\nreceivers.otlp.protocols.grpc.endpoint=127.0.0.1:5317")
	gates := flag.NewFlagSet("", flag.ContinueOnError)
	featuregate.GlobalRegistry().RegisterFlags(gates)
	gates.VisitAll(func(f *flag.Flag) {
		pf := pflag.PFlagFromGoFlag(f)
		pf.Usage = "turn features of the Collector on, or off with a minus, by `ID,-ID`;\nthe ids are listed by obsd featuregate"
		pf.DefValue = "" // all of them, which is too long to read
		flags.AddFlag(pf)
	})
}

// settings are the configuration that the flags and the arguments after them name. Further arguments are further files,
// so that `--config conf.d/*.yaml` does what it looks like.
func (o *options) settings(args []string) (config.Settings, error) {
	set := config.Settings{
		URIs:      slices.Concat(o.configs, args),
		Names:     make(map[string]string),
		Providers: providers(),
		Factories: components,
		BuildInfo: buildInfo(),
	}
	if len(set.URIs) == 0 {
		uri := "yaml:" + defaultConfig
		set.URIs, set.Names[uri] = []string{uri}, defaultName
	}
	for _, s := range o.sets {
		key, value, ok := strings.Cut(s, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return set, fmt.Errorf("--set %s: write KEY=VALUE, such as processors.batch.timeout=2s", s)
		}
		uri := "yaml:" + strings.ReplaceAll(key, ".", "::") + ": " + strings.TrimSpace(value)
		set.URIs = append(set.URIs, uri)
		set.Names[uri] = "--set " + key
	}
	return set, set.Validate()
}

// builtin says whether the built-in configuration is in use.
func (o *options) builtin(args []string) bool { return len(o.configs)+len(args) == 0 }

func buildInfo() component.BuildInfo {
	return component.BuildInfo{Command: "obsd", Description: "obsd, an OpenTelemetry Collector with WebAssembly plugins", Version: buildVersion()}
}

// newCommand is the command line.
func newCommand(stdout, stderr io.Writer) *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:           "obsd",
		Short:         "logs, metrics and traces through WebAssembly plugins",
		Long:          about,
		Example:       examples,
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          files,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := o.settings(args)
			if err != nil {
				return err
			}
			d := daemon{set: set}
			if o.builtin(args) {
				d.welcome = stderr
			}
			return d.run(cmd.Context())
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	root.SetVersionTemplate("obsd {{.Version}}\n")
	o.addTo(root.Flags())
	root.AddCommand(newValidateCommand(), newPrintConfigCommand(stdout, stderr), newDemoCommand())
	for _, sub := range otelcol.NewCommand(collectorSettings(confmap.ResolverSettings{ProviderFactories: providers()})).Commands() {
		switch sub.Name() {
		case "components":
			sub.Short = "List the components of this binary, with what they can do"
			root.AddCommand(sub)
		case "featuregate":
			sub.Short = "List the feature gates of the Collector"
			root.AddCommand(sub)
		}
	}
	return root
}

// files accepts arguments that are files to merge, and takes the rest for a mistyped command.
func files(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		if _, err := os.Stat(arg); err == nil || strings.ContainsAny(arg, "./:") {
			continue
		}
		if near := cmd.Root().SuggestionsFor(arg); len(near) > 0 {
			return fmt.Errorf("there is no command %q, did you mean %q?", arg, near[0])
		}
		return fmt.Errorf("there is no command or file %q; see obsd --help", arg)
	}
	return nil
}

func newValidateCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration and run nothing",
		Long:  "Check a configuration as the daemon would, and run nothing. Every problem is told with its file and line.\nWithout --config the built-in configuration is checked.",
		Args:  files,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := o.settings(args)
			if err != nil {
				return err
			}
			result, err := config.Check(cmd.Context(), set)
			if err != nil {
				return err
			}
			for _, w := range result.Warnings {
				say(cmd.ErrOrStderr(), "warning: "+w.String())
			}
			say(cmd.OutOrStdout(), "config ok: "+strings.Join(set.Sources(), ", "))
			return nil
		},
	}
	o.addTo(cmd.Flags())
	return cmd
}

// newPrintConfigCommand is the Collector's print-config behind our flags and our words for problems.
func newPrintConfigCommand(stdout, stderr io.Writer) *cobra.Command {
	var o options
	var format, mode string
	var builtin bool
	cmd := &cobra.Command{
		Use:   "print-config",
		Short: "Print the merged configuration with all defaults",
		Args:  files,
		RunE: func(cmd *cobra.Command, args []string) error {
			if builtin {
				_, err := io.WriteString(stdout, defaultConfig)
				return err
			}
			set, err := o.settings(args)
			if err != nil {
				return err
			}
			if mode != "redacted" && mode != "unredacted" {
				return errors.New("--mode: write redacted or unredacted")
			}
			inner := otelcol.NewCommand(collectorSettings(config.NewGate(set).ResolverSettings()))
			inner.SilenceErrors = true
			inner.SetArgs([]string{"print-config", "--format=" + format, "--mode=" + mode})
			inner.SetOut(stdout)
			inner.SetErr(stderr)
			return inner.ExecuteContext(cmd.Context())
		},
	}
	o.addTo(cmd.Flags())
	cmd.Flags().BoolVar(&builtin, "builtin", false, "print the built-in configuration as it is written, with its comments:\na beginning for your own")
	cmd.Flags().StringVar(&format, "format", "yaml", "`yaml` or json")
	cmd.Flags().StringVar(&mode, "mode", "redacted", "`redacted`, or unredacted to show passwords and keys as well")
	return cmd
}

// collectorSettings are what every use of the Collector is made with.
func collectorSettings(resolver confmap.ResolverSettings) otelcol.CollectorSettings {
	return otelcol.CollectorSettings{
		Factories:               components,
		BuildInfo:               buildInfo(),
		ProviderModules:         providerModules(),
		DisableGracefulShutdown: true, // the daemon takes the signals
		ConfigProviderSettings:  otelcol.ConfigProviderSettings{ResolverSettings: resolver},
	}
}
