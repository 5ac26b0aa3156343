package podtable_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/obsd-io/obsd/internal/podtable"
)

var start = time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC)

// pod is one with a container that runs as its uid and "-0".
func pod(uid, name, ip string) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(uid), CreationTimestamp: metav1.NewTime(start),
			Labels: map[string]string{"app": "cart", "tier": "front"},
		},
		Spec: v1.PodSpec{NodeName: "n1", Containers: []v1.Container{{Name: "main", Image: "reg:5000/cart:1.2@sha256:00"}}},
		Status: v1.PodStatus{
			Phase: v1.PodRunning, PodIP: ip, PodIPs: []v1.PodIP{{IP: ip}}, HostIP: "10.0.0.1", StartTime: &metav1.Time{Time: start.Add(time.Second)},
			ContainerStatuses: []v1.ContainerStatus{{Name: "main", ContainerID: "containerd://" + uid + "-0"}},
		},
	}
}

func newTable() *podtable.Table {
	return podtable.New(&podtable.Keep{Labels: []string{"app"}}, time.Minute, 1, 0)
}

func address(text string) netip.Addr { return netip.MustParseAddr(text) }

// values writes all fields of a pod that are there.
func values(table *podtable.Table, p *podtable.Pod, c *podtable.Container) string {
	var out []string
	for i, name := range podtable.FieldNames() {
		if text := table.Value(p, podtable.Field(i), c); text != "" {
			out = append(out, strings.TrimPrefix(name, "k8s.")+"="+text)
		}
	}
	for _, l := range p.Labels() {
		out = append(out, l.Name()+"="+l.Value())
	}
	return strings.Join(out, " ")
}

func TestPod(t *testing.T) {
	table := newTable()
	p := pod("u1", "cart-5d8-x", "10.1.0.1")
	table.Put(p)
	got := table.ByUID("u1")
	want := "namespace.name=shop pod.name=cart-5d8-x pod.uid=u1 pod.ip=10.1.0.1 pod.start_time=2026-11-26T04:00:01Z node.name=n1"
	require.Equal(t, want+" k8s.pod.label.app=cart", values(table, got, nil))
	require.Equal(t, want+" container.name=main container.id=u1-0 container.image.name=reg:5000/cart container.image.tag=1.2 k8s.pod.label.app=cart",
		values(table, got, got.OnlyContainer()))
	for _, same := range []*podtable.Pod{table.ByName("shop", "cart-5d8-x"), table.ByIP(address("10.1.0.1")), table.ByContainer("u1-0")} {
		require.Same(t, got, same)
	}
	for _, no := range []*podtable.Pod{
		table.ByUID(""), table.ByUID("u2"), table.ByName("shop", "cart"), table.ByName("", "cart-5d8-x"), table.ByIP(address("10.1.0.2")),
		table.ByIP(netip.Addr{}), table.ByContainer(""), table.ByContainer("u1-1"),
	} {
		require.Nil(t, no)
	}

	p.Labels["app"] = "basket"
	table.Put(p)
	require.Equal(t, "basket", table.ByUID("u1").Labels()[0].Value(), "a change of labels is seen")
	require.Equal(t, "cart", got.Labels()[0].Value(), "what was handed out does not change")
}

