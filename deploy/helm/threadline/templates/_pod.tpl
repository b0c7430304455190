{{/* The parts that all pods share. Pod Security's level `restricted` is met by each. */}}

{{- define "threadline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "threadline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What every pod begins with. Takes (dict "root" $ "component" … "values" .Values.door). */}}
{{- define "threadline.podHead" -}}
serviceAccountName: {{ include "threadline.serviceAccount" .root }}
automountServiceAccountToken: false
# Else Kubernetes gives variables that look like settings.
enableServiceLinks: false
securityContext: {{- include "threadline.podSecurity" . | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where the pods of a long-running component may run. */}}
{{- define "threadline.placement" -}}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else }}
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "threadline.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of a pod of a long-running component. */}}
{{- define "threadline.podMetadata" -}}
labels:
  {{- include "threadline.labels" . | nindent 2 }}
  {{- with .values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
annotations:
  # A changed setting restarts the pods.
  checksum/settings: {{ .root.Values.settings | sha256sum }}
  {{- if .root.Values.linkerd.enabled }}
  linkerd.io/inject: enabled
  {{- end }}
  {{- with .values.podAnnotations }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}

{{/* The variables of a process that reads the settings. Takes (dict "root" $ "values" …). */}}
{{- define "threadline.environment" -}}
envFrom:
  - secretRef: {name: {{ .root.Values.existingSecret }}}
env:
  - {name: THREADLINE_CONFIG, value: /etc/threadline/threadline.toml}
  - {name: THREADLINE_KAFKA__BOOTSTRAP, value: {{ .root.Values.kafka.bootstrap | quote }}}
  {{- if .root.Values.kafka.caSecret }}
  - {name: THREADLINE_KAFKA__CA_FILE, value: /etc/threadline/kafka-ca/ca.crt}
  {{- end }}
  {{- if .root.Values.kafka.clientCertificateSecret }}
  - {name: THREADLINE_KAFKA__CERT_FILE, value: /etc/threadline/kafka-client/tls.crt}
  - {name: THREADLINE_KAFKA__KEY_FILE, value: /etc/threadline/kafka-client/tls.key}
  {{- end }}
  {{- if eq .root.Values.largeBodies.keep "claim" }}
  - {name: THREADLINE_BLOBS__FOLDER, value: /blobs}
  {{- else if eq .root.Values.largeBodies.keep "refuse" }}
  # Equal to blobs.over, so that no body becomes a blob.
  - {name: THREADLINE_DOOR__MAX_BODY, value: "524288"}
  - {name: THREADLINE_BLOBS__OVER, value: "524288"}
  {{- end }}
  {{- with .values.env }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}

{{- define "threadline.mounts" -}}
- {name: settings, mountPath: /etc/threadline/threadline.toml, subPath: threadline.toml, readOnly: true}
{{- if .root.Values.kafka.caSecret }}
- {name: kafka-ca, mountPath: /etc/threadline/kafka-ca, readOnly: true}
{{- end }}
{{- if .root.Values.kafka.clientCertificateSecret }}
- {name: kafka-client, mountPath: /etc/threadline/kafka-client, readOnly: true}
{{- end }}
{{- if eq .root.Values.largeBodies.keep "claim" }}
- {name: blobs, mountPath: /blobs}
{{- end }}
{{- with .values.volumeMounts }}{{ toYaml . | nindent 0 }}{{ end }}
{{- end -}}

{{/* The volumes of those mounts. `settings` names the ConfigMap. */}}
{{- define "threadline.volumes" -}}
- name: settings
  configMap: {name: {{ .settings }}}
{{- with .root.Values.kafka.caSecret }}
- name: kafka-ca
  secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- with .root.Values.kafka.clientCertificateSecret }}
- name: kafka-client
  secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
{{- end }}
{{- if eq .root.Values.largeBodies.keep "claim" }}
- name: blobs
  persistentVolumeClaim: {claimName: {{ .root.Values.largeBodies.existingClaim }}}
{{- end }}
{{- with .values.volumes }}{{ toYaml . | nindent 0 }}{{ end }}
{{- end -}}

{{/* The probes of a process: its pages at the named port. Takes (dict "port" … "scheme" …); the kubelet verifies no certificate. */}}
{{- define "threadline.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ .port }}, scheme: {{ .scheme }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ .port }}, scheme: {{ .scheme }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: {{ .port }}, scheme: {{ .scheme }}}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
