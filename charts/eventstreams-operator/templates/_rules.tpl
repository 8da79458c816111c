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
# owner references that block their owner's deletion, where the cluster checks them
- apiGroups: [eventstreams.dev]
  resources: [eventstreamsinstances/finalizers, topics/finalizers, serviceids/finalizers]
  verbs: [update]
# credentials: never listed, never watched
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, update, patch, delete]
# what an instance is made of; the REST producer's own Role may list and watch ConfigMaps, and who grants must have
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# brokers are restarted one by one; volumes go with their instance when its policy says so
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}