func TestOwner(t *testing.T) {
	f := func(kind, name, hash, want string) {
		t.Helper()
		table := newTable()
		p := pod("u1", "p", "")
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, UID: "o1", Controller: &yes}}
		p.Labels["pod-template-hash"] = hash
		table.Put(p)
		text := values(table, table.ByUID("u1"), nil)
		text, _, _ = strings.Cut(text[strings.Index(text, "node.name=n1")+len("node.name=n1"):], "k8s.pod.label")
		require.Equal(t, want, strings.TrimSpace(text))
	}
	f("ReplicaSet", "cart-5d8", "5d8", "deployment.name=cart replicaset.name=cart-5d8 replicaset.uid=o1")
	f("ReplicaSet", "cart-5d8", "", "replicaset.name=cart-5d8 replicaset.uid=o1")
	f("ReplicaSet", "mine", "5d8", "replicaset.name=mine replicaset.uid=o1")
	f("StatefulSet", "db", "", "statefulset.name=db statefulset.uid=o1")
	f("DaemonSet", "agent", "", "daemonset.name=agent daemonset.uid=o1")
	f("ReplicationController", "old", "", "replicationcontroller.name=old replicationcontroller.uid=o1")
	f("Job", "backup-29401230", "", "job.name=backup-29401230 job.uid=o1 cronjob.name=backup")
	f("Job", "import-2026", "", "job.name=import-2026 job.uid=o1")
	f("Job", "29401230", "", "job.name=29401230 job.uid=o1")
	f("Node", "n1", "", "")
}

// TestDeleted keeps a pod for a minute, but not its address.
func TestDeleted(t *testing.T) {
	table := newTable()
	p := pod("u1", "a", "10.1.0.1")
	table.Put(p)
	table.Gone(p, start)
	table.Gone(p, start.Add(time.Second)) // as after a list that told of it before
	table.Expire(start.Add(59 * time.Second))
	require.NotNil(t, table.ByUID("u1"))
	require.NotNil(t, table.ByName("shop", "a"))
	require.NotNil(t, table.ByContainer("u1-0"))
	require.Nil(t, table.ByIP(address("10.1.0.1")))
	live, dead, _ := table.Counts()
	require.Equal(t, [2]int{0, 1}, [2]int{live, dead})

	table.Expire(start.Add(61 * time.Second))
	require.Nil(t, table.ByUID("u1"))
	require.Nil(t, table.ByName("shop", "a"))
	require.Nil(t, table.ByContainer("u1-0"))
	live, dead, early := table.Counts()
	require.Equal(t, [3]int{0, 0, 0}, [3]int{live, dead, int(early)})

	never := pod("u2", "b", "10.1.0.2")
	table.Gone(never, start)
	require.NotNil(t, table.ByContainer("u2-0"), "its last state is all that was told of it")
}

func TestDeletedAreBounded(t *testing.T) {
	table := newTable()
	for i := range 5010 {
		table.Gone(pod(fmt.Sprint("u", i), fmt.Sprint("p", i), ""), start)
	}
	live, dead, early := table.Counts()
	require.Equal(t, [3]int{0, 5000, 10}, [3]int{live, dead, int(early)})
	require.Nil(t, table.ByUID("u9"))
	require.NotNil(t, table.ByUID("u10"))
}

// TestList takes a list as all there is, of one namespace or of all.
func TestList(t *testing.T) {
	table := newTable()
	other := pod("u3", "c", "10.1.0.3")
	other.Namespace = "bank"
	a, b := pod("u1", "a", "10.1.0.1"), pod("u2", "b", "10.1.0.2")
	table.All("", []*v1.Pod{a, b, other}, start)
	table.All("shop", []*v1.Pod{b}, start)
	live, dead, _ := table.Counts()
	require.Equal(t, [2]int{2, 1}, [2]int{live, dead})
	require.Nil(t, table.ByIP(address("10.1.0.1")))
	require.NotNil(t, table.ByUID("u1"), "it is kept as one that was deleted")
	table.All("", nil, start)
	live, dead, _ = table.Counts()
	require.Equal(t, [2]int{0, 3}, [2]int{live, dead})
	table.All("", []*v1.Pod{a}, start)
	require.NotNil(t, table.ByIP(address("10.1.0.1")), "it was there all the time")
	live, dead, _ = table.Counts()
	require.Equal(t, [2]int{1, 2}, [2]int{live, dead})
	table.Expire(start.Add(time.Hour))
	require.NotNil(t, table.ByUID("u1"))
}

