package source

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// The ways that cosign keeps signatures, as of cosign 3.1: pkg/oci/remote and cmd/cosign/cli/sign there, and
// SIGNATURE_SPEC.md for simple signing.
const (
	simpleSigningLayer  = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	simpleSigningType   = "cosign container image signature"
	bundleArtifact      = "application/vnd.dev.sigstore.bundle.v0.3+json"
	inTotoPayload       = "application/vnd.in-toto+json"
	signPredicate       = "https://sigstore.dev/cosign/sign/v1"
	// maxProofs bounds how many signatures of one module are looked at.
	maxProofs = 32
)

// form says what a signature was made over.
type form string

const (
	// formDetached is over the module's bytes.
	formDetached form = "detached"
	// formSimpleSigning is over a JSON payload that names the manifest's digest: cosign up to 2.
	formSimpleSigning form = "simple signing"
	// formDSSE is over an in-toto statement whose subject is the manifest's digest, in a DSSE envelope: cosign from 3.
	formDSSE form = "dsse"
)

// proof is a signature, and where it is not over the module's bytes, the payload that leads there.
type proof struct {
	Form      form   `json:"form"`
	From      string `json:"from"`
	Signature []byte `json:"signature"`
	Payload   []byte `json:"payload,omitempty"`
}

// message is what must have been signed. Its error says that it speaks of another module than m.
func (p *proof) message(m *Module) ([]byte, error) {
	if p.Form == formDetached {
		return m.Bytes, nil
	}
	layer, err := moduleLayer(m.state.Manifest)
	if err != nil {
		return nil, err
	}
	if string(layer.Digest) != m.Digest {
		return nil, fmt.Errorf("is for a manifest whose module is %s, not %s", layer.Digest, m.Digest)
	}
	var named string
	message := p.Payload
	switch p.Form {
	case formSimpleSigning:
		named, err = parseSimpleSigning(p.Payload)
	case formDSSE:
		named, err = parseStatement(p.Payload)
		message = preAuthenticationEncoding(inTotoPayload, p.Payload)
	default:
		err = fmt.Errorf("form %q is unknown", p.Form)
	}
	if err != nil {
		return nil, err
	}
	if want := digest(m.state.Manifest); named != want {
		return nil, fmt.Errorf("is for manifest %s, not %s", named, want)
	}
	return message, nil
}

