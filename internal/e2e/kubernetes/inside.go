package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writeInside writes the script that runs a command in the namespaces and cgroups of the cluster. The command dies with the
// script, which dies with the process that started it: the id of a process in another namespace cannot be waited for.
func (c *Cluster) writeInside(built folders) error {
	path := filepath.Join(built.base, "bin") + ":" + filepath.Join(built.full, "bin") + ":" + os.Getenv("PATH")
	script := fmt.Sprintf(`#!/bin/bash
while read -r dir; do echo $$ > "$dir/cgroup.procs"; done < %[1]q/cgroups 2> /dev/null
exec nsenter --target %[2]s --mount --net --pid --cgroup --uts -- /usr/bin/env PATH=%[3]q KUBECONFIG=/run/e2e/state/admin.kubeconfig \
  KUBECACHEDIR=/run/e2e/state/kubecache CONTAINERD_ADDRESS=%[4]s CONTAINERD_NAMESPACE=k8s.io \
  setpriv --pdeathsig KILL -- /bin/bash -c 'cd "$0" 2> /dev/null; exec "$@"' "$PWD" "$@"
`, c.state, c.init, path, ContainerdSocket)
	return os.WriteFile(c.inside(), []byte(script), 0o755)
}

func (c *Cluster) inside() string { return filepath.Join(c.state, "inside") }

// Command is a command that runs in the cluster's namespaces, in the folder of the test, with kubectl and ctr on its PATH.
// What ends the Cmd's process ends the command with SIGKILL.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.inside(), append([]string{name}, args...)...)
}

// Run runs a command inside and returns what it wrote to standard output.
func (c *Cluster) Run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := c.Command(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// Kubectl runs kubectl as the administrator.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.Run(ctx, "", "kubectl", args...)
}

// Apply creates or changes the objects of a manifest.
func (c *Cluster) Apply(ctx context.Context, manifest string) error {
	_, err := c.Run(ctx, manifest, "kubectl", "apply", "-f", "-")
	return err
}

// Namespace makes a namespace with what the controller manager would put there: its default service account and the
// certificate authority that pods mount.
func (c *Cluster) Namespace(ctx context.Context, name string) error {
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		return err
	}
	return c.Apply(ctx, fmt.Sprintf(`apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: %[1]s}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: %[1]s}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt, namespace: %[1]s}, data: {ca.crt: %[2]q}}
`, name, ca))
}

// Token makes a service account with a ClusterRole of the given rules, and returns a token of it. Rules are YAML:
//
//	[{apiGroups: [""], resources: [nodes/stats], verbs: [get]}]
func (c *Cluster) Token(ctx context.Context, name, rules string) (string, error) {
	err := c.Apply(ctx, fmt.Sprintf(`apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: %[1]s, namespace: default}}
- {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: %[1]s}, rules: %[2]s}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRoleBinding
  metadata: {name: %[1]s}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
  subjects: [{kind: ServiceAccount, name: %[1]s, namespace: default}]
`, name, rules))
	if err != nil {
		return "", err
	}
	token, err := c.Kubectl(ctx, "create", "token", name)
	return strings.TrimSpace(token), err
}

// ServerCertificate is a certificate and its key, signed by [Cluster.CA], for a server of the test that listens on the node
// and is the Service "obsd" of the namespace "default".
func (c *Cluster) ServerCertificate() (cert, key string) {
	return filepath.Join(c.state, "pki", "server.crt"), filepath.Join(c.state, "pki", "server.key")
}

// Client is an HTTP client in the cluster's network that trusts its certificates and sends the token, if there is one.
func (c *Cluster) Client(token string) (*http.Client, error) {
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + c.CA)
	}
	transport := &http.Transport{DialContext: c.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots}, IdleConnTimeout: time.Minute}
	return &http.Client{Timeout: 10 * time.Second, Transport: &bearer{transport, token}}, nil
}

type bearer struct {
	next  http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// Inside returns an executable that runs the given one inside, for those who start it by its path. SIGTERM ends it as
// SIGKILL does. The words of with, if there are any, come before it, such as setpriv with its options.
func (c *Cluster) Inside(t testing.TB, executable string, with ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(executable))
	var words []string
	for _, w := range append(append([]string{c.inside()}, with...), executable) {
		words = append(words, strconv.Quote(w))
	}
	script := "#!/bin/bash\nexec " + strings.Join(words, " ") + " \"$@\"\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (b *bearer) CloseIdleConnections() {
	if t, ok := b.next.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}
