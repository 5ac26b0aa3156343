package cadvisor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Labels that the kubelet gives to containers and sandboxes, whatever the runtime.
const (
	labelPodName       = "io.kubernetes.pod.name"
	labelPodNamespace  = "io.kubernetes.pod.namespace"
	labelPodUID        = "io.kubernetes.pod.uid"
	labelContainerName = "io.kubernetes.container.name"
)

// maxRuntimeAnswer is the most bytes that a runtime's answer may have: a container takes about 2 KB.
const maxRuntimeAnswer = 16 << 20

// criRuntime asks by the Kubernetes runtime interface, which containerd, CRI-O and cri-dockerd have. It needs to read
// neither their files nor their own interfaces, which differ from release to release.
type criRuntime struct {
	url  string
	conn *grpc.ClientConn
	api  cri.RuntimeServiceClient
	// images names images by their id, which is all that containerd before 2.0 tells of a container's.
	images cri.ImageServiceClient
	name   string // what it calls itself: containerd, cri-o
}

func newCRI(url, socket string) (*criRuntime, error) {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxRuntimeAnswer)))
	if err != nil {
		return nil, err
	}
	return &criRuntime{url: url, conn: conn, api: cri.NewRuntimeServiceClient(conn), images: cri.NewImageServiceClient(conn)}, nil
}

func (r *criRuntime) endpoint() string { return r.url }

func (r *criRuntime) close() error { return r.conn.Close() }

// list asks for what runs, so that the answer does not grow with what has ended.
func (r *criRuntime) list(ctx context.Context) (inventory, error) {
	inv := inventory{containers: map[string]identity{}, pods: map[string]identity{}}
	if r.name == "" {
		version, err := r.api.Version(ctx, &cri.VersionRequest{})
		if err != nil {
			return inv, fmt.Errorf("ask for its version: %w", err)
		}
		r.name = version.GetRuntimeName()
	}
	sandboxes, err := r.api.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{
		Filter: &cri.PodSandboxFilter{State: &cri.PodSandboxStateValue{State: cri.PodSandboxState_SANDBOX_READY}},
	})
	if err != nil {
		return inv, fmt.Errorf("list sandboxes: %w", err)
	}
	for _, s := range sandboxes.GetItems() {
		who := identity{
			podUID: s.GetMetadata().GetUid(), podName: s.GetMetadata().GetName(), namespace: s.GetMetadata().GetNamespace(),
			sandbox: true, created: nanoseconds(s.GetCreatedAt()),
		}
		inv.containers[s.GetId()] = who
		inv.pods[who.podUID] = who
	}
	containers, err := r.api.ListContainers(ctx, &cri.ListContainersRequest{
		Filter: &cri.ContainerFilter{State: &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}},
	})
	if err != nil {
		return inv, fmt.Errorf("list containers: %w", err)
	}
	var tags map[string]string
	for _, c := range containers.GetContainers() {
		who := fromLabels(c.GetLabels())
		who.created, who.runtime = nanoseconds(c.GetCreatedAt()), r.name
		if who.container == "" {
			who.container = c.GetMetadata().GetName()
		}
		ref := c.GetImage().GetUserSpecifiedImage()
		if ref == "" {
			ref = c.GetImage().GetImage()
		}
		if strings.HasPrefix(ref, "sha256:") && tags == nil {
			tags, err = r.tags(ctx)
		}
		if tag := tags[ref]; tag != "" {
			ref = tag
		}
		who.image, who.imageTag = splitImage(ref)
		inv.containers[c.GetId()] = who
	}
	return inv, err
}

// tags gives a name of each image by its id; it is never nil.
func (r *criRuntime) tags(ctx context.Context) (map[string]string, error) {
	tags := map[string]string{}
	answer, err := r.images.ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return tags, fmt.Errorf("list images: %w", err)
	}
	for _, image := range answer.GetImages() {
		if names := append(image.GetRepoTags(), image.GetRepoDigests()...); len(names) > 0 {
			tags[image.GetId()] = names[0]
		}
	}
	return tags, nil
}

// layers are the runtime's own figures, which it keeps: no folder is walked for them.
func (r *criRuntime) layers(ctx context.Context) (map[string]layer, error) {
	answer, err := r.api.ListContainerStats(ctx, &cri.ListContainerStatsRequest{})
	if err != nil {
		return nil, fmt.Errorf("list sizes: %w", err)
	}
	all := make(map[string]layer, len(answer.GetStats()))
	for _, s := range answer.GetStats() {
		w := s.GetWritableLayer()
		if w.GetUsedBytes() == nil {
			continue
		}
		all[s.GetAttributes().GetId()] = layer{
			mountpoint: w.GetFsId().GetMountpoint(), bytes: w.GetUsedBytes().GetValue(),
			inodes: w.GetInodesUsed().GetValue(), hasInodes: w.GetInodesUsed() != nil,
		}
	}
	return all, nil
}

func fromLabels(labels map[string]string) identity {
	return identity{
		podUID: labels[labelPodUID], podName: labels[labelPodName], namespace: labels[labelPodNamespace], container: labels[labelContainerName],
	}
}

func nanoseconds(n int64) time.Time {
	if n <= 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
