package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
)

// manifestName is what a plugin may be called.
var manifestName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,99}$`)

// parseManifest reads a manifest and checks all but its columns, which belong to the signal's table.
func parseManifest(text []byte) (*abi.Manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	m := &abi.Manifest{}
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("manifest: "+format, args...)) }
	if !manifestName.MatchString(m.Name) {
		refuse("name: %q: want lower case letters, digits and hyphens", m.Name)
	}
	checkSignals(m, refuse)
	if len(m.Reads) > abi.MaxColumns {
		refuse("reads: %d columns, at most %d", len(m.Reads), abi.MaxColumns)
	}
	if len(m.Routes) > abi.MaxRoutes {
		refuse("routes: %d, at most %d", len(m.Routes), abi.MaxRoutes)
	}
	for _, c := range m.Capabilities {
		if _, ok := grantHint[abi.Capability(c)]; !ok {
			refuse("capabilities: %q is not known; there are %s", c, strings.Join(sortedKeys(grantHint), ", "))
		}
	}
	checkFlush(m, refuse)
	for _, l := range []struct {
		name string
		list []string
	}{{"signals", m.Signals}, {"reads", m.Reads}, {"writes", m.Writes}, {"emits", m.Emits}, {"routes", m.Routes}, {"capabilities", m.Capabilities}} {
		if name, twice := duplicate(l.list); twice {
			refuse("%s: %q is listed twice", l.name, name)
		}
	}
	return m, errors.Join(errs...)
}

// checkSignals holds the signals that a plugin takes and emits against the known ones.
func checkSignals(m *abi.Manifest, refuse func(format string, args ...any)) {
	known := abi.SignalNames[abi.SignalLogs:]
	if len(m.Signals) == 0 {
		refuse("signals: empty; want at least one of %s", strings.Join(known, ", "))
	}
	for _, list := range []struct {
		name    string
		signals []string
	}{{"signals", m.Signals}, {"emits", m.Emits}} {
		for _, s := range list.signals {
			if !slices.Contains(known, s) {
				refuse("%s: %q is not known; there are %s", list.name, s, strings.Join(known, ", "))
			}
		}
	}
}

// minFlush is the shortest flush interval.
const minFlush = 10 * time.Millisecond

func checkFlush(m *abi.Manifest, refuse func(format string, args ...any)) {
	if m.Flush == "" {
		return
	}
	d, err := time.ParseDuration(m.Flush)
	if err != nil || d < minFlush {
		refuse("flush: %q: want a time of %s or more, as in \"10s\"", m.Flush, minFlush)
	}
	if !m.Stateful {
		refuse("flush: %q: what is held back belongs to one instance, so flush wants \"stateful\": true", m.Flush)
	}
}

// checkCapabilities holds what a manifest declares against what the module imports and what is granted. That imports are
// granted is checked before, by checkImports.
func checkCapabilities(m *abi.Manifest, module wazero.CompiledModule, granted *capability.Set) error {
	var errs []error
	for _, c := range m.Capabilities {
		if c := abi.Capability(c); !granted.Grants(c) {
			errs = append(errs, fmt.Errorf("manifest: capabilities: it needs %q: grant it with %s", c, grantHint[c]))
		}
	}
	for _, f := range module.ImportedFunctions() {
		if from, name, _ := f.Import(); from == abi.HostModule {
			if c := abi.HostFunctions[name]; !slices.Contains(m.Capabilities, string(c)) {
				errs = append(errs, fmt.Errorf("imports %s.%s, which the manifest does not declare: add %q to its capabilities", from, name, c))
			}
		}
	}
	if _, ok := module.ExportedFunctions()[abi.ExportFlush]; m.Flush != "" && !ok {
		errs = append(errs, fmt.Errorf("manifest: flush: %q, but the module does not export %s %s", m.Flush, abi.ExportFlush, exports[abi.ExportFlush]))
	}
	return errors.Join(errs...)
}

func duplicate(list []string) (string, bool) {
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if seen[s] {
			return s, true
		}
		seen[s] = true
	}
	return "", false
}
