package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What nearly every line calls is inlined, as guest.pgo has it: a call costs a guest some 40 ns. Where this fails after a
// change, `go run github.com/obsd-io/obsd/sdk/pgo -bench Native` in this folder writes the profile anew.
func TestProfile(t *testing.T) {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-buildmode=c-shared", "-pgo=guest.pgo", "-gcflags=-m", "-o", os.DevNull, ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, call := range []string{
		"(*day).read", "clock", "(*line).target", "(*line).plainRest", "(*line).write", "sdk.Text.Find", "sdk.Text.FindEither", "sdk.Text.Uint",
	} {
		if !strings.Contains(string(output), ": inlining call to "+call+"\n") {
			t.Errorf("no call of %s is inlined any more", call)
		}
	}
}
