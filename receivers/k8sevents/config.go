package k8sevents

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/resume"
)

// What `start_at` may be.
const (
	startAtBeginning = "beginning"
	startAtEnd       = "end"
)

// Config is what a user may set under `receivers: k8s_events:`. Options that contrib's k8s_events receiver has are named as
// there.
type Config struct {
	// API names the API server: `auth_type` (serviceAccount, the default, or kubeConfig), `kubeconfig`, `context`.
	API kubeapi.Config `mapstructure:",squash"`

	// Namespaces lists whose events are read. Default: those of all.
	Namespaces []string `mapstructure:"namespaces"`

	// StartAt is where to begin when no position is known: end (the default: only events that happen from now on) or
	// beginning (those too that the API server still has).
	StartAt string `mapstructure:"start_at"`

	// StorageID is the storage extension that keeps the position over restarts.
	StorageID *component.ID `mapstructure:"storage"`

	// LeaderElector is the extension that says which of several obsd reads the events. It needs CheckpointLease.
	LeaderElector *component.ID `mapstructure:"k8s_leader_elector"`

	// CheckpointLease is the Lease, as namespace/name, in whose annotations the position is kept: for several obsd, of which
	// the next leader goes on where the last one was, and for one that has no disk. It is not the elector's own Lease.
	CheckpointLease string `mapstructure:"checkpoint_lease"`

	// RetryOnFailure says how a batch that the pipeline refused is sent again. The API server forgets events after an hour, so
	// that what happens in a longer time is not there any more when a batch goes through at last.
	RetryOnFailure resume.RetryConfig `mapstructure:"retry_on_failure"`
}

func createDefaultConfig() component.Config {
	return &Config{
		API:            kubeapi.NewDefaultConfig(),
		StartAt:        startAtEnd,
		RetryOnFailure: resume.NewRetryConfig(30 * time.Minute),
	}
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.StartAt != startAtBeginning && c.StartAt != startAtEnd {
		bad("start_at: %q is neither %s nor %s", c.StartAt, startAtBeginning, startAtEnd)
	}
	for i, ns := range c.Namespaces {
		if len(validation.IsDNS1123Label(ns)) > 0 {
			bad("namespaces[%d]: %q is not the name of a namespace: leave namespaces out for all", i, ns)
		}
		if slices.Contains(c.Namespaces[:i], ns) {
			bad("namespaces[%d]: %q is listed twice", i, ns)
		}
	}
	if _, _, err := c.lease(); err != nil {
		errs = append(errs, err)
	}
	if c.LeaderElector != nil && c.CheckpointLease == "" {
		bad("k8s_leader_elector: the next leader has to know what was sent: " +
			"set checkpoint_lease, for example to monitoring/obsd-events")
	}
	if c.StorageID != nil && c.CheckpointLease != "" {
		bad("storage: the position is kept in checkpoint_lease: remove one of them")
	}
	return errors.Join(append(errs, c.RetryOnFailure.Check())...)
}

// lease is the namespace and name of the Lease with the position; both are empty if there is none.
func (c *Config) lease() (namespace, name string, err error) {
	if c.CheckpointLease == "" {
		return "", "", nil
	}
	namespace, name, _ = strings.Cut(c.CheckpointLease, "/")
	if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", "", fmt.Errorf("checkpoint_lease: %q is not namespace/name of a Lease", c.CheckpointLease)
	}
	return namespace, name, nil
}

// scopes are the namespaces to follow, "" for all.
func (c *Config) scopes() []string {
	if len(c.Namespaces) == 0 {
		return []string{""}
	}
	return c.Namespaces
}
