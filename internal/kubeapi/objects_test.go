package kubeapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

func TestPodUID(t *testing.T) {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "api"}}
	require.Equal(t, "api", kubeapi.PodUID(p))
	p.Annotations = map[string]string{kubeapi.MirrorUID: "static"}
	require.Equal(t, "static", kubeapi.PodUID(p))
}

func TestOwnerAttributes(t *testing.T) {
	f := func(kind, name, hash string, want ...kubeapi.Attribute) {
		t.Helper()
		require.Equal(t, want, kubeapi.OwnerAttributes(kind, name, hash))
	}
	type a = kubeapi.Attribute
	f("ReplicaSet", "web-5d", "5d", a{"k8s.replicaset.name", "web-5d"}, a{"k8s.deployment.name", "web"})
	f("ReplicaSet", "web", "", a{"k8s.replicaset.name", "web"})
	f("ReplicaSet", "web-5d", "6e", a{"k8s.replicaset.name", "web-5d"})
	f("StatefulSet", "db", "", a{"k8s.statefulset.name", "db"})
	f("DaemonSet", "agent", "", a{"k8s.daemonset.name", "agent"})
	f("ReplicationController", "old", "", a{"k8s.replicationcontroller.name", "old"})
	f("Job", "nightly-29384756", "", a{"k8s.job.name", "nightly-29384756"}, a{"k8s.cronjob.name", "nightly"})
	f("Job", "once-12", "", a{"k8s.job.name", "once-12"})
	f("Node", "n", "")
}

func TestContainerID(t *testing.T) {
	require.Equal(t, "1234", kubeapi.ContainerID("containerd://1234"))
	require.Equal(t, "1234", kubeapi.ContainerID("1234"))
	require.Empty(t, kubeapi.ContainerID(""))
}

func TestSplitImage(t *testing.T) {
	f := func(ref, name, tag string) {
		t.Helper()
		gotName, gotTag := kubeapi.SplitImage(ref)
		require.Equal(t, [2]string{name, tag}, [2]string{gotName, gotTag})
	}
	f("nginx:1", "nginx", "1")
	f("nginx", "nginx", "")
	f("localhost:5000/nginx", "localhost:5000/nginx", "")
	f("localhost:5000/nginx:1", "localhost:5000/nginx", "1")
	f("nginx:1@sha256:abc", "nginx", "1")
	f("nginx@sha256:abc", "nginx", "")
	f("", "", "")
}

func TestRepoDigest(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		require.Equal(t, want, kubeapi.RepoDigest(id))
	}
	f("docker-pullable://reg:5000/web@sha256:12", "reg:5000/web@sha256:12")
	f("registry.example.com/web@sha256:12", "registry.example.com/web@sha256:12")
	f("sha256:12", "")
	f("docker://sha256:12", "")
	f("@sha256:12", "")
	f("web@12", "")
	f("", "")
}

func TestMatches(t *testing.T) {
	f := func(pattern, name string, want bool) {
		t.Helper()
		require.Equal(t, want, kubeapi.Matches([]string{"none", pattern}, name), "%s on %s", pattern, name)
		require.Equal(t, want, kubeapi.Fits(pattern, name))
	}
	f("", "", true)
	f("", "a", false)
	f("*", "", true)
	f("*", "a/b", true)
	f("a*", "abc", true)
	f("a*", "ba", false)
	f("*c", "abc", true)
	f("a*c", "abc", true)
	f("a*c", "abcd", false)
	f("a*b*c", "a-b-b-c", true)
	f("a*b*c", "a-c", false)
	f("ab*bc", "abc", false)
	f("abc", "abc", true)
	f("**", "x", true)
	f("*/name", "app.kubernetes.io/name", true)
}
