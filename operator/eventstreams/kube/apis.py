"""The Kubernetes APIs that the operator calls: group, version, plural and kind, and the paths they give."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from eventstreams.api.kinds import KINDS
from eventstreams.api.model import Resource
from eventstreams.core.names import GROUP, VERSION

Manifest = dict[str, Any]
"""A Kubernetes object as JSON: `apiVersion`, `kind`, `metadata` and the rest."""


@dataclass(frozen=True, slots=True)
class API:
    """One kind of object. `group` is empty for the core API."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`group/version`, or the version alone in the core API."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """Return the URL path of a collection, of an object, or of an object's subresource.

        `namespace` None means all namespaces, or an API without namespaces.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


CONFIG_MAPS: Final = API("", "v1", "configmaps", "ConfigMap")
SECRETS: Final = API("", "v1", "secrets", "Secret")
SERVICES: Final = API("", "v1", "services", "Service")
PODS: Final = API("", "v1", "pods", "Pod")
EVENTS: Final = API("", "v1", "events", "Event")
NODES: Final = API("", "v1", "nodes", "Node", namespaced=False)
NAMESPACES: Final = API("", "v1", "namespaces", "Namespace", namespaced=False)  # for tests: each has one of its own
SERVICE_ACCOUNTS: Final = API("", "v1", "serviceaccounts", "ServiceAccount")
PERSISTENT_VOLUME_CLAIMS: Final = API("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
DEPLOYMENTS: Final = API("apps", "v1", "deployments", "Deployment")
STATEFUL_SETS: Final = API("apps", "v1", "statefulsets", "StatefulSet")
ROLES: Final = API("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS: Final = API("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
NETWORK_POLICIES: Final = API("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
POD_DISRUPTION_BUDGETS: Final = API("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
LEASES: Final = API("coordination.k8s.io", "v1", "leases", "Lease")
CUSTOM_RESOURCE_DEFINITIONS: Final = (
    API(  # found by its kind: what applies the CRDs without Helm, as tests do, needs it
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
    )
)
INSTANCES: Final = API(GROUP, VERSION, "eventstreamsinstances", "EventStreamsInstance")
TOPICS: Final = API(GROUP, VERSION, "topics", "Topic")
SERVICE_IDS: Final = API(GROUP, VERSION, "serviceids", "ServiceID")

ALL: Final[tuple[API, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, API))

_BY_KIND: Final = {(api.api_version, api.kind): api for api in ALL}
_BY_RESOURCE: Final = {kind.resource: _BY_KIND[f"{GROUP}/{VERSION}", kind.kind] for kind in KINDS}


def api_of(manifest: Manifest) -> API:
    """Return the API that a manifest belongs to. Raises KeyError for a kind that the operator does not use."""
    return _BY_KIND[manifest["apiVersion"], manifest["kind"]]


def api_of_resource(resource: Resource) -> API:
    """Return the API that a parsed object of one of our kinds belongs to."""
    return _BY_RESOURCE[type(resource)]
