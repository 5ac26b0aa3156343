package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/porttest"
)

// testOTLP sends logs over gRPC and metrics over HTTP with the official SDK, as an application would.
func testOTLP(t *testing.T, s *suite) {
	obsd, at := s.startOTLP(t, s.elasticsearch.URL, "logs-otlp-default")
	require.NoError(t, s.prometheus.AddTarget(at.scrape, map[string]string{"via": "scrape"}))

	sendLogs(t, at.grpc, "shop", 10)
	docs := s.waitForDocuments(t, "logs-otlp-default", 10)
	require.Len(t, docs, 10)
	for _, doc := range docs {
		requireField(t, doc, "service.name", "shop")
		requireField(t, doc, "order.kind", "book")
		requireField(t, doc, "order.price", 7.5)
		requireField(t, doc, "order.lines", 3.0)
	}

	sendMetrics(t, at.http, "shop")
	for _, way := range []string{`job="shop"`, `via="scrape"`} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			sold, err := s.prometheus.Query(t.Context(), `shop_books_sold_total{kind="book",`+way+`}`)
			require.NoError(c, err)
			require.Len(c, sold, 1, way)
			require.InDelta(c, 5, sold[0].Value, 0)
			median, err := s.prometheus.Query(t.Context(), `histogram_quantile(0.5, shop_wait_seconds_bucket{`+way+`})`)
			require.NoError(c, err)
			require.Len(c, median, 1, way)
			require.InDelta(c, 2.5, median[0].Value, 0.01, "the middle of the first bucket, 0 to 5 s")
		}, patience, pollEvery)
	}
	require.NoError(t, obsd.Stop(patience))
}

// addresses are where an obsd started by startOTLP listens.
type addresses struct{ grpc, http, scrape string }

// startOTLP starts an obsd that takes OTLP and writes its logs to the index of the server.
func (s *suite) startOTLP(t *testing.T, elasticsearch, index string) (*daemon.Daemon, addresses) {
	t.Helper()
	var at addresses
	for _, addr := range []*string{&at.grpc, &at.http, &at.scrape} {
		var err error
		*addr, err = porttest.Reserve()
		require.NoError(t, err)
	}
	return s.start(t, "otlp.yaml", t.TempDir(), env{
		"GRPC": at.grpc, "HTTP": at.http, "SCRAPE": at.scrape, "INDEX": index, "ELASTICSEARCH": elasticsearch,
	}), at
}

// sendLogs sends n records and returns when obsd has taken them all.
func sendLogs(t *testing.T, endpoint, service string, n int) {
	t.Helper()
	exporter, err := otlploggrpc.New(t.Context(), otlploggrpc.WithEndpoint(endpoint), otlploggrpc.WithInsecure(), otlploggrpc.WithTimeout(patience))
	require.NoError(t, err)
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter, sdklog.WithExportTimeout(patience))),
	)
	logger := provider.Logger("e2e")
	for i := range n {
		var record log.Record
		record.SetSeverity(log.SeverityWarn)
		record.SetBody(attribute.StringValue(fmt.Sprintf("order seq=%07d", i)))
		record.AddAttributes(attribute.String("order.kind", "book"), attribute.Float64("order.price", 7.5), attribute.Int("order.lines", 3))
		logger.Emit(t.Context(), record)
	}
	require.NoError(t, provider.Shutdown(t.Context()))
}

// sendMetrics sends a counter and a histogram.
func sendMetrics(t *testing.T, endpoint, service string) {
	t.Helper()
	exporter, err := otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpoint(endpoint), otlpmetrichttp.WithInsecure(), otlpmetrichttp.WithTimeout(patience))
	require.NoError(t, err)
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithTimeout(patience))),
	)
	meter := provider.Meter("e2e")
	sold, err := meter.Int64Counter("shop.books.sold")
	require.NoError(t, err)
	wait, err := meter.Float64Histogram("shop.wait", metric.WithUnit("s"))
	require.NoError(t, err)
	sold.Add(t.Context(), 5, metric.WithAttributes(attribute.String("kind", "book")))
	wait.Record(t.Context(), 0.3)
	require.NoError(t, provider.Shutdown(t.Context()))
}
