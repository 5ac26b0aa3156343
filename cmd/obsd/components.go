package main

import (
	"errors"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/pprofextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/fluentforwardreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/httpprovider"
	"go.opentelemetry.io/collector/confmap/provider/httpsprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/connector/forwardconnector"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/nopexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension/zpagesextension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/obsd-io/obsd/exporters/elasticsearch"
	"github.com/obsd-io/obsd/exporters/influxdb"
	"github.com/obsd-io/obsd/exporters/prometheus"
	"github.com/obsd-io/obsd/extensions/k8sleaderelector"
	"github.com/obsd-io/obsd/extensions/k8spods"
	"github.com/obsd-io/obsd/extensions/model"
	"github.com/obsd-io/obsd/processors/k8saggregate"
	"github.com/obsd-io/obsd/processors/k8smetadata"
	"github.com/obsd-io/obsd/receivers/cadvisor"
	"github.com/obsd-io/obsd/receivers/filelog"
	"github.com/obsd-io/obsd/receivers/hostmetrics"
	"github.com/obsd-io/obsd/receivers/k8scluster"
	"github.com/obsd-io/obsd/receivers/k8sevents"
	"github.com/obsd-io/obsd/receivers/kubelet"
	"github.com/obsd-io/obsd/receivers/probe"
	"github.com/obsd-io/obsd/runtime/wasmconnector"
	"github.com/obsd-io/obsd/runtime/wasmpages"
	"github.com/obsd-io/obsd/runtime/wasmprocessor"
)

// components is the one list of what is linked into obsd. A new component is one line here.
func components() (otelcol.Factories, error) {
	var f otelcol.Factories
	var errs [5]error
	f.Receivers, f.ReceiverModules, errs[0] = link(
		cadvisor.NewFactory,
		filelog.NewFactory,
		fluentforwardreceiver.NewFactory,
		hostmetrics.NewFactory,
		k8scluster.NewFactory,
		k8sevents.NewFactory,
		kubelet.NewFactory,
		otlpreceiver.NewFactory,
		probe.NewFactory,
		prometheusreceiver.NewFactory,
	)
	f.Processors, f.ProcessorModules, errs[1] = link(
		batchprocessor.NewFactory,
		k8saggregate.NewFactory,
		k8smetadata.NewFactory,
		memorylimiterprocessor.NewFactory,
		resourceprocessor.NewFactory,
		wasmprocessor.NewFactory,
	)
	f.Exporters, f.ExporterModules, errs[2] = link(
		debugexporter.NewFactory,
		elasticsearch.NewFactory,
		fileexporter.NewFactory,
		influxdb.NewFactory,
		nopexporter.NewFactory,
		otlpexporter.NewFactory,
		otlphttpexporter.NewFactory,
		prometheus.NewFactory,
		prometheusremotewriteexporter.NewFactory,
	)
	f.Connectors, f.ConnectorModules, errs[3] = link(
		forwardconnector.NewFactory,
		wasmconnector.NewFactory,
	)
	f.Extensions, f.ExtensionModules, errs[4] = link(
		bearertokenauthextension.NewFactory,
		filestorage.NewFactory,
		healthcheckextension.NewFactory,
		k8sleaderelector.NewFactory,
		k8spods.NewFactory,
		model.NewFactory,
		pprofextension.NewFactory,
		wasmpages.NewFactory,
		zpagesextension.NewFactory,
	)
	f.Telemetry = otelconftelemetry.NewFactory()
	return f, errors.Join(errs[:]...)
}

// providerList is where a configuration, and what `${scheme:value}` in it stands for, may come from.
func providerList() []func() confmap.ProviderFactory {
	return []func() confmap.ProviderFactory{
		envprovider.NewFactory,
		fileprovider.NewFactory,
		httpprovider.NewFactory,
		httpsprovider.NewFactory,
		yamlprovider.NewFactory,
	}
}
