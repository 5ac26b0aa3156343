package k8sleaderelector

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// Config is what a user may set under `extensions: k8s_leader_elector:`. Options are named as in the Collector's contrib build.
type Config struct {
	// API is where the API server is: `auth_type`, `kubeconfig`, `context`.
	API kubeapi.Config `mapstructure:",squash"`

	// LeaseName is the Lease that all candidates compete for. Required.
	LeaseName string `mapstructure:"lease_name"`

	// LeaseNamespace is where it is. Required.
	LeaseNamespace string `mapstructure:"lease_namespace"`

	// LeaseDuration is how long the others wait after the leader's last renewal. Default 15s.
	LeaseDuration time.Duration `mapstructure:"lease_duration"`

	// RenewDeadline is after how long without a renewal the leader stops by itself; less than the lease's duration, so that it has
	// stopped before another begins. Default 10s.
	RenewDeadline time.Duration `mapstructure:"renew_deadline"`

	// RetryPeriod is the time between two attempts to get or renew the lease. Default 2s.
	RetryPeriod time.Duration `mapstructure:"retry_period"`
}

func createDefaultConfig() component.Config {
	return &Config{
		API: kubeapi.NewDefaultConfig(), LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
	}
}

// Validate reports every problem at once; those of API are found by themselves.
func (c *Config) Validate() error {
	var errs []error
	if c.LeaseName == "" {
		errs = append(errs, errors.New("lease_name: it is empty: name the Lease that all instances compete for"))
	}
	if c.LeaseNamespace == "" {
		errs = append(errs, errors.New("lease_namespace: it is empty: name the namespace of the Lease, as a rule that of obsd's pods"))
	}
	if c.LeaseDuration < time.Second {
		errs = append(errs, errors.New("lease_duration: a Lease holds whole seconds: give at least 1s"))
	}
	if c.LeaseDuration <= c.RenewDeadline {
		errs = append(errs, fmt.Errorf("renew_deadline: %v must be less than lease_duration %v: else two lead at a time",
			c.RenewDeadline, c.LeaseDuration))
	}
	if c.RetryPeriod <= 0 {
		errs = append(errs, errors.New("retry_period: must be more than 0"))
	}
	if c.RenewDeadline <= c.RetryPeriod*6/5 {
		errs = append(errs, fmt.Errorf("retry_period: %v must be less than 5/6 of renew_deadline %v", c.RetryPeriod, c.RenewDeadline))
	}
	return errors.Join(errs...)
}
