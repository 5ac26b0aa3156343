package abi

// Manifest is what a plugin says of itself, as JSON from obsd_manifest. Unknown members are refused.
type Manifest struct {
	// Name is the plugin's name: lower case letters, digits and hyphens.
	Name string `json:"name"`
	// Version is the plugin's own version, free text.
	Version string `json:"version,omitempty"`
	// Summary is one line for people.
	Summary string `json:"summary,omitempty"`
	// Signals lists what it takes: "logs", "metrics", "traces".
	Signals []string `json:"signals"`
	// Reads lists the columns of a batch in their order, see [Fields]. A column that only some of its signals have is
	// absent in the others.
	Reads []string `json:"reads"`
	// Writes lists what it may change of the rows that it gets, see [Fields]; new rows are its own.
	Writes []string `json:"writes,omitempty"`
	// Emits lists the signals of which it may make new rows.
	Emits []string `json:"emits,omitempty"`
	// Routes lists the names that it may route rows to.
	Routes []string `json:"routes,omitempty"`
	// Where is a condition, see package condition: rows for which it does not hold never reach the plugin, and pass as they are.
	Where string `json:"where,omitempty"`
	// Stateful says that rows of one stream must reach one instance; the host then runs one instance only.
	Stateful bool `json:"stateful,omitempty"`
	// Flush is how often obsd_flush is called, as in "10s" (Go's time.ParseDuration); it wants Stateful and the export.
	Flush string `json:"flush,omitempty"`
	// Config is a JSON schema of its configuration; without one, only an empty configuration is accepted.
	Config any `json:"config,omitempty"`
	// Capabilities lists what it needs of the host beyond its batch, see [Capability].
	Capabilities []string `json:"capabilities,omitempty"`
}
