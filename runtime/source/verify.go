package source

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// key is a public key and the file that it is from.
type key struct {
	file   string
	verify func(message, signature []byte) bool
}

func readKeys(files []string) ([]key, error) {
	var keys []key
	for _, file := range files {
		text, err := readFile(file, maxSignature)
		if err != nil {
			return nil, err
		}
		found, err := parseKeys(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, verify := range found {
			keys = append(keys, key{file, verify})
		}
	}
	return keys, nil
}

// parseKeys reads the PEM blocks of a file, or one bare ed25519 key.
func parseKeys(text []byte) (keys []func(message, signature []byte) bool, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("is a %s: want a PUBLIC KEY", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		switch k := parsed.(type) {
		case ed25519.PublicKey:
			keys = append(keys, byEd25519(k))
		case *ecdsa.PublicKey:
			if k.Curve != elliptic.P256() {
				return nil, fmt.Errorf("is an ECDSA key on %s: want P-256", k.Params().Name)
			}
			keys = append(keys, byECDSA(k))
		default:
			return nil, fmt.Errorf("is a %T: want an ed25519 key, or ECDSA on P-256", k)
		}
	}
	if len(keys) > 0 {
		return keys, nil
	}
	bare, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(bare) != ed25519.PublicKeySize {
		return nil, errors.New("want a public key in PEM, or the 32 bytes of an ed25519 key in base64")
	}
	return append(keys, byEd25519(bare)), nil
}

func byEd25519(k ed25519.PublicKey) func(message, signature []byte) bool {
	return func(message, signature []byte) bool { return ed25519.Verify(k, message, signature) }
}

func byECDSA(k *ecdsa.PublicKey) func(message, signature []byte) bool {
	return func(message, signature []byte) bool {
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(k, sum[:], signature)
	}
}

// checkProof holds a module against a signature, and notes who signed.
func (f *fetcher) checkProof(m *Module, p *proof) error {
	if len(f.keys) == 0 {
		return nil
	}
	if p == nil {
		return errors.New("is not signed")
	}
	message, err := p.message(m)
	if err != nil {
		return fmt.Errorf("%s: %w", p.From, err)
	}
	for _, k := range f.keys {
		if k.verify(message, p.Signature) {
			m.SignedBy, m.state.Proof = k.file, p
			return nil
		}
	}
	return fmt.Errorf("%s: is by none of the keys %s, or for another module", p.From, strings.Join(f.Verify.Keys, ", "))
}

// detached reads the file that has nothing but a signature of the module's bytes.
func (f *fetcher) detached(ctx context.Context, at string) ([]proof, error) {
	var b []byte
	var err error
	if strings.HasPrefix(at, httpsPrefix) {
		b, _, err = f.client.get(ctx, at, "", maxSignature)
		if err != nil {
			return nil, fmt.Errorf("signature %s: %w", at, err)
		}
	} else if b, err = readFile(at, maxSignature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	signature, err := parseSignature(b)
	if err != nil {
		return nil, fmt.Errorf("signature %s: %w", at, err)
	}
	return []proof{{Form: formDetached, From: "signature " + at, Signature: signature}}, nil
}

// parseSignature reads a signature as it is, in base64, or within a sigstore bundle.
func parseSignature(b []byte) ([]byte, error) {
	text := strings.TrimSpace(string(b))
	switch {
	case text == "":
		return nil, errors.New("is empty")
	case strings.HasPrefix(text, "{"):
		return parseBlobBundle(b)
	}
	if signature, err := base64.StdEncoding.DecodeString(text); err == nil {
		return signature, nil
	}
	return b, nil
}
