{{/* The prefix of all names: the release's name, with the chart's where it lacks it. */}}
{{- define "threadline.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component. Takes (dict "root" $ "component" "door"). */}}
{{- define "threadline.selector" -}}
app.kubernetes.io/name: threadline
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The labels of an object of a component. */}}
{{- define "threadline.labels" -}}
{{ include "threadline.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "threadline.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "threadline.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "threadline.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The ports of the brokers, as a JSON object with a list. */}}
{{- define "threadline.kafkaPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.kafka.bootstrap -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | default "9092" | int) -}}
{{- end -}}
{{- range .Values.networkPolicy.kafka.ports -}}{{- $ports = append $ports (int .) -}}{{- end -}}
{{- dict "ports" (uniq $ports) | toJson -}}
{{- end -}}
