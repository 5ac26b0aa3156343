package cadvisor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	uid = "0a1b2c3d-1111-2222-3333-444455556666"
	id  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		name, path string
		want       place
	}{
		{"root", "/", place{kind: rootKind}},
		{"service", "/system.slice/ssh.service", place{}},
		{"QoS class", "/kubepods/burstable", place{}},
		{"pods of systemd", "/kubepods.slice/kubepods-besteffort.slice", place{}},
		{"pod", "/kubepods/burstable/pod" + uid, place{kind: podKind, uid: uid}},
		{"guaranteed pod", "/kubepods/pod" + uid, place{kind: podKind, uid: uid}},
		{"static pod", "/kubepods/besteffort/pod0123456789abcdef0123456789abcdef", place{kind: podKind, uid: "0123456789abcdef0123456789abcdef"}},
		{"pod of a nested kubelet", "/docker/" + id + "/kubelet/kubepods/pod" + uid, place{kind: podKind, uid: uid}},
		{"container", "/kubepods/burstable/pod" + uid + "/" + id, place{kind: containerKind, uid: uid, containerID: id}},
		{
			"systemd's pod", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice",
			place{kind: podKind, uid: uid},
		},
		{
			"containerd by systemd", "/kubepods.slice/kubepods-pod0a1b2c3d_1111_2222_3333_444455556666.slice/cri-containerd-" + id + ".scope",
			place{kind: containerKind, uid: uid, containerID: id, hint: "containerd"},
		},
		{
			"CRI-O by systemd", "/kubepods.slice/kubepods-pod0a1b2c3d_1111_2222_3333_444455556666.slice/crio-" + id + ".scope",
			place{kind: containerKind, uid: uid, containerID: id, hint: "cri-o"},
		},
		{"CRI-O's monitor", "/kubepods.slice/kubepods-pod0a1b2c3d_1111_2222_3333_444455556666.slice/crio-conmon-" + id + ".scope", place{kind: ignoredKind, uid: uid}},
		{"Docker", "/docker/" + id, place{kind: containerKind, containerID: id, hint: "docker"}},
		{"Docker by systemd", "/system.slice/docker-" + id + ".scope", place{kind: containerKind, containerID: id, hint: "docker"}},
		{"Podman", "/machine.slice/libpod-" + id + ".scope", place{kind: containerKind, containerID: id, hint: "podman"}},
		{"Podman's monitor", "/machine.slice/libpod-conmon-" + id + ".scope", place{kind: ignoredKind}},
		{"ctr", "/default/" + id, place{kind: containerKind, containerID: id}},
		{"mount", "/system.slice/var-lib-docker.mount", place{kind: ignoredKind}},
		{"transient scope", "/system.slice/run-r0123.scope", place{kind: ignoredKind}},
		{"no pod", "/podman/pods", place{}},
		{"no id", "/docker/" + strings.ToUpper(id), place{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.path = tt.path
			assert.Equal(t, tt.want, classify(tt.path))
		})
	}
}

func TestWithin(t *testing.T) {
	assert.True(t, within("/system.slice/a", []string{"/system.slice"}))
	assert.True(t, within("/system.slice", []string{"/system.slice/"}))
	assert.False(t, within("/system.slices/a", []string{"/system.slice"}))
	assert.True(t, within("/anything", []string{"/"}))
	assert.False(t, within("/anything", nil))
}

func TestSplitImage(t *testing.T) {
	for ref, want := range map[string][2]string{
		"nginx":                             {"nginx", ""},
		"nginx:1.27":                        {"nginx", "1.27"},
		"registry:5000/team/app":            {"registry:5000/team/app", ""},
		"registry:5000/team/app:v1":         {"registry:5000/team/app", "v1"},
		"registry/app:v1@sha256:0123456789": {"registry/app", "v1"},
		"sha256:" + id:                      {"", ""},
		"":                                  {"", ""},
	} {
		name, tag := splitImage(ref)
		assert.Equal(t, want, [2]string{name, tag}, ref)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("/kubepods/burstable/pod" + uid + "/" + id)
	f.Add("/kubepods.slice/kubepods-pod0a1b.slice/cri-containerd-" + id + ".scope")
	f.Add("")
	f.Fuzz(func(t *testing.T, path string) {
		p := classify(path)
		if p.kind == containerKind && len(p.containerID) != idLength {
			t.Errorf("container without an id: %q", path)
		}
		if p.kind == podKind && p.uid == "" {
			t.Errorf("pod without a UID: %q", path)
		}
	})
}
