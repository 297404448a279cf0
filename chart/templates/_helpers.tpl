{{/* What the objects are called, and what they have in common. */}}

{{- define "remediator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* `remediator` for a release of that name, else RELEASE-remediator. 52 characters: suffixes have to fit into 63. */}}
{{- define "remediator.fullname" -}}
{{- $name := include "remediator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "remediator.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* Of every object. What selects stays ours, and what Helm knows its objects by; of the rest, the values' own wins. */}}
{{- define "remediator.labels" -}}
{{- $own := include "remediator.selectorLabels" . | fromYaml | merge (dict "app.kubernetes.io/managed-by" .Release.Service) -}}
{{- merge (dict) $own .Values.commonLabels (include "remediator.otherLabels" . | fromYaml) | toYaml -}}
{{- end }}

{{- define "remediator.otherLabels" -}}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/part-of: remediator
helm.sh/chart: {{ include "remediator.chart" . }}
{{- end }}

{{/* What tells this release's objects from all others; never changes. */}}
{{- define "remediator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "remediator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The service's pods, and not the one of `helm test`. */}}
{{- define "remediator.podSelectorLabels" -}}
{{ include "remediator.selectorLabels" . }}
app.kubernetes.io/component: service
{{- end }}

{{- define "remediator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "remediator.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "remediator.image" -}}
{{- with .Values.image -}}
{{- .repository -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{/* `true`, or nothing: whether requests need a token. */}}
{{- define "remediator.hasToken" -}}
{{- if not (index .Values.settings "allow-anonymous") }}true{{ end -}}
{{- end }}

{{- define "remediator.tokenSecret" -}}
{{- .Values.token.existingSecret | default (printf "%s-token" (include "remediator.fullname" .)) -}}
{{- end }}

{{- define "remediator.policiesConfigMap" -}}
{{- .Values.policies.existingConfigMap | default (printf "%s-policies" (include "remediator.fullname" .)) -}}
{{- end }}

{{- define "remediator.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "remediator.fullname" .)) -}}
{{- end }}

{{- define "remediator.scheme" -}}
{{- ternary "https" "http" .Values.tls.enabled -}}
{{- end }}

{{/* The Service's name as every namespace knows it, and as the certificate says it. */}}
{{- define "remediator.host" -}}
{{- printf "%s.%s.svc" (include "remediator.fullname" .) .Release.Namespace -}}
{{- end }}

{{- define "remediator.url" -}}
{{- printf "%s://%s:%v" (include "remediator.scheme" .) (include "remediator.host" .) .Values.service.port -}}
{{- end }}

{{/* How prometheus-operator's objects trust the certificate: `ca.crt` of the same Secret. */}}
{{- define "remediator.tlsConfig" -}}
ca:
  secret:
    name: {{ include "remediator.tlsSecret" . }}
    key: ca.crt
serverName: {{ include "remediator.host" . }}
{{- end }}

{{/* Where an object of monitoring goes: dict "root" "of". */}}
{{- define "remediator.metadata" -}}
namespace: {{ .of.namespace | default .root.Release.Namespace }}
labels:
  {{- $own := include "remediator.selectorLabels" .root | fromYaml }}
  {{- merge (dict) $own (.of.labels | default dict) (include "remediator.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with .of.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The same with the labels by which Prometheus selects: dict "root" "of". */}}
{{- define "remediator.monitoringMetadata" -}}
{{- $labels := merge (dict) (.of.labels | default dict) .root.Values.monitoring.labels -}}
{{- include "remediator.metadata" (dict "root" .root "of" (merge (dict "labels" $labels) .of)) -}}
{{- end }}
