package cadvisor

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// criServer answers as a runtime does that has one pod with one container, until it is told to fail.
type criServer struct {
	cri.UnimplementedRuntimeServiceServer
	asked   int
	failing bool
}

// Version implements the runtime interface.
func (s *criServer) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{RuntimeName: "containerd"}, nil
}

// ListPodSandbox implements the runtime interface.
func (s *criServer) ListPodSandbox(context.Context, *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	s.asked++
	if s.failing {
		return nil, status.Error(codes.Unavailable, "the runtime restarts")
	}
	return &cri.ListPodSandboxResponse{Items: []*cri.PodSandbox{{
		Id: sandboxID, CreatedAt: 1e18, Metadata: &cri.PodSandboxMetadata{Name: "web-1", Namespace: "shop", Uid: uid},
	}}}, nil
}

// ListContainers implements the runtime interface.
func (s *criServer) ListContainers(context.Context, *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	return &cri.ListContainersResponse{Containers: []*cri.Container{{
		Id: id, PodSandboxId: sandboxID, CreatedAt: 2e18, Image: &cri.ImageSpec{Image: "sha256:" + id, UserSpecifiedImage: "nginx:1.27"},
		Labels: map[string]string{labelPodName: "web-1", labelPodNamespace: "shop", labelPodUID: uid, labelContainerName: "nginx"},
	}}}, nil
}

// ListContainerStats implements the runtime interface.
func (s *criServer) ListContainerStats(context.Context, *cri.ListContainerStatsRequest) (*cri.ListContainerStatsResponse, error) {
	return &cri.ListContainerStatsResponse{Stats: []*cri.ContainerStats{
		{Attributes: &cri.ContainerAttributes{Id: id}, WritableLayer: &cri.FilesystemUsage{
			UsedBytes: &cri.UInt64Value{Value: 4096}, FsId: &cri.FilesystemIdentifier{Mountpoint: "/var/lib/containerd"},
		}},
		{Attributes: &cri.ContainerAttributes{Id: sandboxID}}, // a runtime that does not know yet
	}}, nil
}

const sandboxID = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

func serveCRI(t *testing.T, s *criServer) runtimeAPI {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cri.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, s)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	client, err := newCRI("unix://"+socket, socket)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.close()) })
	return client
}

func TestCRI(t *testing.T) {
	client := serveCRI(t, &criServer{})
	inv, err := client.list(t.Context())
	require.NoError(t, err)
	require.Equal(t, inventory{
		containers: map[string]identity{
			sandboxID: {podUID: uid, podName: "web-1", namespace: "shop", sandbox: true, created: time.Unix(0, 1e18)},
			id:        {podUID: uid, podName: "web-1", namespace: "shop", container: "nginx", image: "nginx", imageTag: "1.27", runtime: "containerd", created: time.Unix(0, 2e18)},
		},
		pods: map[string]identity{uid: {podUID: uid, podName: "web-1", namespace: "shop", sandbox: true, created: time.Unix(0, 1e18)}},
	}, inv)
	sizes, err := client.layers(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]layer{id: {mountpoint: "/var/lib/containerd", bytes: 4096}}, sizes)
}

// TestNamesOutlastTheirRuntime: what is known of a container stays known while its runtime restarts, and the runtime is
// asked neither at each collection nor again and again for a container that it does not know.
func TestNamesOutlastTheirRuntime(t *testing.T) {
	server := &criServer{}
	core, logs := observer.New(zapcore.InfoLevel)
	n := newNames([]runtimeAPI{patient{serveCRI(t, server)}}, time.Minute, zap.New(core))
	pod := "/kubepods/pod" + uid
	stranger := "/docker/" + "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	places := []place{classify(pod), classify(pod + "/" + id), classify(pod + "/" + sandboxID), classify(stranger)}
	now := time.Unix(1000, 0)
	check := func(asked int) {
		t.Helper()
		n.update(t.Context(), places, now)
		assert.Equal(t, asked, server.asked, "times asked")
		assert.Equal(t, "web-1", n.of(places[0]).podName)
		assert.Equal(t, "nginx", n.of(places[1]).container)
		assert.True(t, n.of(places[2]).sandbox)
		assert.Equal(t, identity{runtime: "docker"}, n.of(places[3]))
	}
	check(1)
	check(1)
	now = now.Add(time.Minute)
	check(2)
	server.failing = true
	now = now.Add(time.Minute)
	check(3)
	now = now.Add(time.Minute)
	check(4)
	server.failing = false
	now = now.Add(time.Minute)
	check(5)
	var said []string
	for _, entry := range logs.All() {
		said = append(said, entry.Message)
	}
	require.Equal(t, []string{
		"container runtime does not answer: containers and pods that it alone knows are without their names, their figures are read all the same",
		"container runtime answers again",
	}, said, "once each")
}

// patient has a runtime take as long as it takes, on a machine that may stand still meanwhile.
type patient struct{ runtimeAPI }

func (p patient) list(ctx context.Context) (inventory, error) {
	return p.runtimeAPI.list(context.WithoutCancel(ctx))
}

// TestHangingRuntime: a runtime that does not answer delays a collection by its timeout, and no more.
func TestHangingRuntime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNames([]runtimeAPI{hanging{}}, time.Minute, zap.NewNop())
		begin := time.Now()
		n.update(t.Context(), []place{classify("/docker/" + id)}, begin)
		require.Equal(t, runtimeTimeout, time.Since(begin))
		require.Equal(t, identity{runtime: "docker"}, n.of(classify("/docker/"+id)))
	})
}

type hanging struct{}

func (hanging) endpoint() string { return "unix:///hanging" }

func (hanging) list(ctx context.Context) (inventory, error) {
	<-ctx.Done()
	return inventory{}, ctx.Err()
}

func (hanging) layers(ctx context.Context) (map[string]layer, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) close() error { return nil }

func TestDocker(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/containers/json", r.URL.Path)
		assert.NoError(t, json.NewEncoder(w).Encode([]map[string]any{{"Id": id, "Names": []string{"/web"}, "Image": "nginx:1.27", "Created": 1000, "Labels": map[string]string{"a": "b"}}}))
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	r := newDocker("docker://"+socket, socket)
	t.Cleanup(func() { require.NoError(t, r.close()) })
	inv, err := r.list(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]identity{id: {container: "web", image: "nginx", imageTag: "1.27", runtime: "docker", created: time.Unix(1000, 0)}}, inv.containers)
}
