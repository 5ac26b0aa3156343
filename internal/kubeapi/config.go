// Package kubeapi is how obsd's components talk to the API server of Kubernetes: where it is and with which credentials, and
// how to follow its objects without keeping them.
package kubeapi

import (
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// What `auth_type` may be.
const (
	ServiceAccount = "serviceAccount"
	KubeConfig     = "kubeConfig"
)

// Config is the part of a component's configuration that names the API server; squash it into the component's own. The names
// of the options are those of the Collector's contrib build.
type Config struct {
	// AuthType is serviceAccount (the default: obsd runs in a pod) or kubeConfig.
	AuthType string `mapstructure:"auth_type"`
	// KubeConfig is the file for auth_type kubeConfig. Default: $KUBECONFIG, then ~/.kube/config.
	KubeConfig string `mapstructure:"kubeconfig"`
	// Context is the context of that file. Default: its current one.
	Context string `mapstructure:"context"`
}

// NewDefaultConfig is for obsd in a pod.
func NewDefaultConfig() Config { return Config{AuthType: ServiceAccount} }

// Validate implements xconfmap.Validator.
func (c *Config) Validate() error {
	switch {
	case c.AuthType != ServiceAccount && c.AuthType != KubeConfig:
		return fmt.Errorf("auth_type: %q is neither %s nor %s", c.AuthType, ServiceAccount, KubeConfig)
	case c.AuthType != KubeConfig && c.KubeConfig != "":
		return fmt.Errorf("kubeconfig: it is for auth_type %s only", KubeConfig)
	case c.AuthType != KubeConfig && c.Context != "":
		return fmt.Errorf("context: it is for auth_type %s only", KubeConfig)
	}
	return nil
}

// REST is what client-go's clients are made from. They ask for protobuf, which costs a fraction of JSON to read, and speak
// JSON to servers that have none.
func (c *Config) REST() (*rest.Config, error) {
	r, err := c.credentials()
	if err != nil {
		return nil, err
	}
	r.ContentType = runtime.ContentTypeProtobuf
	r.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	r.UserAgent = "obsd"
	return r, nil
}

func (c *Config) credentials() (*rest.Config, error) {
	if c.AuthType != KubeConfig {
		r, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("find the API server: %w: run in a pod with a service account, or use auth_type %s", err, KubeConfig)
		}
		return r, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.KubeConfig
	r, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w: set kubeconfig, or KUBECONFIG in the environment", err)
	}
	if r.Proxy == nil {
		r.Proxy = http.ProxyFromEnvironment
	}
	return r, nil
}
