{{/*
What the operator calls, in the namespaces that it serves. `patch` is server-side apply, which also needs `create` for
an object that is not there yet.
*/}}
{{- define "eventstreams.rules" -}}
# our kinds: finalizers are part of the object, status is written by merge patch
- apiGroups: [eventstreams.dev]
  resources: [eventstreamsinstances, topics, serviceids]
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
  verbs: [get, list, watch, create, update, patch, delete]
# what an instance is made of, watched
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# what an instance is made of, compared at each reconciliation
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, create, patch, delete]
# brokers are restarted one by one; volumes go with their instance when its policy says so
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}
