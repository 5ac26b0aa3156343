package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/obsd-io/obsd/runtime/abi"
)

// schemaURL is what a manifest's schema is called in errors.
const schemaURL = "plugin:config"

// noLoader keeps a schema from having the daemon read files or fetch addresses by "$ref".
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a plugin's schema may not refer to anything outside itself", url)
}

// checkConfig holds a configuration against the manifest's JSON schema. Without a schema only an empty one passes.
func checkConfig(m *abi.Manifest, config json.RawMessage) error {
	if m.Config == nil {
		m.Config = map[string]any{"additionalProperties": false}
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, m.Config); err != nil {
		return fmt.Errorf("manifest: config: not a JSON schema: %w", err)
	}
	schema, err := c.Compile(schemaURL)
	var bad *jsonschema.SchemaValidationError
	var invalid *jsonschema.ValidationError
	if errors.As(err, &bad) && errors.As(bad.Err, &invalid) {
		return fmt.Errorf("not a JSON schema: %w", violations("manifest: config", invalid))
	} else if err != nil {
		return fmt.Errorf("manifest: config: not a JSON schema: %w", err)
	}
	if config == nil {
		config = json.RawMessage("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := schema.Validate(value); errors.As(err, &invalid) {
		return violations("config", invalid)
	} else if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// violations turns a tree of schema violations into one line for each leaf, with the key's path below root. The lines
// are sorted: the library goes through objects as Go does through maps, and the same mistake should read the same.
func violations(root string, v *jsonschema.ValidationError) error {
	lines := leaves(nil, root, v)
	slices.Sort(lines)
	return errors.New(strings.Join(slices.Compact(lines), "\n"))
}

// leaves appends a line for each violation in the tree that has no cause below it.
func leaves(lines []string, root string, v *jsonschema.ValidationError) []string {
	for _, c := range v.Causes {
		lines = leaves(lines, root, c)
	}
	if len(v.Causes) > 0 {
		return lines
	}
	if k, ok := v.ErrorKind.(*kind.AdditionalProperties); ok {
		slices.Sort(k.Properties)
	}
	path := strings.Join(append([]string{root}, v.InstanceLocation...), "::")
	return append(lines, path+": "+v.ErrorKind.LocalizedString(printer))
}

// printer words schema violations in English.
var printer = message.NewPrinter(language.English)
