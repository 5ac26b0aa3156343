package k8scluster

import (
	v1 "k8s.io/api/core/v1"
)

// truth is the value of a condition's status.
func truth(s v1.ConditionStatus) float64 {
	switch s {
	case v1.ConditionTrue:
		return 1
	case v1.ConditionFalse:
		return 0
	}
	return -1
}

func (c *catalog) node(o *v1.Node) []*entity {
	b := c.entity(nil,
		attr{attrNode, o.Name}, attr{attrNodeUID, string(o.UID)}, attr{attrKubeletVersion, o.Status.NodeInfo.KubeletVersion})
	for _, condition := range o.Status.Conditions {
		b.label(nodeCondition, string(condition.Type), truth(condition.Status))
	}
	for name, s := range c.conditions {
		b.put(s, truth(conditionOf(o, name)))
	}
	for name, q := range o.Status.Allocatable {
		s, ok := c.allocatable[string(name)]
		switch {
		case ok && c.metrics[s].float:
			b.put(s, float64(q.MilliValue())/1000)
		case ok:
			b.put(s, float64(q.Value()))
		}
	}
	return one(b)
}

// conditionOf is unknown where the node does not tell it.
func conditionOf(o *v1.Node, name string) v1.ConditionStatus {
	for _, condition := range o.Status.Conditions {
		if string(condition.Type) == name {
			return condition.Status
		}
	}
	return v1.ConditionUnknown
}

func (c *catalog) namespace(o *v1.Namespace) []*entity {
	b := c.entity(nil, attr{attrNamespace, o.Name}, attr{attrNamespaceUID, string(o.UID)})
	switch o.Status.Phase {
	case v1.NamespaceActive:
		b.put(namespacePhase, 1)
	case v1.NamespaceTerminating:
		b.put(namespacePhase, 0)
	default:
		b.put(namespacePhase, -1)
	}
	return one(b)
}
