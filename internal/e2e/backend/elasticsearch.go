package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/obsd-io/obsd/internal/e2e/process"
	"github.com/obsd-io/obsd/internal/porttest"
)

// ElasticsearchOptions says how a node differs from the usual one of a test.
type ElasticsearchOptions struct {
	// Settings are more node settings, such as "http.max_content_length": "64kb".
	Settings map[string]string
	// Heap is the size of the Java heap, "512m" if empty.
	Heap string
}

// Elasticsearch is one real node, which keeps its data and its port over Kill, Stop and Restart. Index life cycles,
// security and the REST API of data streams are missing; data streams themselves work.
type Elasticsearch struct {
	// URL is where it serves, without a slash at the end.
	URL string

	kit, dir string
	opts     ElasticsearchOptions
	jvm      []string // more JVM options
	process  *process.Process
}

// StartElasticsearch starts a node that ends with the test. All indices have one shard and no replica, and "logs-*"
// makes data streams.
func StartElasticsearch(t testing.TB, opts ElasticsearchOptions) *Elasticsearch {
	t.Helper()
	Need(t)
	kit, err := installElasticsearch(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	es := &Elasticsearch{kit: kit, dir: t.TempDir(), opts: opts}
	stopAfter(t, "Elasticsearch", func() *process.Process { return es.process })
	if err := es.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := es.PutTemplate(t.Context(), "logs", logsTemplate); err != nil {
		t.Fatal(err)
	}
	return es
}

// start runs the node on its data, and waits until it serves and all shards are back.
func (es *Elasticsearch) start(ctx context.Context) error {
	if es.URL == "" {
		addr, err := porttest.Reserve()
		if err != nil {
			return fmt.Errorf("e2e: start Elasticsearch: %w", err)
		}
		es.URL = "http://" + addr
	}
	portFile := filepath.Join(es.dir, "port")
	if err := os.RemoveAll(portFile); err != nil {
		return fmt.Errorf("e2e: start Elasticsearch: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(es.dir, "tmp"), 0o755); err != nil {
		return fmt.Errorf("e2e: start Elasticsearch: %w", err)
	}
	var err error
	es.process, err = process.Start(process.Settings{
		Name: "elasticsearch", Path: "java", Args: append(es.jvmArgs(), es.nodeArgs()...), Dir: es.dir, Log: filepath.Join(es.dir, "node.log"),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return es.process.WaitReady(ctx, func(ctx context.Context) error {
		if _, err := os.Stat(portFile); err != nil {
			return err
		}
		return get(ctx, es.URL+"/_cluster/health?wait_for_status=yellow&wait_for_no_initializing_shards=true&timeout=30s", nil, nil)
	})
}

// jvmArgs chooses the quickest start: a small heap, the simple collector, only the first compiler, archived classes.
func (es *Elasticsearch) jvmArgs() []string {
	heap := es.opts.Heap
	if heap == "" {
		heap = "512m"
	}
	args := []string{
		"-Xms" + heap, "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir=" + filepath.Join(es.dir, "tmp"),
		"-Dlog4j2.disable.jmx=true", "-Dio.netty.noUnsafe=true", "-Djava.awt.headless=true", "-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr",
	}
	archive := filepath.Join(es.kit, "cds.jsa")
	if _, err := os.Stat(archive); err == nil && len(es.jvm) == 0 {
		args = append(args, "-XX:SharedArchiveFile="+archive)
	}
	args = append(args, es.jvm...)
	return append(args, "-p", filepath.Join(es.kit, "lib"), "--add-modules=jdk.net,ALL-MODULE-PATH", "-cp", filepath.Join(es.kit, "launcher.jar"), "EsNode")
}

// nodeArgs are the arguments of EsNode.
func (es *Elasticsearch) nodeArgs() []string {
	settings := map[string]string{
		"cluster.name": "e2e", "node.name": "node-1", "discovery.type": "single-node", "network.host": "127.0.0.1", "transport.port": "0",
		"http.port": es.URL[strings.LastIndexByte(es.URL, ':')+1:], "cluster.routing.allocation.disk.threshold_enabled": "false",
	}
	maps.Copy(settings, es.opts.Settings)
	args := []string{filepath.Join(es.kit, "home"), es.dir}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, key+"="+settings[key])
	}
	return args
}

func (es *Elasticsearch) stop(end func() error) error {
	if es.process == nil {
		return nil
	}
	return end()
}

// Kill ends the node with SIGKILL. No connection to it is left, so that the next request sees that nobody listens, and not how an
// old connection breaks.
func (es *Elasticsearch) Kill() error {
	err := es.process.Kill()
	http.DefaultClient.CloseIdleConnections()
	return err
}

// Restart starts a killed node again on the same data and the same port.
func (es *Elasticsearch) Restart(ctx context.Context) error { return es.start(ctx) }

// PutTemplate creates or replaces an index template.
func (es *Elasticsearch) PutTemplate(ctx context.Context, name, template string) error {
	return es.do(ctx, http.MethodPut, "/_index_template/"+name, template, nil)
}

// Refresh makes all that was written visible to searches. An index that does not exist yet is no error.
func (es *Elasticsearch) Refresh(ctx context.Context, index string) error {
	return es.do(ctx, http.MethodPost, "/"+index+"/_refresh?ignore_unavailable=true", "", nil)
}

// Count refreshes the index and counts the documents that a query string such as `http.request.method:GET` finds; ""
// finds all. An index that does not exist yet has none.
func (es *Elasticsearch) Count(ctx context.Context, index, query string) (int, error) {
	if err := es.Refresh(ctx, index); err != nil {
		return 0, err
	}
	var answer struct{ Count int }
	err := es.do(ctx, http.MethodPost, "/"+index+"/_count?ignore_unavailable=true", queryString(query), &answer)
	return answer.Count, err
}

// Each refreshes the index and calls f with the source of every document that the query string finds, in no order.
func (es *Elasticsearch) Each(ctx context.Context, index, query string, f func(source json.RawMessage) error) error {
	if err := es.Refresh(ctx, index); err != nil {
		return err
	}
	var page struct {
		ScrollID string `json:"_scroll_id"`
		Hits     struct {
			Hits []struct {
				Source json.RawMessage `json:"_source"`
			}
		}
	}
	err := es.do(ctx, http.MethodPost, "/"+index+"/_search?ignore_unavailable=true&scroll=1m&size=5000&sort=_doc", queryString(query), &page)
	for err == nil && len(page.Hits.Hits) > 0 {
		for _, hit := range page.Hits.Hits {
			if err := f(hit.Source); err != nil {
				return err
			}
		}
		scroll := fmt.Sprintf(`{"scroll":"1m","scroll_id":%q}`, page.ScrollID)
		page.Hits.Hits = nil
		err = es.do(ctx, http.MethodPost, "/_search/scroll", scroll, &page)
	}
	return err // the node frees a scroll that was read to its end
}

// Documents collects what Each finds, as decoded JSON.
func (es *Elasticsearch) Documents(ctx context.Context, index, query string) ([]map[string]any, error) {
	var docs []map[string]any
	err := es.Each(ctx, index, query, func(source json.RawMessage) error {
		var doc map[string]any
		docs = append(docs, nil)
		err := json.Unmarshal(source, &doc)
		docs[len(docs)-1] = doc
		return err
	})
	return docs, err
}

func queryString(query string) string {
	if query == "" {
		query = "*"
	}
	return fmt.Sprintf(`{"query":{"query_string":{"query":%q}}}`, query)
}

func (es *Elasticsearch) do(ctx context.Context, method, path, body string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := call(ctx, method, es.URL+path, "application/json", []byte(body), out)
	if err != nil {
		return fmt.Errorf("e2e: Elasticsearch: %w", err)
	}
	return nil
}

// logsTemplate is the part of Elasticsearch's own logs template that tests rely on; that module is not on Maven Central.
const logsTemplate = `{"index_patterns":["logs-*"],"data_stream":{},"priority":100,"template":{"settings":{"number_of_replicas":0},` +
	`"mappings":{"dynamic_templates":[{"strings":{"match_mapping_type":"string","mapping":{"type":"keyword","ignore_above":1024}}}],` +
	`"properties":{"@timestamp":{"type":"date"},"message":{"type":"text"}}}}}`
