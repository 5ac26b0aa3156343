package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
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
	if err != nil {
		return fmt.Errorf("manifest: config: not a JSON schema: %w", err)
	}
	if config == nil {
		config = json.RawMessage("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(value); errors.As(err, &invalid) {
		return configErrors(invalid)
	} else if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// configErrors turns a tree of schema violations into one line for each leaf, with the key's path.
func configErrors(v *jsonschema.ValidationError) error {
	if len(v.Causes) > 0 {
		var errs []error
		for _, c := range v.Causes {
			errs = append(errs, configErrors(c))
		}
		return errors.Join(errs...)
	}
	path := strings.Join(append([]string{"config"}, v.InstanceLocation...), "::")
	return fmt.Errorf("%s: %s", path, v.ErrorKind.LocalizedString(printer))
}

// printer words schema violations in English.
var printer = message.NewPrinter(language.English)
