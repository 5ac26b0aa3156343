package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// authority signs the certificates of one cluster.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// writeKeys makes the certificates, the keys of service account tokens, and a kubeconfig and a token for each program.
func writeKeys(state string) error {
	dir := filepath.Join(state, "pki")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ca, err := newAuthority(dir)
	if err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	for _, c := range []struct {
		name    string
		subject pkix.Name
		usage   x509.ExtKeyUsage
		dns     []string
		ips     []string
	}{
		{"apiserver", pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth, []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}, []string{"127.0.0.1", IP, "10.96.0.1"}},
		{"kubelet", pkix.Name{CommonName: Node}, x509.ExtKeyUsageServerAuth, []string{Node, "localhost"}, []string{"127.0.0.1", IP}},
		{"kubelet-client", pkix.Name{CommonName: "apiserver-kubelet-client", Organization: []string{"system:masters"}}, x509.ExtKeyUsageClientAuth, nil, nil},
		{"front-proxy", pkix.Name{CommonName: "front-proxy"}, x509.ExtKeyUsageClientAuth, nil, nil},
		{"server", pkix.Name{CommonName: "obsd"}, x509.ExtKeyUsageServerAuth, []string{"localhost", "obsd.default.svc"}, []string{"127.0.0.1", IP}},
	} {
		if err := ca.issue(c.name, c.subject, c.usage, c.dns, c.ips); err != nil {
			return fmt.Errorf("make keys: %s: %w", c.name, err)
		}
	}
	key, err := newKey(filepath.Join(dir, "sa.key"))
	if err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	if err := writePEM(filepath.Join(dir, "sa.pub"), "PUBLIC KEY", public); err != nil {
		return fmt.Errorf("make keys: %w", err)
	}
	return writeUsers(state, ca.pem)
}

func newAuthority(dir string) (*authority, error) {
	key, err := newKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	ca := &authority{dir: dir, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return ca, os.WriteFile(filepath.Join(dir, "ca.crt"), ca.pem, 0o644)
}

func (ca *authority) issue(name string, subject pkix.Name, usage x509.ExtKeyUsage, dns, ips []string) error {
	key, err := newKey(filepath.Join(ca.dir, name+".key"))
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: ca.cert.NotBefore, NotAfter: ca.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}, DNSNames: dns,
	}
	for _, ip := range ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(ca.dir, name+".crt"), "CERTIFICATE", der)
}

func newKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(file, "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// writeUsers writes the API server's list of tokens and a kubeconfig for each: admin.kubeconfig and so on.
func writeUsers(state string, ca []byte) error {
	users := []struct{ file, user, groups string }{
		{"admin", "admin", "system:masters"},
		{"kubelet", "system:node:" + Node, "system:nodes"},
		{"kube-controller-manager", "system:kube-controller-manager", ""},
		{"kube-scheduler", "system:kube-scheduler", ""},
		{"kube-proxy", "system:kube-proxy", ""},
	}
	var tokens strings.Builder
	for _, u := range users {
		token := rand.Text()
		fmt.Fprintf(&tokens, "%s,%s,%s", token, u.user, u.file)
		if u.groups != "" {
			fmt.Fprintf(&tokens, ",%s", u.groups)
		}
		tokens.WriteByte('\n')
		if err := writeKubeconfig(filepath.Join(state, u.file+".kubeconfig"), u.file, token, ca); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(state, "pki", "tokens.csv"), []byte(tokens.String()), 0o600)
}

func writeKubeconfig(file, user, token string, ca []byte) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: e2e, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: %s, user: {token: %s}}]
contexts: [{name: e2e, context: {cluster: e2e, user: %[3]s}}]
current-context: e2e
`, API, base64.StdEncoding.EncodeToString(ca), user, token)
	return os.WriteFile(file, []byte(text), 0o600)
}
