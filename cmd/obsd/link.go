package main

import (
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
)

// link makes the factories of one kind, and tells for each the module that it comes from, for `obsd components`.
func link[F component.Factory](constructors ...func() F) (map[component.Type]F, map[component.Type]string, error) {
	factories := make([]F, len(constructors))
	modules := make(map[component.Type]string, len(constructors))
	for i, construct := range constructors {
		factories[i] = construct()
		modules[factories[i].Type()] = module(packageOf(construct))
	}
	m, err := otelcol.MakeFactoryMap(factories...)
	return m, modules, err
}

// providers makes the factories of providerList.
func providers() []confmap.ProviderFactory {
	var factories []confmap.ProviderFactory
	for _, construct := range providerList() {
		factories = append(factories, construct())
	}
	return factories
}

// providerModules tells for each scheme the module that reads it.
func providerModules() map[string]string {
	modules := make(map[string]string)
	for _, construct := range providerList() {
		scheme := construct().Create(confmap.ProviderSettings{Logger: zap.NewNop()}).Scheme()
		modules[scheme] = module(packageOf(construct))
	}
	return modules
}

// packageOf is the import path of the package that a function is in.
func packageOf(function any) string {
	name := runtime.FuncForPC(reflect.ValueOf(function).Pointer()).Name()
	slash := strings.LastIndex(name, "/")
	dot := strings.Index(name[slash+1:], ".")
	return name[:slash+1+dot]
}

// module names the module of a package, with its version.
func module(pkg string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return pkg
	}
	if strings.HasPrefix(pkg, info.Main.Path+"/") {
		return pkg + " " + buildVersion()
	}
	best := ""
	found := pkg
	for _, dep := range info.Deps {
		if len(dep.Path) > len(best) && (pkg == dep.Path || strings.HasPrefix(pkg, dep.Path+"/")) {
			best, found = dep.Path, dep.Path+" "+dep.Version
		}
	}
	return found
}
