package repotest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPackageDocs checks that every package says what it is for.
func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 { // go list does not tell the comment of a package that has tests only
			assert.NotEmpty(t, p.Doc, "%s has no package comment", p.folder())
		}
	}
}

// TestComponentsAreLinked checks that components.go lists the folders of components, all of them and no others.
func TestComponentsAreLinked(t *testing.T) {
	list := read(t, "cmd/obsd/components.go")
	linked := make(map[string]bool)
	for _, m := range regexp.MustCompile(`"`+modulePath+`((?:receivers|processors|extensions|exporters)/\w+)"`).FindAllStringSubmatch(list, -1) {
		linked[m[1]] = true
		assert.Contains(t, list, path.Base(m[1])+".NewFactory", "components.go imports %s", m[1])
	}
	for _, kind := range []string{"receivers", "processors", "extensions", "exporters"} {
		factories, err := filepath.Glob(filepath.Join(root, kind, "*", "factory.go"))
		require.NoError(t, err)
		for _, f := range factories {
			folder := kind + "/" + filepath.Base(filepath.Dir(f))
			assert.True(t, linked[folder], "%s is not in cmd/obsd/components.go", folder)
			delete(linked, folder)
		}
	}
	assert.Empty(t, linked, "components.go lists what has no factory.go")
}

// TestFiles checks what may not be committed: built modules, and files too large to review.
func TestFiles(t *testing.T) {
	const most = 512 << 10
	for _, name := range tracked(t) {
		assert.NotEqual(t, ".wasm", path.Ext(name), "%s is built: `make plugins` makes it", name)
		info, err := os.Stat(filepath.Join(root, name))
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(most), "%s is over 512 KB", name)
	}
}

// todo is a note to the author; the second group is the issue it belongs to.
var todo = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b(\(#\d+\))?`)

// TestTodosHaveIssues checks that what is left to do is written down where it is seen.
func TestTodosHaveIssues(t *testing.T) {
	for _, name := range tracked(t) {
		switch path.Ext(name) {
		case ".go", ".yaml", ".yml", ".rs", ".c", ".h", ".sh":
		default:
			continue
		}
		if strings.HasPrefix(name, "internal/repotest/") {
			continue
		}
		for i, line := range strings.Split(read(t, name), "\n") {
			for _, m := range todo.FindAllStringSubmatch(line, -1) {
				assert.NotEmpty(t, m[2], "%s:%d: %s without the number of an issue: write TODO(#12)", name, i+1, m[1])
			}
		}
	}
}
