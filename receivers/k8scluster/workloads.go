package k8scluster

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workload starts the entity of a workload.
func (c *catalog) workload(kind string, o metav1.Object, more ...attr) builder {
	return c.entity(nil, append([]attr{
		{attrNamespace, o.GetNamespace()}, {nameOf(kind), o.GetName()}, {uidOf(kind), string(o.GetUID())},
	}, more...)...)
}

// one is all of an object that is one entity.
func one(b builder) []*entity { return []*entity{b.done()} }

// replicas is a number in a spec, with its default.
func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func (c *catalog) deployment(o *appsv1.Deployment) []*entity {
	b := c.workload(kindDeployment, o)
	b.whole(deploymentDesired, replicas(o.Spec.Replicas))
	b.whole(deploymentAvailable, o.Status.AvailableReplicas)
	b.whole(deploymentReady, o.Status.ReadyReplicas)
	b.whole(deploymentUpdated, o.Status.UpdatedReplicas)
	return one(b)
}

// replicaSet leaves out what a Deployment keeps of its old templates.
func (c *catalog) replicaSet(o *appsv1.ReplicaSet) []*entity {
	owner := metav1.GetControllerOfNoCopy(o)
	if owner != nil && owner.Kind == "Deployment" && replicas(o.Spec.Replicas) == 0 && o.Status.Replicas == 0 {
		return nil
	}
	b := c.workload(kindReplicaSet, o)
	b.whole(replicaSetDesired, replicas(o.Spec.Replicas))
	b.whole(replicaSetAvailable, o.Status.AvailableReplicas)
	b.whole(replicaSetReady, o.Status.ReadyReplicas)
	return one(b)
}

func (c *catalog) controller(o *v1.ReplicationController) []*entity {
	b := c.workload(kindController, o)
	b.whole(controllerDesired, replicas(o.Spec.Replicas))
	b.whole(controllerAvailable, o.Status.AvailableReplicas)
	b.whole(controllerReady, o.Status.ReadyReplicas)
	return one(b)
}

func (c *catalog) statefulSet(o *appsv1.StatefulSet) []*entity {
	b := c.workload(kindStatefulSet, o)
	b.whole(statefulSetDesired, replicas(o.Spec.Replicas))
	b.whole(statefulSetCurrent, o.Status.CurrentReplicas)
	b.whole(statefulSetReady, o.Status.ReadyReplicas)
	b.whole(statefulSetUpdated, o.Status.UpdatedReplicas)
	b.whole(statefulSetAvailable, o.Status.AvailableReplicas)
	return one(b)
}

func (c *catalog) daemonSet(o *appsv1.DaemonSet) []*entity {
	b := c.workload(kindDaemonSet, o)
	b.whole(daemonSetCurrent, o.Status.CurrentNumberScheduled)
	b.whole(daemonSetDesired, o.Status.DesiredNumberScheduled)
	b.whole(daemonSetMisscheduled, o.Status.NumberMisscheduled)
	b.whole(daemonSetReady, o.Status.NumberReady)
	b.whole(daemonSetAvailable, o.Status.NumberAvailable)
	b.whole(daemonSetUpdated, o.Status.UpdatedNumberScheduled)
	return one(b)
}

func (c *catalog) job(o *batchv1.Job) []*entity {
	var owner attr
	if cron := metav1.GetControllerOfNoCopy(o); cron != nil && cron.Kind == "CronJob" {
		owner = attr{nameOf(kindCronJob), cron.Name}
	}
	b := c.workload(kindJob, o, owner)
	b.whole(jobActive, o.Status.Active)
	if o.Spec.Completions != nil {
		b.whole(jobDesired, *o.Spec.Completions)
	}
	b.whole(jobFailed, o.Status.Failed)
	if o.Spec.Parallelism != nil {
		b.whole(jobMaxParallel, *o.Spec.Parallelism)
	}
	b.whole(jobSuccessful, o.Status.Succeeded)
	return one(b)
}

func (c *catalog) cronJob(o *batchv1.CronJob) []*entity {
	b := c.workload(kindCronJob, o)
	b.put(cronJobActive, float64(len(o.Status.Active)))
	return one(b)
}

func (c *catalog) hpa(o *autoscalingv2.HorizontalPodAutoscaler) []*entity {
	target := o.Spec.ScaleTargetRef
	b := c.workload(kindHPA, o,
		attr{attrScaleAPIVersion, target.APIVersion}, attr{attrScaleKind, target.Kind}, attr{attrScaleName, target.Name})
	b.whole(hpaCurrent, o.Status.CurrentReplicas)
	b.whole(hpaDesired, o.Status.DesiredReplicas)
	b.whole(hpaMax, o.Spec.MaxReplicas)
	b.whole(hpaMin, replicas(o.Spec.MinReplicas))
	return one(b)
}

func (c *catalog) quota(o *v1.ResourceQuota) []*entity {
	b := c.workload(kindQuota, o)
	for s, list := range map[stat]v1.ResourceList{quotaHard: o.Status.Hard, quotaUsed: o.Status.Used} {
		for name, q := range list {
			v := q.Value()
			if strings.HasSuffix(string(name), ".cpu") {
				v = q.MilliValue()
			}
			b.label(s, string(name), float64(v))
		}
	}
	return one(b)
}