// TestAddressReused gives an address to the newer pod, whatever is heard of first.
func TestAddressReused(t *testing.T) {
	before, after := pod("u1", "a", "10.1.0.1"), pod("u2", "b", "10.1.0.1")
	after.CreationTimestamp = metav1.NewTime(start.Add(time.Second))
	for _, order := range [][]*v1.Pod{{before, after}, {after, before}} {
		table := newTable()
		for _, p := range order {
			table.Put(p)
		}
		require.Equal(t, "b", table.ByIP(address("10.1.0.1")).Name())
		table.Gone(before, start)
		require.Equal(t, "b", table.ByIP(address("10.1.0.1")).Name())
	}

	table := newTable()
	twin := pod("u3", "c", "10.1.0.1") // made in the same second
	table.Put(before)
	table.Put(twin)
	table.Gone(before, start)
	require.Equal(t, "c", table.ByIP(address("10.1.0.1")).Name())

	table = newTable()
	ended := pod("u4", "d", "10.1.0.4")
	table.Put(ended)
	ended.Status.Phase = v1.PodSucceeded
	table.Put(ended)
	require.Nil(t, table.ByIP(address("10.1.0.4")), "a pod that has ended has its address no more")
	require.NotNil(t, table.ByUID("u4"))
}

// TestSharedAddress never finds a pod by its node's address.
func TestSharedAddress(t *testing.T) {
	table := newTable()
	p := pod("u1", "a", "10.0.0.1")
	p.Spec.HostNetwork = true
	table.Put(p)
	table.Put(pod("u2", "b", "10.0.0.1")) // its host's, though it does not say so
	require.Nil(t, table.ByIP(address("10.0.0.1")))
	require.Equal(t, "10.0.0.1", table.Value(table.ByUID("u1"), podtable.PodIP, nil))
}

// TestSameName finds the pod that has the name, and after it the last one that had.
func TestSameName(t *testing.T) {
	table := newTable()
	first, second := pod("u1", "db-0", "10.1.0.1"), pod("u2", "db-0", "10.1.0.2")
	second.CreationTimestamp = metav1.NewTime(start.Add(time.Second))
	table.Put(first)
	table.Gone(first, start)
	require.True(t, table.ByName("shop", "db-0").HasUID("u1"))
	table.Put(second)
	require.True(t, table.ByName("shop", "db-0").HasUID("u2"))
	table.Expire(start.Add(time.Hour))
	require.True(t, table.ByName("shop", "db-0").HasUID("u2"))
	require.Nil(t, table.ByUID("u1"))
}

// TestStaticPod knows it by the kubelet's uid and by that of its picture in the API, which may be made anew.
func TestStaticPod(t *testing.T) {
	table := newTable()
	first := pod("api1", "etcd", "10.1.0.1")
	first.Annotations = map[string]string{"kubernetes.io/config.hash": "hash"}
	second := first.DeepCopy()
	second.UID = "api2"
	table.Put(first)
	require.Same(t, table.ByUID("hash"), table.ByUID("api1"))
	require.Equal(t, "hash", table.Value(table.ByUID("api1"), podtable.PodUID, nil))
	table.Put(second)
	table.Gone(first, start)
	require.NotNil(t, table.ByUID("hash"))
	require.NotNil(t, table.ByIP(address("10.1.0.1")), "it lives on")
	require.Nil(t, table.ByUID("api1"))
	require.NotNil(t, table.ByUID("api2"))
}

// TestRestarts learns new container ids and keeps some of the old ones.
func TestRestarts(t *testing.T) {
	table := newTable()
	p := pod("u1", "a", "")
	for i := range int32(40) {
		s := &p.Status.ContainerStatuses[0]
		s.LastTerminationState.Terminated = &v1.ContainerStateTerminated{ContainerID: fmt.Sprint("containerd://u1-", i*2-1)}
		s.ContainerID, s.RestartCount = fmt.Sprint("containerd://u1-", i*2), i*2 // every other restart is not seen as such
		table.Put(p)
	}
	got := table.ByContainer("u1-78")
	require.NotNil(t, got)
	for i := range 79 {
		id := fmt.Sprint("u1-", i)
		require.Equal(t, i >= 78-16, table.ByContainer(id) != nil, id)
		require.Equal(t, i >= 78-16, got.ContainerByID(id) != nil, id)
	}
	c, exact := got.ContainerNamed("main", 77)
	require.True(t, exact)
	require.Equal(t, "u1-77", table.Value(got, podtable.ContainerID, c))
	c, exact = got.ContainerNamed("main", 3)
	require.False(t, exact)
	require.Equal(t, "u1-78", table.Value(got, podtable.ContainerID, c), "the current one")
	c, _ = got.ContainerNamed("none", 3)
	require.Nil(t, c)
}

