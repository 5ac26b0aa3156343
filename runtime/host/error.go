package host

import "strings"

// Kind says what went wrong with a plugin.
type Kind string

// Kinds of [Error].
const (
	// KindRefused: the module or its configuration cannot be used; nothing ran, or only its start.
	KindRefused Kind = "refused"
	// KindTrap: the guest trapped, panicked or exited.
	KindTrap Kind = "trap"
	// KindTimeout: the guest used up its fuel. Err says how much that was; a caller that knows the limit in the user's
	// words puts them there.
	KindTimeout Kind = "timeout"
	// KindMemory: the guest wanted more than limits.memory.
	KindMemory Kind = "memory"
	// KindBadOutput: what the guest returned breaks the contract of runtime/abi.
	KindBadOutput Kind = "bad output"
	// KindCanceled: the caller gave up; the plugin is not to blame.
	KindCanceled Kind = "canceled"
)

// Error is a plugin's failure.
type Error struct {
	// Plugin is the component's name for the plugin, for example "wasm/accesslog".
	Plugin string
	// Func is what was under way: "load", "configure", "acquire", "alloc", "process", "flush", "close".
	Func string
	// Kind says which way it failed.
	Kind Kind
	// Output is what the guest wrote to its standard output and error, bounded.
	Output string
	// Err is the cause.
	Err error
}

// Error names plugin, function, kind and cause, and quotes the guest's own output.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("plugin \"" + e.Plugin + "\": " + e.Func + ": ")
	if e.Kind != KindRefused {
		b.WriteString(string(e.Kind) + ": ")
	}
	b.WriteString(e.Err.Error())
	if e.Output != "" {
		b.WriteString("; the guest wrote: " + strings.TrimSpace(e.Output))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
