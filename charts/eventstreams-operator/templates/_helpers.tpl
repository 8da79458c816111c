{{- define "eventstreams.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A release named `eventstreams` or `eventstreams-operator` gives objects named `eventstreams-operator`. */}}
{{- define "eventstreams.fullname" -}}
{{- $name := include "eventstreams.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if hasPrefix .Release.Name $name }}
{{- $name }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Name of cluster-scoped objects: two releases in two namespaces do not meet. */}}
{{- define "eventstreams.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "eventstreams.fullname" .) }}
{{- end }}

{{- define "eventstreams.serviceAccountName" -}}
{{- default (ternary (include "eventstreams.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "eventstreams.selectorLabels" -}}
app.kubernetes.io/name: {{ include "eventstreams.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "eventstreams.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "eventstreams.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "eventstreams.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}

{{- define "eventstreams.kafkaVersion" -}}
{{- $version := default (regexFind "^[0-9]+\\.[0-9]+\\.[0-9]+" (toString .Values.kafkaImage.tag)) .Values.kafkaImage.version }}
{{- required "kafkaImage.version: the tag does not begin with a version such as 4.3.1, so name Kafka's version here" $version }}
{{- end }}
