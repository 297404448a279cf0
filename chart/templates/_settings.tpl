{{/* The settings of `serve`: from values to flags, and how long a duration is. */}}

{{/* Milliseconds of a duration as `serve` reads it: 1m30s, 500ms, 0. */}}
{{- define "remediator.milliseconds" -}}
{{- $unit := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+[a-z]+" (toString .) -1 -}}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | atoi) (get $unit (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end }}

{{/* Namespaces that the service watches and touches, with commas; nothing: all. */}}
{{- define "remediator.namespaces" -}}
{{- join "," (.Values.rbac.namespaces | default .Values.settings.namespaces) -}}
{{- end }}

{{- define "remediator.args" -}}
- serve
- --listen={{ .Values.listenHost }}:{{ .Values.containerPort }}
- --policies=/etc/remediator/policies
{{- if include "remediator.hasToken" . }}
- --token-file=/etc/remediator/token/token
{{- end }}
{{- if .Values.notifications.existingSecret }}
- --notify-file=/etc/remediator/notifications/recipients
{{- end }}
{{- if .Values.tls.enabled }}
- --tls-cert-file=/etc/remediator/tls/tls.crt
- --tls-key-file=/etc/remediator/tls/tls.key
{{- end }}
{{- with include "remediator.namespaces" . }}
- --namespaces={{ . }}
{{- end }}
{{- range $name, $value := omit .Values.settings "namespaces" }}
{{- if kindIs "bool" $value }}
{{- if $value }}
- --{{ $name }}
{{- end }}
{{- else if kindIs "slice" $value }}
{{- range $value }}
- {{ printf "--%s=%s" $name (toString .) | quote }}
{{- end }}
{{- else if kindIs "float64" $value }}
- --{{ $name }}={{ int $value }}
{{- else }}
- {{ printf "--%s=%s" $name (toString $value) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Longer than requests may take to finish after SIGTERM: the pause before it, and what the server's end takes. */}}
{{- define "remediator.terminationGrace" -}}
{{- $grace := index .Values.settings "shutdown-grace" | default "20s" -}}
{{- add .Values.drainSeconds (div (add (include "remediator.milliseconds" $grace | int64) 999) 1000) 10 -}}
{{- end }}
