{{/* Ends with an error that says what to do, where values do not fit. values.schema.json has checked names and types. */}}
{{- define "threadline.checks" -}}
{{- if not .Values.existingSecret -}}
{{- fail "existingSecret is not set: name a Secret with THREADLINE_POSTGRES__DSN and THREADLINE_SECRETS__KEYS (deploy/helm/README.md)" -}}
{{- end -}}
{{- if and .Values.migrate.enabled (not .Values.ownerExistingSecret) -}}
{{- fail "ownerExistingSecret is not set: name a Secret with THREADLINE_POSTGRES__OWNER_DSN, or set migrate.enabled=false and run `threadline migrate` yourself before each upgrade" -}}
{{- end -}}
{{- if not .Values.kafka.bootstrap -}}
{{- fail "kafka.bootstrap is not set: name the brokers, host:port, separated by commas" -}}
{{- end -}}
{{- if not .Values.largeBodies.keep -}}
{{- fail "largeBodies.keep is not set: choose bucket, claim or refuse for bodies of more than 512 KiB, such as mail with attachments" -}}
{{- end -}}
{{- if and (eq .Values.largeBodies.keep "claim") (not .Values.largeBodies.existingClaim) -}}
{{- fail "largeBodies.keep is claim: name a PersistentVolumeClaim with ReadWriteMany in largeBodies.existingClaim" -}}
{{- end -}}
{{- if and (eq .Values.largeBodies.keep "bucket") (not (regexMatch "(?m)^\\s*(\\[blobs\\.s3\\]|s3\\.bucket)" .Values.settings)) -}}
{{- fail "largeBodies.keep is bucket: `settings` has no section [blobs.s3] that names it" -}}
{{- end -}}
{{- if and .Values.worker.keda.enabled .Values.worker.autoscaling.enabled -}}
{{- fail "worker.keda and worker.autoscaling both scale the worker: enable one" -}}
{{- end -}}
{{- if and .Values.door.tlsSecret .Values.mqtt.enabled -}}
{{- fail "door.tlsSecret and mqtt.enabled: the subscriber posts to the door's Service by plain HTTP, so run `threadline mqtt --to https://…` yourself" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host is not set" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs is empty: name the Gateway that the route belongs to" -}}
{{- end -}}
{{- if and .Values.istio.enabled .Values.linkerd.enabled -}}
{{- fail "istio and linkerd are both enabled: a pod can be in one mesh" -}}
{{- end -}}
{{- end -}}
