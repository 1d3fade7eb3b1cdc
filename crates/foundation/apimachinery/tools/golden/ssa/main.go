// Scenarios of updates and applies on a Deployment, with what apimachinery's field manager makes of them, one a line.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

type obj = map[string]any

func some(r *rand.Rand) bool { return r.Intn(2) == 0 }

func object(r *rand.Rand) obj {
	metadata := obj{"name": "web", "namespace": "default"}
	if some(r) {
		labels := obj{}
		for _, k := range []string{"a", "b", "c"} {
			if some(r) {
				labels[k] = fmt.Sprint(r.Intn(2))
			}
		}
		if len(labels) > 0 {
			metadata["labels"] = labels
		}
	}
	if r.Intn(3) == 0 {
		f := []any{}
		for _, k := range []string{"x/a", "x/b"} {
			if some(r) {
				f = append(f, k)
			}
		}
		if len(f) > 0 {
			metadata["finalizers"] = f
		}
	}
	pod := obj{}
	containers := []any{}
	for _, i := range r.Perm(3) {
		if some(r) {
			c := obj{"name": []string{"x", "y", "z"}[i], "image": fmt.Sprint(r.Intn(2))}
			if some(r) {
				ports := []any{}
				for _, p := range []obj{{"containerPort": int64(80), "protocol": "TCP"}, {"containerPort": int64(80), "protocol": "UDP"}, {"containerPort": int64(81), "protocol": "TCP", "name": "n"}} {
					if some(r) {
						ports = append(ports, p)
					}
				}
				if len(ports) > 0 {
					c["ports"] = ports
				}
			}
			if some(r) {
				c["args"] = []any{fmt.Sprint(r.Intn(2)), "s"}
			}
			if some(r) {
				c["env"] = []any{obj{"name": "E", "value": fmt.Sprint(r.Intn(2))}}
			}
			if r.Intn(4) == 0 {
				c["resources"] = obj{"limits": obj{"cpu": fmt.Sprint(1 + r.Intn(2))}}
			}
			containers = append(containers, c)
		}
	}
	if len(containers) > 0 {
		pod["containers"] = containers
	}
	if r.Intn(3) == 0 {
		pod["nodeSelector"] = obj{"n": fmt.Sprint(r.Intn(2))}
	}
	if r.Intn(3) == 0 {
		pod["tolerations"] = []any{obj{"key": fmt.Sprint(r.Intn(2))}}
	}
	spec := obj{"template": obj{"spec": pod}}
	if some(r) {
		spec["replicas"] = int64(r.Intn(3))
	}
	if r.Intn(3) == 0 {
		spec["paused"] = some(r)
	}
	if r.Intn(3) == 0 {
		spec["selector"] = obj{"matchLabels": obj{"a": fmt.Sprint(r.Intn(2))}}
	}
	return obj{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
}

func main() {
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	tc := applyconfigurations.NewTypeConverter(scheme.Scheme)
	for seed := int64(0); seed < 120; seed++ {
		r := rand.New(rand.NewSource(seed))
		m := managedfieldstest.NewTestFieldManager(tc, gvk)
		steps := []obj{}
		for i := 0; i < 5; i++ {
			o := object(r)
			manager := []string{"a", "b", "c"}[r.Intn(3)]
			op, force := "apply", some(r)
			if i > 0 && r.Intn(3) == 0 {
				op = "update"
			}
			step := obj{"op": op, "manager": manager, "force": force, "object": o}
			u := &unstructured.Unstructured{Object: o}
			var err error
			if op == "apply" {
				err = m.Apply(u.DeepCopy(), manager, force)
			} else {
				err = m.Update(u.DeepCopy(), manager)
			}
			if err != nil {
				step["error"] = err.Error()
			}
			live := m.Live().(*unstructured.Unstructured).DeepCopy()
			live.SetManagedFields(nil)
			step["live"] = live.Object
			managed := obj{}
			for _, e := range m.ManagedFields() {
				var f any
				json.Unmarshal(e.FieldsV1.GetRawBytes(), &f)
				managed[e.Manager+" "+string(e.Operation)] = f
			}
			step["managed"] = managed
			steps = append(steps, step)
		}
		j, _ := json.Marshal(steps)
		fmt.Println(string(j))
	}
}
