import json
out=[]
def o(api,kind,ns=True,**kw):
    m={"name":"x"}
    if ns: m["namespace"]="default"
    d={"apiVersion":api,"kind":kind,"metadata":{**m,**kw.pop("metadata",{})}}; d.update(kw); out.append(d)
c=lambda **k:{"name":"c","image":"web:1",**k}
def tpl(labels={"app":"web"},**spec):
    return {"metadata":{"labels":labels},"spec":{"containers":[c()],**spec}}
sel={"matchLabels":{"app":"web"}}
# pods
for spec in [
 {"containers":[c()]},
 {},
 {"containers":[]},
 {"containers":[{"name":"c"}]},
 {"containers":[{"image":"web"}]},
 {"containers":[c(),c()]},
 {"containers":[c(name="Bad_Name")]},
 {"containers":[c(ports=[{"containerPort":80},{"containerPort":70000},{"containerPort":0},{"name":"toolongportname123","containerPort":1},{"name":"a","containerPort":2},{"name":"a","containerPort":3}])]},
 {"containers":[c(ports=[{"containerPort":80,"protocol":"HTTP"}])]},
 {"containers":[c(env=[{"name":"A","value":"1"},{"value":"2"},{"name":"a=b"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},{"name":"C","valueFrom":{}},{"name":"D","value":"x","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}])]},
 {"containers":[c(resources={"limits":{"cpu":"1","memory":"1Gi"}})]},
 {"containers":[c(resources={"limits":{"cpu":"100m"},"requests":{"cpu":"1"}})]},
 {"containers":[c(resources={"requests":{"cpu":"-1"}})]},
 {"containers":[c(readinessProbe={"httpGet":{"port":80}},livenessProbe={"tcpSocket":{"port":"http"}},startupProbe={"exec":{"command":["true"]}})]},
 {"containers":[c(readinessProbe={})]},
 {"containers":[c(readinessProbe={"httpGet":{"port":0},"tcpSocket":{"port":1},"periodSeconds":-1})]},
 {"containers":[c(livenessProbe={"exec":{"command":[]},"successThreshold":2})]},
 {"containers":[c(readinessProbe={"grpc":{"port":9}},lifecycle={"preStop":{"httpGet":{"port":80}}})]},
 {"containers":[c(readinessProbe={"httpGet":{"port":"http_x","scheme":"FTP","path":"/a"}})]},
 {"containers":[c(imagePullPolicy="Sometimes")]},
 {"containers":[c(image="web")],"restartPolicy":"Maybe"},
 {"containers":[c(image="reg:5000/web@sha256:aa")],"dnsPolicy":"Own"},
 {"containers":[c(volumeMounts=[{"name":"v","mountPath":"/v"},{"name":"w","mountPath":"/v"},{"name":"v"}])],"volumes":[{"name":"v"}]},
 {"containers":[c()],"volumes":[{"name":"v","emptyDir":{}},{"name":"v","hostPath":{"path":"/x"}},{"name":"s","secret":{"secretName":"s"}},{"name":"p","projected":{"sources":[{"downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels"}}]}}]}},{"name":"two","emptyDir":{},"configMap":{"name":"a"}},{"name":"d","downwardAPI":{"items":[{"path":"x","fieldRef":{"fieldPath":"metadata.name"}}]}}]},
 {"containers":[c()],"volumes":[{"emptyDir":{}},{"name":"c","configMap":{}},{"name":"q","persistentVolumeClaim":{"claimName":""}},{"name":"s","secret":{}}]},
 {"containers":[c()],"initContainers":[c(name="i"),c(name="c"),c(name="s",restartPolicy="Always",readinessProbe={"tcpSocket":{"port":1}}),c(name="bad",livenessProbe={"tcpSocket":{"port":1}})]},
 {"containers":[c()],"serviceAccountName":"sa","hostNetwork":True,"terminationGracePeriodSeconds":-5,"activeDeadlineSeconds":0},
 {"containers":[c()],"tolerations":[{"operator":"Exists"},{"key":"a","value":"b"},{"value":"x"},{"key":"k","operator":"Exists","value":"v"},{"key":"k","effect":"NoExecute","tolerationSeconds":5},{"key":"k","effect":"NoSchedule","tolerationSeconds":5},{"key":"k","effect":"Never"}]},
 {"containers":[c()],"nodeSelector":{"a b":"c"},"hostname":"A.b","subdomain":"ok","nodeName":"Bad Name"},
 {"containers":[c(envFrom=[{"configMapRef":{"name":"a"}},{}])]},
]: o("v1","Pod",spec=spec)
# workloads
for spec in [
 {"selector":sel,"template":tpl()},
 {"replicas":0,"selector":sel,"template":tpl(),"strategy":{"type":"Recreate"}},
 {"selector":sel,"template":tpl({"app":"other"})},
 {"template":tpl()},
 {"selector":{},"template":tpl()},
 {"selector":{"matchExpressions":[{"key":"a","operator":"In"}]},"template":tpl()},
 {"selector":{"matchExpressions":[{"key":"app","operator":"Has","values":["x"]}]},"template":tpl()},
 {"selector":{"matchLabels":{"app":"no spaces"}},"template":tpl({"app":"no spaces"})},
 {"replicas":-1,"selector":sel,"template":tpl(),"minReadySeconds":-1,"revisionHistoryLimit":-1,"progressDeadlineSeconds":-1},
 {"selector":sel,"template":tpl(),"minReadySeconds":600},
 {"selector":sel,"template":tpl(),"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":0}}},
 {"selector":sel,"template":tpl(),"strategy":{"rollingUpdate":{"maxSurge":"x%","maxUnavailable":"150%"}}},
 {"selector":sel,"template":tpl(),"strategy":{"type":"Other"}},
 {"selector":sel,"template":tpl(),"strategy":{"type":"Recreate","rollingUpdate":{"maxSurge":1}}},
 {"selector":sel,"template":tpl(restartPolicy="Never")},
 {"selector":sel,"template":tpl(activeDeadlineSeconds=5)},
 {"selector":sel},
]: o("apps/v1","Deployment",spec=spec)
for k in ("ReplicaSet","StatefulSet","DaemonSet"):
    for spec in [{"selector":sel,"template":tpl()},{"selector":sel,"template":tpl({"a":"b"})},{"selector":{},"template":tpl()},{"template":tpl()}]: o("apps/v1",k,spec=spec)
