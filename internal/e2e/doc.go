// Package e2e tests the real obsd binary against real servers: Elasticsearch, InfluxDB and Prometheus. The tests are one
// test, TestEndToEnd, whose parts run in parallel and share the servers; README.md says how to run one of them.
package e2e