// parseSimpleSigning returns the manifest's digest that a payload names.
func parseSimpleSigning(b []byte) (string, error) {
	var payload struct {
		Critical struct {
			Type  string `json:"type"`
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	if err := json.Unmarshal(b, &payload); err != nil {
		return "", fmt.Errorf("payload: %w", err)
	}
	if payload.Critical.Type != simpleSigningType {
		return "", fmt.Errorf("payload: type %q: want %q", payload.Critical.Type, simpleSigningType)
	}
	return payload.Critical.Image.Digest, nil
}

// parseStatement returns the manifest's digest that a statement is about. Only the predicate of `cosign sign` says
// that the subject is approved; others, such as a list of what it consists of, do not.
func parseStatement(b []byte) (string, error) {
	var statement struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := json.Unmarshal(b, &statement); err != nil {
		return "", fmt.Errorf("statement: %w", err)
	}
	if statement.PredicateType != signPredicate || len(statement.Subject) != 1 {
		return "", fmt.Errorf("statement: is a %q about %d subjects: want a %q about one", statement.PredicateType, len(statement.Subject), signPredicate)
	}
	return digestPrefix + statement.Subject[0].Digest["sha256"], nil
}

// preAuthenticationEncoding is what a DSSE signature is over: PAE in protocol.md of github.com/secure-systems-lab/dsse.
func preAuthenticationEncoding(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// bundle is what obsd needs of a sigstore bundle; certificates and log entries are for verification without keys.
type bundle struct {
	MessageSignature struct {
		Signature []byte `json:"signature"`
	} `json:"messageSignature"`
	Envelope struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Signature []byte `json:"sig"`
		} `json:"signatures"`
	} `json:"dsseEnvelope"`
}

// parseBlobBundle returns the signature that `cosign sign-blob --bundle` made.
func parseBlobBundle(b []byte) ([]byte, error) {
	var parsed bundle
	if err := json.Unmarshal(b, &parsed); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if len(parsed.MessageSignature.Signature) == 0 {
		return nil, errors.New("bundle: has no messageSignature: want one of `cosign sign-blob --key`")
	}
	return parsed.MessageSignature.Signature, nil
}

// parseImageBundle returns the signatures that `cosign sign` made.
func parseImageBundle(b []byte) ([]proof, error) {
	var parsed bundle
	if err := json.Unmarshal(b, &parsed); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if parsed.Envelope.PayloadType != inTotoPayload {
		return nil, fmt.Errorf("bundle: payload is %q: want %q", parsed.Envelope.PayloadType, inTotoPayload)
	}
	var proofs []proof
	for _, s := range parsed.Envelope.Signatures[:min(len(parsed.Envelope.Signatures), maxProofs)] {
		proofs = append(proofs, proof{Form: formDSSE, Signature: s.Signature, Payload: parsed.Envelope.Payload})
	}
	return proofs, nil
}

func (o *oci) proofs(v *version) []findProofs {
	signed := content.NewDescriptorFromBytes(ocispec.MediaTypeImageManifest, v.Manifest)
	return []findProofs{
		func(ctx context.Context) ([]proof, error) { return o.tagged(ctx, signed) },
		func(ctx context.Context) ([]proof, error) { return o.referring(ctx, signed) },
	}
}

// tagged finds what cosign up to 2 leaves: a manifest at a tag made of the signed digest, a layer for each signature.
func (o *oci) tagged(ctx context.Context, signed ocispec.Descriptor) ([]proof, error) {
	tag := strings.Replace(string(signed.Digest), ":", "-", 1) + ".sig"
	desc, err := o.repository.Resolve(ctx, tag)
	if errors.Is(err, errdef.ErrNotFound) {
		return nil, fmt.Errorf("no signature at tag %s", tag)
	}
	if err != nil {
		return nil, fmt.Errorf("signature %s: %w", tag, explainAnswer(ctx, err))
	}
	b, err := o.manifest(ctx, desc)
	if err != nil {
		return nil, fmt.Errorf("signature %s: %w", tag, err)
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("signature %s: manifest: %w", tag, err)
	}
	var proofs []proof
	for _, l := range m.Layers[:min(len(m.Layers), maxProofs)] {
		signature, err := base64.StdEncoding.DecodeString(l.Annotations[signatureAnnotation])
		if l.MediaType != simpleSigningLayer || err != nil || len(signature) == 0 {
			continue
		}
		payload, err := o.blob(ctx, l)
		if err != nil {
			return proofs, fmt.Errorf("signature %s: %w", tag, err)
		}
		proofs = append(proofs, proof{Form: formSimpleSigning, From: "signature " + tag, Signature: signature, Payload: payload})
	}
	return proofs, nil
}

// referring finds what cosign leaves from 3 on: manifests that refer to the signed one, each with a bundle.
func (o *oci) referring(ctx context.Context, signed ocispec.Descriptor) ([]proof, error) {
	var bundles []ocispec.Descriptor
	err := o.repository.Referrers(ctx, signed, bundleArtifact, func(page []ocispec.Descriptor) error {
		bundles = append(bundles, page...)
		return nil
	})
	if err != nil && !errors.Is(err, errdef.ErrNotFound) {
		return nil, fmt.Errorf("signatures that refer to it: %w", explainAnswer(ctx, err))
	}
	if len(bundles) == 0 {
		return nil, errors.New("no signature that refers to it: sign it with `cosign sign --key`")
	}
	var proofs []proof
	for _, desc := range bundles[:min(len(bundles), maxProofs)] {
		found, err := o.bundle(ctx, desc)
		if err != nil {
			return proofs, fmt.Errorf("signature %s: %w", desc.Digest, err)
		}
		proofs = append(proofs, found...)
	}
	return proofs, nil
}

func (o *oci) bundle(ctx context.Context, desc ocispec.Descriptor) ([]proof, error) {
	b, err := o.manifest(ctx, desc)
	if err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if len(m.Layers) != 1 {
		return nil, fmt.Errorf("manifest: want one layer, has %d", len(m.Layers))
	}
	b, err = o.blob(ctx, m.Layers[0])
	if err != nil {
		return nil, err
	}
	proofs, err := parseImageBundle(b)
	for i := range proofs {
		proofs[i].From = "signature " + string(desc.Digest)
	}
	return proofs, err
}

// blob fetches something small.
func (o *oci) blob(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if desc.Size > maxSignature {
		return nil, fmt.Errorf("want at most %s, the registry offers %d bytes", size(maxSignature), desc.Size)
	}
	b, err := content.FetchAll(ctx, o.repository.Blobs(), desc)
	return b, explainAnswer(ctx, err)
}
