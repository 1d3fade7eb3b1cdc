{{- define "flyball-adapter.labels" -}}
app.kubernetes.io/name: flyball-adapter
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
{{- define "flyball-adapter.selector" -}}
app.kubernetes.io/name: flyball-adapter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