func TestAround(t *testing.T) {
	keep := &podtable.Keep{NamespaceLabels: []string{"team*"}, NodeLabels: []string{"zone"}}
	table := podtable.New(keep, time.Minute, 1, 2)
	namespace := func(team string) *v1.Namespace {
		return &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": team, "x": "y"}}}
	}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"zone": "a"}}}
	table.Put(pod("u1", "a", ""))
	team := func() string {
		text, ok := table.Lookup(podtable.KeyUID, "k8s.namespace.label.team", []byte("u1"))
		require.Equal(t, ok, text != "")
		return text
	}
	zone := func() string {
		text, _ := table.Lookup(podtable.KeyUID, "k8s.node.label.zone", []byte("u1"))
		return text
	}
	require.Empty(t, team())
	table.AllNamespaces([]*v1.Namespace{namespace("red")}, start)
	table.AllNodes([]*v1.Node{node}, start)
	require.Equal(t, "red", team())
	require.Equal(t, "a", zone())
	table.PutNamespace(namespace("blue"))
	require.Equal(t, "blue", team())
	table.NamespaceGone(namespace("blue"), start)
	table.AllNodes(nil, start)
	table.Expire(start.Add(59 * time.Second))
	require.Equal(t, "blue", team())
	require.Equal(t, "a", zone())
	table.PutNode(node)
	table.Expire(start.Add(61 * time.Second))
	require.Empty(t, team())
	require.Equal(t, "a", zone())
	table.NodeGone(node, start)
	table.Expire(start.Add(time.Hour))
	require.Empty(t, zone())
}

// TestMore checks what is kept only if it is asked for, and how long.
func TestMore(t *testing.T) {
	keep := &podtable.Keep{More: podtable.MoreFields()}
	table := podtable.New(keep, time.Minute, 1, 4)
	p := pod("u1", "cart-5d8-x", "")
	yes := true
	owned := func(kind, uid string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: kind, Name: uid, UID: types.UID(uid), Controller: &yes}}
	}
	p.OwnerReferences = owned("ReplicaSet", "set1")
	p.Status.ContainerStatuses[0].ImageID = "docker-pullable://reg:5000/cart@sha256:12"
	table.Put(p)
	task := pod("u2", "task", "")
	task.OwnerReferences = owned("Job", "job1")
	table.Put(task)
	f := func(uid, column, want string) {
		t.Helper()
		text, _ := table.Lookup(podtable.KeyUID, column, []byte(uid))
		require.Equal(t, want, text)
	}
	for _, column := range []string{"k8s.node.uid", "k8s.cluster.uid", "k8s.deployment.uid"} {
		f("u1", column, "")
	}
	set := func(namespace string) metav1.Object {
		return &metav1.ObjectMeta{Namespace: namespace, UID: types.UID("set1"), OwnerReferences: owned("Deployment", "deployment1")}
	}
	table.AllNodes([]*v1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "node1"}}}, start)
	table.SetCluster("system1")
	table.ReplicaSets().All("", []metav1.Object{set("shop")}, start)
	table.Jobs().Put(&metav1.ObjectMeta{Namespace: "shop", UID: "job1", OwnerReferences: owned("CronJob", "cron1")})
	f("u1", "k8s.node.uid", "node1")
	f("u1", "k8s.cluster.uid", "system1")
	f("u1", "k8s.deployment.uid", "deployment1")
	f("u1", "k8s.cronjob.uid", "")
	f("u1", "container.image.repo_digests", "reg:5000/cart@sha256:12")
	f("u2", "k8s.cronjob.uid", "cron1")
	f("u2", "k8s.deployment.uid", "")

	table.ReplicaSets().All("bank", nil, start) // of another namespace
	table.Expire(start.Add(time.Hour))
	f("u1", "k8s.deployment.uid", "deployment1")
	table.ReplicaSets().Gone(set("shop"), start)
	table.Expire(start.Add(59 * time.Second))
	f("u1", "k8s.deployment.uid", "deployment1")
	table.Expire(start.Add(time.Minute))
	f("u1", "k8s.deployment.uid", "")

	require.True(t, table.Column("k8s.deployment.uid"))
	require.False(t, newTable().Column("k8s.deployment.uid"))
	without := newTable()
	without.Put(p)
	text, ok := without.Lookup(podtable.KeyUID, "container.image.repo_digests", []byte("u1"))
	require.False(t, ok, text)
}

