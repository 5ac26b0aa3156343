package cadvisor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// dockerRuntime asks a Docker engine for its list of containers, which all its releases answer.
type dockerRuntime struct {
	url    string
	client *http.Client
}

func newDocker(url, socket string) *dockerRuntime {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &dockerRuntime{url: url, client: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 1}}}
}

func (r *dockerRuntime) endpoint() string { return r.url }

func (r *dockerRuntime) close() error {
	r.client.CloseIdleConnections()
	return nil
}

// dockerContainer is what we read of an item of GET /containers/json.
type dockerContainer struct {
	ID      string `json:"Id"`
	Names   []string
	Image   string
	Created int64
	Labels  map[string]string
}

func (r *dockerRuntime) list(ctx context.Context) (inventory, error) {
	inv := inventory{containers: map[string]identity{}, pods: map[string]identity{}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/containers/json", nil)
	if err != nil {
		return inv, err
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return inv, fmt.Errorf("list containers: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return inv, fmt.Errorf("list containers: %s", answer.Status)
	}
	var items []dockerContainer
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxRuntimeAnswer)).Decode(&items); err != nil {
		return inv, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range items {
		who := fromLabels(c.Labels)
		who.runtime = "docker"
		who.sandbox = c.Labels["io.kubernetes.docker.type"] == "podsandbox"
		who.image, who.imageTag = splitImage(c.Image)
		if c.Created > 0 {
			who.created = time.Unix(c.Created, 0)
		}
		if who.container == "" && !who.sandbox && len(c.Names) > 0 {
			who.container = strings.TrimPrefix(c.Names[0], "/")
		}
		inv.containers[c.ID] = who
		if who.podUID != "" {
			inv.pods[who.podUID] = identity{podUID: who.podUID, podName: who.podName, namespace: who.namespace}
		}
	}
	return inv, nil
}

// layers would make the engine walk folders.
func (r *dockerRuntime) layers(context.Context) (map[string]layer, error) { return nil, nil }
