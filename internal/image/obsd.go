package image

import "os"

// Repository is the name of obsd's image without its tag.
const Repository = "ghcr.io/obsd-io/obsd"

// The user that obsd's image runs as unless a deployment says otherwise, and the folder it may write to. deploy/Dockerfile says
// the same.
const (
	userID  = 65532
	user    = "65532:65532"
	dataDir = "/var/lib/obsd"
)

// certificates are what TLS trusts, where Go looks for them.
const certificates = "/etc/ssl/certs/ca-certificates.crt"

// certificateFiles are where Linux distributions keep them: Debian, Fedora, openSUSE, Alpine.
var certificateFiles = []string{certificates, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}

// Obsd is obsd's own image: the binary, which needs nothing else, this machine's certificate authorities, if it has any, and a
// folder for its data. It is what deploy/Dockerfile builds.
func Obsd(ref, binary string) *Image {
	img := &Image{
		Ref: ref, Entrypoint: []string{"/obsd"}, User: user, WorkingDir: dataDir,
		Labels: map[string]string{"org.opencontainers.image.source": "https://github.com/obsd-io/obsd", "org.opencontainers.image.licenses": "Apache-2.0"},
		Files: map[string]File{
			"/obsd":       {From: binary},
			"/etc/passwd": {Text: "root:x:0:0:root:/:/none\nobsd:x:65532:65532:obsd:" + dataDir + ":/none\n"},
			"/etc/group":  {Text: "root:x:0:\nobsd:x:65532:\n"},
			dataDir:       {Owner: userID},
		},
	}
	for _, name := range certificateFiles {
		if _, err := os.Stat(name); err == nil {
			img.Files[certificates] = File{From: name}
			break
		}
	}
	return img
}
