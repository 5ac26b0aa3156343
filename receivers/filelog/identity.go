package filelog

import (
	"path/filepath"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// container is what the kubelet writes into the path of a container's log:
//
//	/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart count>.log
//	              ^ any folder before it                              ^ with .20060102-150405 behind it once rotated
type container struct {
	namespace, pod, uid, name, restarts string
}

// containerOf reads the identity from a path; ok is false where the path is not of that shape.
func containerOf(path string) (c container, ok bool) {
	dir, file := filepath.Split(path)
	dir, name := filepath.Split(filepath.Clean(dir))
	folder := strings.Split(filepath.Base(dir), "_")
	if len(folder) != 3 || name == "" {
		return container{}, false
	}
	restarts, rest, found := strings.Cut(file, ".")
	if !found || !digits(restarts) || (rest != "log" && !strings.HasPrefix(rest, "log.")) {
		return container{}, false
	}
	c = container{namespace: folder[0], pod: folder[1], uid: folder[2], name: name, restarts: restarts}
	return c, c.namespace != "" && c.pod != "" && isUID(c.uid)
}

// put sets the resource attributes, named and typed as contrib's container parser does.
func (c container) put(attributes pcommon.Map) {
	attributes.PutStr("k8s.namespace.name", c.namespace)
	attributes.PutStr("k8s.pod.name", c.pod)
	attributes.PutStr("k8s.pod.uid", c.uid)
	attributes.PutStr("k8s.container.name", c.name)
	attributes.PutStr("k8s.container.restart_count", c.restarts)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isUID takes UUIDs, and the bare hashes that static pods have.
func isUID(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

// resourceOf returns the resource attributes of the file that a glob found as name. hops are the paths its links lead over, the file's own last.
func resourceOf(cfg *Config, name string, hops []string) (attributes pcommon.Map, isContainer bool) {
	attributes = pcommon.NewMap()
	if cfg.IncludeFileName {
		attributes.PutStr("log.file.name", filepath.Base(name))
	}
	if cfg.IncludeFilePath {
		attributes.PutStr("log.file.path", name)
	}
	for _, hop := range hops {
		if c, ok := containerOf(hop); ok {
			c.put(attributes)
			return attributes, true
		}
	}
	return attributes, false
}

// compressed says whether the name is that of a packed or half-made file, which is never read as text.
func compressed(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".tmp", ".swp":
		return true
	}
	return false
}

// rotatedFrom returns the name that a rotated name grew out of, or "": app.log.1, app.log-20261123 and 0.log.20261123-100000 grew out of app.log and 0.log.
func rotatedFrom(name string) string {
	base := strings.TrimRight(name, "0123456789T:.-_")
	if base == name || base == "" {
		for _, suffix := range []string{".old", ".prev"} {
			if cut, ok := strings.CutSuffix(name, suffix); ok {
				return cut
			}
		}
		return ""
	}
	switch name[len(base)] {
	case '.', '-', '_':
		return base
	}
	return ""
}
