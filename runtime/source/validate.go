package source

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"oras.land/oras-go/v2/registry"

	"github.com/obsd-io/obsd/plugins/builtin"
)

const choices = "builtin:<name>, the path of a .wasm file, https://… or oci://registry/repository:tag"

// Validate reports all that can be told without I/O.
func (s *Settings) Validate() error {
	errs := []error{s.validateModule()}
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Digest != "" && !isDigest(s.Digest) {
		refuse("digest: %q: want sha256: and 64 hex digits", s.Digest)
	}
	switch v := s.Verify; {
	case len(v.Keys) > 0 && strings.HasPrefix(s.Module, builtinPrefix):
		refuse("verify: has no use with %s, which is part of this binary: leave it out", s.Module)
	case len(v.Keys) == 0 && v.Signature != "":
		refuse("verify::signature: has no use without verify::keys")
	case strings.HasPrefix(v.Signature, httpsPrefix):
		if err := checkAddress(v.Signature); err != nil {
			refuse("verify::signature: %w", err)
		}
	case strings.Contains(v.Signature, "://"):
		refuse("verify::signature: %q: want a path or https://…", v.Signature)
	}
	return errors.Join(append(errs, s.validateRemote())...)
}

func (s *Settings) validateModule() error {
	scheme, rest, found := strings.Cut(s.Module, "://")
	switch {
	case s.Module == "":
		return fmt.Errorf("module: missing; give %s (built in are %s)", choices, strings.Join(builtin.Names(), ", "))
	case strings.HasPrefix(s.Module, builtinPrefix):
		// Without any bundled plugin the binary was built without make, which is for the start to say.
		if _, err := builtin.Module(s.Module[len(builtinPrefix):]); err != nil && len(builtin.Names()) > 0 {
			return fmt.Errorf("module: %w", err)
		}
	case !found:
	case scheme == "http":
		return fmt.Errorf("module: %q: http:// is not supported, since anyone on the way could replace the code; give https://…", s.Module)
	case scheme == "https":
		if err := checkAddress(s.Module); err != nil {
			return fmt.Errorf("module: %w", err)
		}
	case scheme == "oci":
		if ref, err := registry.ParseReference(rest); err != nil {
			return fmt.Errorf("module: %q: %w; want oci://registry/repository:tag or …@sha256:…", s.Module, err)
		} else if ref.Reference == "" {
			return fmt.Errorf("module: %q: which one? want a :tag or the manifest's @sha256:… after the repository", s.Module)
		}
	default:
		return fmt.Errorf("module: %q: %s:// is not supported; give %s", s.Module, scheme, choices)
	}
	return nil
}

// checkAddress refuses an https:// address that cannot work, or whose password would stand in every log line.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return err
	case u.Host == "":
		return fmt.Errorf("%q: want a host after https://", address)
	case u.User != nil:
		return fmt.Errorf("%q: want no user or password in an address; give a bearer token with remote::token_file", u.Redacted())
	case u.Fragment != "":
		return fmt.Errorf("%q: want no # in an address", address)
	}
	return nil
}

func (s *Settings) validateRemote() error {
	var errs []error
	oci, r := strings.HasPrefix(s.Module, ociPrefix), s.Remote
	if r.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("remote::timeout: %s: want more than 0", r.Timeout))
	}
	if oci && r.TokenFile != "" {
		errs = append(errs, errors.New("remote::token_file: is for https://; oci:// takes credentials from remote::docker_config"))
	}
	if !oci && r.DockerConfig != "" {
		errs = append(errs, errors.New("remote::docker_config: is for oci://; https:// takes a bearer token from remote::token_file"))
	}
	if !r.PlainHTTP {
		return errors.Join(errs...)
	}
	if !oci {
		errs = append(errs, errors.New("remote::plain_http: is for oci:// alone"))
	} else if ref, err := registry.ParseReference(s.Module[len(ociPrefix):]); err == nil &&
		!loopback(ref.Registry) && !s.pinned() && len(s.Verify.Keys) == 0 {
		errs = append(errs, fmt.Errorf("remote::plain_http: anyone on the way to %s could replace the code: give a digest or verify::keys, or use TLS", ref.Registry))
	}
	return errors.Join(errs...)
}

// loopback reports whether a registry's host, with or without a port, is this one.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