o("apps/v1","StatefulSet",spec={"selector":sel,"template":tpl(),"serviceName":"s","podManagementPolicy":"Fast","updateStrategy":{"type":"OnDelete","rollingUpdate":{"partition":1}},"volumeClaimTemplates":[{"metadata":{"name":"d"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}]})
o("apps/v1","StatefulSet",spec={"selector":sel,"template":tpl(),"updateStrategy":{"type":"Never"},"replicas":-1})
o("apps/v1","DaemonSet",spec={"selector":sel,"template":tpl(),"updateStrategy":{"rollingUpdate":{"maxUnavailable":"10%"}}})
o("apps/v1","DaemonSet",spec={"selector":sel,"template":tpl(),"updateStrategy":{"rollingUpdate":{"maxUnavailable":0}}})
jt=lambda **k:{"spec":{"containers":[c()],"restartPolicy":"Never",**k}}
o("batch/v1","Job",spec={"template":jt()})
o("batch/v1","Job",spec={"parallelism":3,"template":jt()})
for s in ["* * * * *","*/5 0-3 1,15 * MON-FRI","@hourly","@often","* * *","61 * * * *","","TZ=UTC * * * * *","a * * * *","*/0 * * * *"]:
    o("batch/v1","CronJob",spec={"schedule":s,"jobTemplate":{"spec":{"template":jt()}}})
o("batch/v1","CronJob",spec={"schedule":"* * * * *","concurrencyPolicy":"X","failedJobsHistoryLimit":-1,"jobTemplate":{"spec":{"completions":-1,"template":jt(restartPolicy="Always")}}})
# services
for spec in [
 {"ports":[{"port":80}],"selector":{"app":"web"}},
 {},
 {"clusterIP":"None","clusterIPs":["None"]},
 {"ports":[{"port":80},{"port":81}]},
 {"ports":[{"name":"a","port":80},{"name":"a","port":81}]},
 {"ports":[{"name":"a","port":80},{"name":"b","port":80}]},
 {"ports":[{"port":0}]},
 {"ports":[{"port":70000,"targetPort":"Bad_Port"}]},
 {"ports":[{"port":80,"protocol":"X"}]},
 {"type":"NodePort","ports":[{"port":80,"nodePort":30080}]},
 {"type":"LoadBalancer","ports":[{"port":80}]},
 {"type":"NodePort","clusterIP":"None","clusterIPs":["None"],"ports":[{"port":80}]},
 {"type":"ExternalName","externalName":"a.b"},
 {"type":"ExternalName"},
 {"type":"Other","ports":[{"port":80}]},
 {"ports":[{"port":80}],"sessionAffinity":"ClientIP"},
 {"ports":[{"port":80}],"sessionAffinity":"Sticky"},
 {"ports":[{"port":80}],"selector":{"a":"b c"}},
]: o("v1","Service",spec=spec)
# hpa
ref={"apiVersion":"apps/v1","kind":"Deployment","name":"web"}
for spec in [
 {"maxReplicas":3,"scaleTargetRef":ref},
 {"minReplicas":3,"maxReplicas":2,"scaleTargetRef":ref},
 {"minReplicas":0,"maxReplicas":0,"scaleTargetRef":{}},
 {"maxReplicas":3,"scaleTargetRef":ref,"metrics":[{"type":"Resource"},{"type":"Other"},{"type":"Pods","pods":{"metric":{"name":"rps"},"target":{"type":"AverageValue","averageValue":"10"}}}]},
 {"maxReplicas":3,"scaleTargetRef":ref,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":0}}}]},
 {"maxReplicas":3,"scaleTargetRef":ref,"metrics":[{"type":"External","external":{"metric":{"name":"q"},"target":{"type":"Value"}}}]},
 {"maxReplicas":3,"scaleTargetRef":ref,"metrics":[{"type":"Pods","pods":{"metric":{},"target":{"type":"Value","value":"1"}}}]},
 {"maxReplicas":3,"scaleTargetRef":ref,"behavior":{"scaleUp":{"policies":[{"type":"Pods","value":0,"periodSeconds":0}]},"scaleDown":{"stabilizationWindowSeconds":4000}}},
 {"maxReplicas":3,"scaleTargetRef":ref,"behavior":{"scaleDown":{"selectPolicy":"Disabled"}}},
 {"maxReplicas":3,"scaleTargetRef":ref,"behavior":{"scaleDown":{"selectPolicy":"Any","policies":[{"type":"Other","value":1,"periodSeconds":2000}]}}},
]: o("autoscaling/v2","HorizontalPodAutoscaler",spec=spec)
for spec in [{"minAvailable":1,"selector":sel},{"minAvailable":1,"maxUnavailable":1},{"maxUnavailable":"150%"},{"minAvailable":-1},{"maxUnavailable":"abc"},{"selector":sel}]:
    o("policy/v1","PodDisruptionBudget",spec=spec)
be={"service":{"name":"s","port":{"number":80}}}
path=lambda **k:{"path":"/","pathType":"Prefix","backend":be,**k}
for spec in [
 {"rules":[{"host":"a.b","http":{"paths":[path()]}}]},
 {}, {"defaultBackend":be},
 {"rules":[{"host":"1.2.3.4","http":{"paths":[path(pathType="Other")]}}]},
 {"rules":[{"http":{"paths":[{"path":"x","pathType":"Exact","backend":be}]}}]},
 {"rules":[{"http":{"paths":[{"path":"/","backend":be}]}}]},
 {"rules":[{"http":{"paths":[path(backend={})]}}]},
 {"rules":[{"http":{"paths":[path(backend={"service":{"name":"s"}})]}}]},
 {"rules":[{"http":{"paths":[path(backend={"service":{"name":"","port":{"name":"x","number":1}}})]}}]},
 {"rules":[{"http":{"paths":[]}}]},
 {"rules":[{"host":"*.a.b"},{"host":"Bad_host"}]},
]: o("networking.k8s.io/v1","Ingress",spec=spec)
for spec in [{"podSelector":{}},{"podSelector":{},"egress":[{"to":[{}],"ports":[{"port":53,"protocol":"UDP"}]}]},{"podSelector":{},"ingress":[{"ports":[{"port":0},{"port":"http","protocol":"X"}]}],"policyTypes":["Other"]}]:
    o("networking.k8s.io/v1","NetworkPolicy",spec=spec)
o("v1","ConfigMap",data={"a":"b"}); o("v1","ConfigMap",data={"a b":"","..":"","..x":""}); o("v1","ConfigMap",data={"a":"b"},binaryData={"a":"AA=="})
o("v1","Secret",stringData={"a":"b"}); o("v1","Secret",data={"a/b":"AA=="}); o("v1","Secret",type="kubernetes.io/tls",data={"tls.crt":""}); o("v1","Secret",type="kubernetes.io/dockerconfigjson",data={".dockerconfigjson":"eA=="})
o("v1","Namespace",ns=False)
pvc=lambda **k:{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},**k}
for spec in [pvc(),{},pvc(accessModes=["Sometimes"]),pvc(resources={"requests":{"storage":"0"}}),pvc(volumeMode="X")]: o("v1","PersistentVolumeClaim",spec=spec)
for rules in [[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}],[{}],[{"verbs":["get"],"nonResourceURLs":["/x"]}]]: o("rbac.authorization.k8s.io/v1","Role",rules=rules)
o("rbac.authorization.k8s.io/v1","RoleBinding",roleRef={"kind":"Role","name":"r"},subjects=[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"s","namespace":"default"}])
o("rbac.authorization.k8s.io/v1","RoleBinding",roleRef={"kind":"Other","name":""},subjects=[{"kind":"User"},{"kind":"Robot","name":"x"}])
# metadata
o("v1","ConfigMap",metadata={"name":"Bad_Name"}); o("v1","ConfigMap",metadata={"labels":{"a b":"c","x":"-"}}); o("v1","ConfigMap",metadata={"annotations":{"A/B/c":""}}); o("v1","Service",metadata={"name":"1a"},spec={"ports":[{"port":1}]})
# defaults only
o("storage.k8s.io/v1","StorageClass",ns=False,provisioner="p"); o("v1","PersistentVolume",ns=False,spec={"hostPath":{"path":"/x"},"capacity":{"storage":"1Gi"}}); o("v1","Endpoints",subsets=[{"ports":[{"port":80}]}])
o("discovery.k8s.io/v1","EndpointSlice",addressType="IPv4",endpoints=[],ports=[{"port":80}]); o("scheduling.k8s.io/v1","PriorityClass",ns=False,value=5); o("autoscaling/v1","HorizontalPodAutoscaler",spec={"maxReplicas":3,"scaleTargetRef":ref})
o("v1","ReplicationController",spec={"template":tpl()}); o("v1","LimitRange",spec={"limits":[{"type":"Container","max":{"cpu":"1"}}]})
for x in out: print(json.dumps(x,separators=(',',':')))
