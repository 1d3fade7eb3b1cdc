package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsval "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	hpaval "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchval "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	coreval "k8s.io/kubernetes/pkg/apis/core/validation"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	netval "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	polval "k8s.io/kubernetes/pkg/apis/policy/validation"
	"k8s.io/kubernetes/pkg/apis/rbac"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	rbacval "k8s.io/kubernetes/pkg/apis/rbac/validation"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
)

// One object a line on stdin; out come the object after defaults and the causes, tab-separated.
func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line == "" {
			continue
		}
		obj, gvk, err := legacyscheme.Codecs.UniversalDeserializer().Decode([]byte(line), nil, nil)
		if err != nil {
			fmt.Printf("%s\terror\t%v\n", line, err)
			continue
		}
		defaulted := obj.DeepCopyObject()
		legacyscheme.Scheme.Default(defaulted)
		j, _ := json.Marshal(defaulted)
		internal, err := legacyscheme.Scheme.ConvertToVersion(defaulted, schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal})
		if err != nil {
			panic(err)
		}
		opts := podutil.GetValidationOptionsFromPodTemplate(&core.PodTemplateSpec{}, nil)
		var errs field.ErrorList
		ctx := context.Background()
		_ = ctx
		opts.ResourceIsPod = gvk.Kind == "Pod"
		_ = v1.NamespaceDefault
		switch o := internal.(type) {
		case *core.Pod:
			errs = coreval.ValidatePodCreate(o, opts)
		case *apps.Deployment:
			errs = appsval.ValidateDeployment(o, opts)
		case *apps.ReplicaSet:
			errs = appsval.ValidateReplicaSet(o, opts)
		case *apps.StatefulSet:
			errs = appsval.ValidateStatefulSet(o, appsval.StatefulSetValidationOptions{}, opts)
		case *apps.DaemonSet:
			errs = appsval.ValidateDaemonSet(o, opts)
		case *batch.CronJob:
			errs = batchval.ValidateCronJobCreate(o, opts)
		case *core.Service:
			errs = coreval.ValidateServiceCreate(o)
		case *core.ConfigMap:
			errs = coreval.ValidateConfigMap(o)
		case *core.Secret:
			errs = coreval.ValidateSecret(o)
		case *core.Namespace:
			errs = coreval.ValidateNamespace(o)
		case *core.PersistentVolumeClaim:
			errs = coreval.ValidatePersistentVolumeClaim(o, coreval.PersistentVolumeClaimSpecValidationOptions{})
		case *autoscaling.HorizontalPodAutoscaler:
			errs = hpaval.ValidateHorizontalPodAutoscaler(o, hpaval.HorizontalPodAutoscalerSpecValidationOptions{MinReplicasLowerBound: 1})
		case *policy.PodDisruptionBudget:
			errs = polval.ValidatePodDisruptionBudget(o, polval.PodDisruptionBudgetValidationOptions{})
		case *networking.Ingress:
			errs = netval.ValidateIngressCreate(o)
		case *networking.NetworkPolicy:
			errs = netval.ValidateNetworkPolicy(o, netval.NetworkPolicyValidationOptions{})
		case *rbac.Role:
			errs = rbacval.ValidateRole(o)
		case *rbac.RoleBinding:
			errs = rbacval.ValidateRoleBinding(o)
		}
		msgs := []string{}
		for _, e := range errs {
			msgs = append(msgs, e.Error())
		}
		m, _ := json.Marshal(msgs)
		fmt.Printf("%s\t%s\t%s\n", line, j, m)
	}
}