func TestLookup(t *testing.T) {
	table := newTable()
	p := pod("u1", "a", "10.1.0.1")
	p.Status.PodIPs = append(p.Status.PodIPs, v1.PodIP{IP: "fd00::1"})
	table.Put(p)
	f := func(by, key, column, want string) {
		t.Helper()
		text, ok := table.Lookup(by, column, []byte(key))
		require.Equal(t, want, text)
		require.Equal(t, want != "", ok)
	}
	f(podtable.KeyUID, "u1", "k8s.pod.name", "a")
	f(podtable.KeyUID, "u2", "k8s.pod.name", "")
	f(podtable.KeyUID, "u1", "k8s.deployment.name", "")
	f(podtable.KeyUID, "u1", "k8s.pod.label.app", "cart")
	f(podtable.KeyUID, "u1", "k8s.pod.label.tier", "")
	f(podtable.KeyUID, "u1", "container.id", "u1-0")
	f(podtable.KeyIP, "10.1.0.1", "k8s.pod.name", "a")
	f(podtable.KeyIP, "::ffff:10.1.0.1", "k8s.pod.name", "a")
	f(podtable.KeyIP, "fd00:0::1", "k8s.pod.name", "a")
	f(podtable.KeyIP, "10.1", "k8s.pod.name", "")
	f(podtable.KeyContainer, "containerd://u1-0", "container.image.tag", "1.2")
	f(podtable.KeyName, "shop/a", "k8s.node.name", "n1")
	f(podtable.KeyName, "a", "k8s.node.name", "")
	f("pod", "u1", "k8s.node.name", "")
	for name, want := range map[string]bool{
		"k8s.pod.name": true, "container.id": true, "k8s.pod.label.app": true, "k8s.pod.label.tier": false, "k8s.pod.label.": false,
		"k8s.node.label.app": false, "name": false, "": false,
	} {
		require.Equal(t, want, table.Column(name), name)
	}
	column, key := "k8s.pod.label.app", []byte("containerd://u1-0")
	require.Zero(t, testing.AllocsPerRun(100, func() { table.Lookup(podtable.KeyContainer, column, key) }))
}

// TestListed tells when lists are in, and of changes.
func TestListed(t *testing.T) {
	table := podtable.New(&podtable.Keep{}, time.Minute, 2, 1)
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	state := func() [2]bool { return [2]bool{closed(table.PodsListed()), closed(table.Ready())} }
	table.Listed(true)
	require.Equal(t, [2]bool{false, false}, state())
	table.Listed(true)
	require.Equal(t, [2]bool{true, false}, state())
	table.Listed(false)
	require.Equal(t, [2]bool{true, true}, state())
	changed := table.Changed()
	require.Equal(t, changed, table.Changed())
	require.False(t, closed(changed))
	table.Put(pod("u1", "a", ""))
	require.True(t, closed(changed))
	require.False(t, closed(table.Changed()))
}
