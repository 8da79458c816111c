{{/*
What the operator calls, in the namespaces that it serves; the end-to-end tests run it under exactly this. `patch` is
server-side apply, which also needs `create` for an object that is not there yet. What an instance owns is deleted by
Kubernetes' garbage collector.
*/}}
{{- define "eventstreams.rules" -}}
# our kinds: finalizers, which an instance has none of, are part of the object; status is written by merge patch
- apiGroups: [eventstreams.dev]
  resources: [eventstreamsinstances]
  verbs: [get, list, watch]
- apiGroups: [eventstreams.dev]
  resources: [topics, serviceids]
  verbs: [get, list, watch, patch]
- apiGroups: [eventstreams.dev]
  resources: [eventstreamsinstances/status, topics/status, serviceids/status]
  verbs: [patch]
# credentials: never listed, never watched
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, update, patch, delete]
# keyrings, CA bundles, broker settings; the REST producer's own Role may list and watch: who grants must have
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, update, patch]
# what an instance is made of, watched
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch]
# what an instance is made of, compared at each reconciliation
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, create, patch]
# none for a single pod
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, create, patch, delete]
# brokers are restarted one by one
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
# volumes grow
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}
