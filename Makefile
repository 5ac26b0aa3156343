# All that is needed is Go and make. `make` lists the targets.

# One set of flags for everything, so that binary, tests and linter share one build cache. Of Prometheus's service
# discovery, kubernetes, dns, file and http are linked in; the others would make the binary half as large again.
export CGO_ENABLED = 0
export GOFLAGS = -trimpath -buildvcs=false -tags=remove_all_sd,enable_kubernetes_sd,enable_dns_sd

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS = -s -w -X main.version=$(VERSION)

# The real servers of the end-to-end tests: `run` builds or fetches them once, `skip` leaves those tests out.
E2E ?= run
TEST ?= ./...

CACHE = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/obsd
LINT_VERSION = 2.15.0
LINT = $(CACHE)/golangci-lint-$(LINT_VERSION)/golangci-lint

PLUGINS = $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
MODULES = $(PLUGINS:%=plugins/builtin/wasm/%.wasm)
EXAMPLES = $(wildcard sdk/c/examples/* sdk/rust/examples/*)

.DEFAULT_GOAL = help
.PHONY: help build plugins image chart run demo test race lint fmt bench bench-peers clean
.SECONDEXPANSION:
.DELETE_ON_ERROR:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(MODULES) ## Build bin/obsd, with the bundled plugins inside
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o bin/obsd ./cmd/obsd

plugins: $(MODULES) ## Build the bundled plugins, and the examples in C and Rust into bin/plugins where their compilers are
	@go run ./internal/guest/cmd/examples bin/plugins $(EXAMPLES)

plugins/builtin/wasm/%.wasm: $$(wildcard plugins/$$*/*.go plugins/$$*/guest.pgo sdk/*.go sdk/*/*.go runtime/abi/*.go runtime/condition/*.go) go.mod
	@mkdir -p $(@D)
	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -pgo=$(or $(wildcard plugins/$*/guest.pgo),off) -o $@ ./plugins/$*

image: build ## Write the container image to bin/obsd-image.tar, without a container runtime
	GOOS= GOARCH= go run ./internal/image/cmd/image -tag $(VERSION) -arch '$(GOARCH)'

chart: ## Write the Helm chart to bin, made from deploy/kubernetes
	@mkdir -p bin
	go run ./internal/chart/cmd/chart -version '$(if $(filter v%,$(VERSION)),$(VERSION:v%=%),0.0.0-$(VERSION))' -tag '$(VERSION)'

run: build ## Run the built-in configuration: this host's logs and metrics
	@exec ./bin/obsd

demo: build ## The same on a generated access log, 50 lines a second
	@exec ./bin/obsd demo

test: build ## Run all tests, with real servers (E2E=skip leaves those out; TEST=./receivers/... narrows)
	@if [ '$(E2E)' != skip ]; then echo 'preparing the real servers (the first time takes minutes; E2E=skip leaves them out)'; go run ./internal/e2e/cmd/prepare; fi
	E2E=$(E2E) OBSD_BIN=$(CURDIR)/bin/obsd go test -p 2 -timeout 20m $(TEST)

race: $(MODULES) ## Run the tests under the race detector, without real servers; needs a C compiler (TEST=./receivers/... narrows)
	CGO_ENABLED=1 E2E=skip go test -race -vet=off -p 2 -timeout 40m $(TEST)

lint: $(MODULES) $(LINT) ## Check formatting, style and layering
	$(LINT) run ./...
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo "not formatted, run make fmt:" $$bad; exit 1; } # files of other systems too, which the linter does not read

fmt: $(LINT) ## Format the code
	$(LINT) fmt

# The linter is built from its module with the compiler that the code is built with: a released binary may know less.
$(LINT):
	@echo 'building golangci-lint $(LINT_VERSION), once'
	@mkdir -p $(@D)
	GOFLAGS=-trimpath GOBIN=$(@D) go install -ldflags '-s -w' github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION)

bench: $(MODULES) ## Run the benchmarks of the hot paths
	go test -run '^$$' -bench . -benchmem $(TEST)

bench-peers: build ## Measure obsd beside the Collector on the same lines
	OBSD_BIN=$(CURDIR)/bin/obsd go run ./bench/cmd/peers

clean: ## Remove what was built here; the cache folder stays
	rm -rf bin $(MODULES)
