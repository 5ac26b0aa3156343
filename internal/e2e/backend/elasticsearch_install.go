package backend

import (
	"archive/zip"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/obsd-io/obsd/internal/e2e/cache"
)

const esVersion = "8.19.21"

//go:embed elasticsearch/pom.xml elasticsearch/src
var esRecipe embed.FS

// installElasticsearch lays the jars of Maven Central out as a home folder of Elasticsearch and compiles our launcher.
//
//	DIR/lib           the server, as a module path
//	DIR/home/modules  transport-netty4 (HTTP) and e2e-root (GET /, which is not on Maven Central)
//	DIR/launcher.jar  EsNode
//	DIR/cds.jsa       class data archive; with it a start takes a half to a third of the time
func installElasticsearch(ctx context.Context, progress io.Writer) (string, error) {
	recipe, err := esRecipeBytes()
	if err != nil {
		return "", err
	}
	tool := &cache.Tool{
		Name: "elasticsearch", Version: esVersion, Title: "Elasticsearch", Hint: "fetching 42 MB from Maven Central, about 1 min",
		Recipe: recipe, Check: needJava, Make: makeElasticsearch, Finish: func(ctx context.Context, dir string) error {
			trainElasticsearch(ctx, dir, progress)
			return nil
		},
	}
	return install(ctx, tool, progress)
}

func esRecipeBytes() ([]byte, error) {
	recipe := []byte(esVersion)
	err := fs.WalkDir(esRecipe, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := esRecipe.ReadFile(path)
		recipe = append(append(recipe, path...), b...)
		return err
	})
	return recipe, err
}

// makeElasticsearch fills the folder, all but the class data archive.
func makeElasticsearch(ctx context.Context, dir string) error {
	src, err := os.MkdirTemp("", "obsd-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(src) }()
	if err := os.CopyFS(src, esRecipe); err != nil {
		return err
	}
	src = filepath.Join(src, "elasticsearch")
	err = cache.Run(ctx, src, nil, "mvn", "-q", "-B", "-Dstyle.color=never", "-Dnode.version="+esVersion, "-Dout="+dir, "package")
	if err != nil {
		return err
	}
	modules := filepath.Join(dir, "home", "modules")
	if err := os.MkdirAll(filepath.Join(dir, "home", "plugins"), 0o755); err != nil {
		return err
	}
	// The published jar carries the descriptor that the server wants beside it.
	const descriptor = "plugin-descriptor.properties"
	netty := filepath.Join(modules, "transport-netty4")
	err = unzipFile(filepath.Join(netty, "transport-netty4-"+esVersion+".jar"), "META-INF/es-plugins/transport-netty4/"+descriptor, filepath.Join(netty, descriptor))
	if err != nil {
		return err
	}
	lib := filepath.Join(dir, "lib")
	err = compile(ctx, filepath.Join(src, "src", "EsNode.java"), filepath.Join(dir, "launcher.jar"), "-p", lib, "--add-modules", "ALL-MODULE-PATH")
	if err != nil {
		return err
	}
	root := filepath.Join(modules, "e2e-root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	about := "name=e2e-root\nversion=1\ndescription=answers GET /\nclassname=e2e.RestRootPlugin\njava.version=17\nelasticsearch.version=" + esVersion + "\n"
	if err := os.WriteFile(filepath.Join(root, descriptor), []byte(about), 0o644); err != nil {
		return err
	}
	return compile(ctx, filepath.Join(src, "src", "RestRootPlugin.java"), filepath.Join(root, "e2e-root.jar"), "-cp", filepath.Join(lib, "*"))
}

// compile turns one Java source into a jar.
func compile(ctx context.Context, source, jar string, args ...string) error {
	classes, err := os.MkdirTemp("", "obsd-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(classes) }()
	args = append([]string{"-nowarn", "--release", "17", "-d", classes}, args...)
	if err := cache.Run(ctx, "", nil, "javac", append(args, source)...); err != nil {
		return err
	}
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	if err := errors.Join(w.AddFS(os.DirFS(classes)), w.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", jar, err)
	}
	return os.WriteFile(jar, buf.Bytes(), 0o644)
}

func unzipFile(archive, name, target string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	b, err := fs.ReadFile(r, name)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", archive, err)
	}
	return os.WriteFile(target, b, 0o644)
}

// trainElasticsearch runs the node once and lets Java write an archive of the classes it loaded. It happens in the
// final folder, because the archive is valid only for the paths it was made with. Without the archive all works, slower.
func trainElasticsearch(ctx context.Context, dir string, progress io.Writer) {
	archive := filepath.Join(dir, "cds.jsa")
	if _, err := os.Stat(archive); err == nil {
		return
	}
	_, _ = fmt.Fprintf(progress, "e2e: Elasticsearch %s, once: making its class archive, about 10 s ...\n", esVersion)
	if err := makeClassArchive(ctx, dir, archive); err != nil {
		_, _ = fmt.Fprintf(progress, "e2e: Elasticsearch starts slower than it could: no class archive: %v\n", err)
	}
}

func makeClassArchive(ctx context.Context, dir, archive string) error {
	data, err := os.MkdirTemp("", "obsd-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(data) }()
	es := &Elasticsearch{kit: dir, dir: data, jvm: []string{"-XX:ArchiveClassesAtExit=" + archive + ".new"}}
	if err := es.start(ctx); err != nil {
		return errors.Join(err, es.stop(es.process.Kill))
	}
	bulk := []byte("{\"create\":{\"_index\":\"logs-a-b\",\"_id\":\"1\"}}\n{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"m\":\"x\",\"n\":1}\n")
	err = errors.Join(
		call(ctx, http.MethodPost, es.URL+"/_bulk?refresh=true", "application/x-ndjson", bulk, nil),
		get(ctx, es.URL+"/logs-a-b/_search?q=m:x", nil, nil),
		es.stop(func() error { return es.process.Stop(60 * time.Second) }), // writing the archive takes some seconds
	)
	return errors.Join(err, os.Rename(archive+".new", archive))
}

// needJava sees to a JDK and Maven: present, or installed from Debian's packages if this is root on Debian.
func needJava(ctx context.Context, progress io.Writer) error {
	missing := missingPackages(exec.LookPath)
	if len(missing) == 0 {
		return nil
	}
	advice := fmt.Errorf("a JDK 17 or later and Maven are needed: as root, apt-get install %s (or set E2E=skip)", strings.Join(missing, " "))
	if !cache.CanInstallPackages() {
		return advice
	}
	if err := cache.InstallPackages(ctx, progress, missing...); err != nil {
		return errors.Join(advice, err)
	}
	if missing = missingPackages(exec.LookPath); len(missing) > 0 {
		return advice
	}
	return nil
}

// missingPackages names the Debian packages whose programs are not on the PATH.
func missingPackages(lookPath func(string) (string, error)) []string {
	var missing []string
	for _, p := range []struct{ program, pkg string }{{"javac", "default-jdk-headless"}, {"mvn", "maven"}} {
		if _, err := lookPath(p.program); err != nil {
			missing = append(missing, p.pkg)
		}
	}
	return missing
}
