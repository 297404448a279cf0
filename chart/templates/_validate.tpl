{{/*
What values.schema.json cannot say: values that contradict each other, and durations out of bounds. All faults are told
at once; each says where, what and what to do.
*/}}

{{/* Bounds of durations: least and most in seconds, and how they are called. "0" is allowed where `zero` says so. */}}
{{- define "remediator.durationBounds" -}}
max-alert-age: {least: 1, most: 0, zero: true, text: "a duration from 1s up, such as 1h, nor 0"}
approve-within: {least: 60, most: 604800, zero: false, text: "a duration from 1m to 7d, such as 1h"}
known-bad: {least: 60, most: 0, zero: true, text: "a duration from 1m up, such as 7d, nor 0"}
verify-within: {least: 30, most: 1800, zero: false, text: "a duration from 30s to 30m, such as 2m"}
shutdown-grace: {least: 0, most: 3600, zero: true, text: "a duration up to 1h, such as 20s"}
retention: {least: 3600, most: 0, zero: true, text: "a duration from 1h up, such as 30d, nor 0"}
{{- end }}

{{- define "remediator.durationFaults" -}}
{{- $settings := .Values.settings -}}
{{- range $name, $bound := include "remediator.durationBounds" . | fromYaml -}}
{{- with index $settings $name -}}
{{- $milliseconds := include "remediator.milliseconds" . | int64 -}}
{{- $isZero := and $bound.zero (eq $milliseconds 0) -}}
{{- $isShort := lt $milliseconds (mul 1000 (int64 $bound.least)) -}}
{{- $isLong := and (int64 $bound.most) (gt $milliseconds (mul 1000 (int64 $bound.most))) -}}
{{- if and (not $isZero) (or $isShort $isLong) }}
- settings.{{ $name }}: {{ . }} is not {{ $bound.text }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $known := index $settings "known-bad" | default "7d" -}}
{{- $kept := index $settings "retention" | default "30d" -}}
{{- $keptFor := include "remediator.milliseconds" $kept | int64 -}}
{{- if and $keptFor (gt (include "remediator.milliseconds" $known | int64) $keptFor) }}
- settings.known-bad: {{ $known }} is longer than settings.retention, {{ $kept }}, keeps the records that it is known from; lower it, or raise that
{{- end -}}
{{- end }}

{{- define "remediator.contradictions" -}}
{{- $values := .Values -}}
{{- if and $values.rbac.namespaces $values.settings.namespaces }}
- rbac.namespaces and settings.namespaces: both are set; rbac.namespaces says it for the service too, so leave the other out
{{- end -}}
{{- if and $values.policies.files $values.policies.existingConfigMap }}
- policies.files and policies.existingConfigMap: both are set; give one of them
{{- end -}}
{{- if and (index $values.settings "allow-anonymous") $values.token.existingSecret }}
- settings.allow-anonymous and token.existingSecret: either nobody is asked for a token, or there is one; give one of them
{{- end -}}
{{- if and $values.settings.manifests (or $values.settings.kubeconfig $values.settings.context $values.settings.namespaces $values.rbac.namespaces) }}
- settings.manifests: a folder stands in for the cluster, so kubeconfig, context and namespaces have no meaning; leave them out
{{- end -}}
{{- if and $values.priorityClass.create (not $values.priorityClass.name) }}
- priorityClass.create: the class has no name; set priorityClass.name
{{- end -}}
{{- if and (not $values.serviceAccount.create) $values.rbac.create (not $values.serviceAccount.name) }}
- serviceAccount.create is false and serviceAccount.name is empty: every pod of the namespace that uses `default` would get the permissions; name an account
{{- end -}}
{{- end }}

{{- define "remediator.tlsFaults" -}}
{{- $tls := .Values.tls -}}
{{- if and $tls.enabled (not $tls.existingSecret) (not $tls.certManager.enabled) }}
- tls.enabled: there is no certificate; set tls.existingSecret, or tls.certManager.enabled
{{- end -}}
{{- if and $tls.existingSecret $tls.certManager.enabled }}
- tls.existingSecret and tls.certManager.enabled: both are set; give one of them
{{- end -}}
{{- if and $tls.certManager.enabled (not $tls.certManager.issuerRef.name) }}
- tls.certManager.issuerRef.name: is empty; name the Issuer or ClusterIssuer that signs
{{- end -}}
{{- if and (not $tls.enabled) (or $tls.existingSecret $tls.certManager.enabled) }}
- tls.enabled is false, though a certificate is given; set it to true, or take the certificate out
{{- end -}}
{{- $elsewhere := .Values.alertmanagerConfig.namespace | default .Release.Namespace | ne .Release.Namespace -}}
{{- if and $tls.enabled .Values.alertmanagerConfig.enabled $elsewhere (not .Values.alertmanagerConfig.tlsConfig) }}
- alertmanagerConfig.tlsConfig: is empty, and the authority's certificate cannot be read from another namespace; say how Alertmanager is to check the certificate
{{- end -}}
{{- $monitorElsewhere := .Values.serviceMonitor.namespace | default .Release.Namespace | ne .Release.Namespace -}}
{{- if and $tls.enabled .Values.serviceMonitor.enabled $monitorElsewhere (not .Values.serviceMonitor.tlsConfig) }}
- serviceMonitor.tlsConfig: is empty, and the authority's certificate cannot be read from another namespace; say how Prometheus is to check the certificate
{{- end -}}
{{- end }}

{{- define "remediator.validate" -}}
{{- $faults := printf "%s%s%s" (include "remediator.durationFaults" .) (include "remediator.contradictions" .) (include "remediator.tlsFaults" .) -}}
{{- if trim $faults -}}
{{- fail (printf "\n\nthe values cannot be used:\n%s\n" $faults) -}}
{{- end -}}
{{- end }}
