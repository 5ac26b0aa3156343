package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"

	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// digestPrefix stands before a digest's hex digits.
const digestPrefix = "sha256:"

// digestOf is a module's digest.
func digestOf(module []byte) string {
	sum := sha256.Sum256(module)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// metered gives the module with its fuel counter: from the cache, or validated as it came (so that it cannot know of the
// counter) and rewritten. Validating and rewriting take longer than all the rest of a load of compiled code.
func (p *Plugin) metered(ctx context.Context) ([]byte, error) {
	path := p.artefactPath()
	if path != "" {
		if b, ok := readArtefact(path); ok {
			return b, nil
		}
	}
	if err := validate(ctx, p.runtime, p.settings.Module); err != nil && !errors.Is(err, errNotCompiled) {
		return nil, fmt.Errorf("compile: %w", err)
	}
	b, err := wasmbin.Inject(p.settings.Module, wasmbin.Options{Initial: loadFuel})
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	if b, err = exportStart(b); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	if path != "" {
		if err := writeArtefact(path, b); err != nil {
			return nil, fmt.Errorf("compile cache: %w", err)
		}
	}
	return b, nil
}

// artefactVersion is that of the rewritten module's form, wasmbin's part aside.
const artefactVersion = 1

// artefactPath is where the rewritten module is kept: named after all that decides its bytes.
func (p *Plugin) artefactPath() string {
	if p.settings.CacheDir == "" {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d", p.digest, wasmbin.Version, artefactVersion, loadFuel))
	return filepath.Join(p.settings.CacheDir, "metered", hex.EncodeToString(sum[:])+".wasm")
}

// readArtefact reads what writeArtefact wrote: the SHA-256 of the module, and the module. What does not fit its sum (cut
// short by a full disk, say) counts as absent.
func readArtefact(path string) ([]byte, bool) {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < sha256.Size {
		return nil, false
	}
	sum, module := b[:sha256.Size], b[sha256.Size:]
	want := sha256.Sum256(module)
	return module, bytes.Equal(sum, want[:])
}

func writeArtefact(path string, module []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "*.tmp")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(module)
	_, err = f.Write(append(sum[:], module...))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// startExport is the name under which the function of a start section is exported instead.
const startExport = "obsd_start"

// Sections of a module (core spec 2.0 §5.5.2).
const (
	sectionExport = 7
	sectionStart  = 8
)

// exportStart takes the start section out of a valid module that has exports, and exports its function as [startExport]: wazero would run it
// where its fuel cannot be read, so that a start that never ends could not be told from one that traps.
func exportStart(module []byte) ([]byte, error) {
	exports, start := findSection(module, sectionExport), findSection(module, sectionStart)
	if start.content == nil {
		return module, nil
	}
	count, n := binary.Uvarint(exports.content)
	if n <= 0 {
		return nil, errors.New("no export section before the start section")
	}
	content := append(binary.AppendUvarint(nil, count+1), exports.content[n:]...)
	content = append(append(content, byte(len(startExport))), startExport...)
	content = append(append(content, 0), start.content...)
	out := append(make([]byte, 0, len(module)+len(startExport)+16), module[:exports.from]...)
	out = append(binary.AppendUvarint(append(out, sectionExport), uint64(len(content))), content...)
	out = append(out, module[exports.to:start.from]...)
	return append(out, module[start.to:]...), nil
}

// section is where a section lies in a module, with its head, and what it holds.
type section struct {
	from, to int
	content  []byte
}

// findSection finds the section of a number, or gives one without content.
func findSection(module []byte, id byte) section {
	for at := 8; at < len(module); {
		size, n := binary.Uvarint(module[at+1:])
		from, content := at, at+1+n
		if n <= 0 || size > uint64(len(module)-content) {
			break
		}
		at = content + int(size)
		if module[from] == id {
			return section{from, at, module[content:at]}
		}
	}
	return section{}
}

// compileMetered is the last step to a module that can be instantiated.
func (p *Plugin) compileMetered(ctx context.Context) (wazero.CompiledModule, error) {
	b, err := p.metered(ctx)
	if err != nil {
		return nil, err
	}
	m, err := p.runtime.CompileModule(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return m, nil
}
