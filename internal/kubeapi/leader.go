package kubeapi

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
)

// Elector is an extension that knows whether this process leads of all that hold the same Lease for theirs: ours, and the one
// of the Collector's contrib build.
type Elector interface {
	// SetCallBackFuncs has start called each time the process begins to lead, at once if it leads already, and stop when it
	// leads no more. The context given to start ends then too, or before. Neither may block.
	SetCallBackFuncs(start func(context.Context), stop func())
}

// FindElector finds the extension that the option k8s_leader_elector names.
func FindElector(id component.ID, extensions map[component.ID]component.Component) (Elector, error) {
	extension, ok := extensions[id]
	if !ok {
		return nil, fmt.Errorf("k8s_leader_elector: there is no extension %q: define it below extensions, and list it in service::extensions", id)
	}
	elector, ok := extension.(Elector)
	if !ok {
		return nil, fmt.Errorf("k8s_leader_elector: the extension %q elects no leader: name one of type k8s_leader_elector", id)
	}
	return elector, nil
}
