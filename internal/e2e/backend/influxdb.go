package backend

import (
	"context"
	_ "embed" // the recipe
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/obsd-io/obsd/internal/e2e/cache"
	"github.com/obsd-io/obsd/internal/e2e/process"
	"github.com/obsd-io/obsd/internal/porttest"
)

//go:embed influxdb/module.mod
var influxMod []byte

//go:embed influxdb/module.sum
var influxSum []byte

func installInfluxDB(ctx context.Context, progress io.Writer) (string, error) {
	program := cache.GoProgram{
		Name: "influxd", Version: "v1.8.10", Title: "InfluxDB", Hint: "building, about 1 min on 2 cores",
		Package: "github.com/influxdata/influxdb/cmd/influxd", Mod: influxMod, Sum: influxSum,
	}
	return install(ctx, program.Tool(), progress)
}

// InfluxDBOptions says how an InfluxDB differs from the usual one of a test.
type InfluxDBOptions struct {
	// Databases are created before the server is handed over.
	Databases []string
}

// InfluxDB is a running server: the 1.x write API and query language, and the 2.x write API.
type InfluxDB struct {
	// URL is where it serves, without a slash at the end.
	URL     string
	process *process.Process
}

// Series is one series of an InfluxQL answer.
type Series struct {
	// Name is the measurement.
	Name string
	// Tags are the values of GROUP BY.
	Tags map[string]string
	// Columns name the values of each row; the first is "time".
	Columns []string
	// Values are the rows.
	Values [][]any
}

// StartInfluxDB starts an InfluxDB that ends with the test.
func StartInfluxDB(t testing.TB, opts InfluxDBOptions) *InfluxDB {
	t.Helper()
	Need(t)
	dir, err := installInfluxDB(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	db, err := startInfluxDB(t.Context(), filepath.Join(dir, "influxd"), t.TempDir())
	if db != nil {
		stopAfter(t, "InfluxDB", func() *process.Process { return db.process })
	}
	for _, name := range opts.Databases {
		if err == nil {
			err = db.CreateDatabase(t.Context(), name)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func startInfluxDB(ctx context.Context, bin, dir string) (*InfluxDB, error) {
	addr, err := porttest.Reserve()
	if err != nil {
		return nil, err
	}
	rpc, err := porttest.Reserve()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`
reporting-disabled = true
bind-address = %q
[meta]
  dir = %q
[data]
  dir = %q
  wal-dir = %q
[http]
  bind-address = %q
  log-enabled = false
[monitor]
  store-enabled = false
`, rpc, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), addr)
	configFile := filepath.Join(dir, "influxdb.conf")
	if err := os.WriteFile(configFile, []byte(config), 0o644); err != nil {
		return nil, fmt.Errorf("e2e: start InfluxDB: %w", err)
	}
	db := &InfluxDB{URL: "http://" + addr}
	db.process, err = process.Start(process.Settings{
		Name: "influxd", Path: bin, Args: []string{"-config", configFile}, Dir: dir, Log: filepath.Join(dir, "log"),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return db, db.process.WaitReady(ctx, func(ctx context.Context) error { return get(ctx, db.URL+"/ping", nil, nil) })
}

// CreateDatabase creates a database; one that exists is no error.
func (db *InfluxDB) CreateDatabase(ctx context.Context, name string) error {
	_, err := db.query(ctx, http.MethodPost, "", fmt.Sprintf("CREATE DATABASE %q", name))
	return err
}

// Query runs one InfluxQL query and returns its series.
func (db *InfluxDB) Query(ctx context.Context, database, influxql string) ([]Series, error) {
	return db.query(ctx, http.MethodGet, database, influxql)
}

func (db *InfluxDB) query(ctx context.Context, method, database, influxql string) ([]Series, error) {
	var answer struct {
		Results []struct {
			Series []Series
			Error  string
		}
	}
	params := url.Values{"q": {influxql}, "db": {database}}
	err := call(ctx, method, db.URL+"/query?"+params.Encode(), "", nil, &answer)
	if err != nil {
		return nil, fmt.Errorf("e2e: InfluxDB: query %q: %w", influxql, err)
	}
	var all []Series
	for _, r := range answer.Results {
		if r.Error != "" {
			return nil, fmt.Errorf("e2e: InfluxDB: query %q: %w", influxql, errors.New(r.Error))
		}
		all = append(all, r.Series...)
	}
	return all, nil
}
