"""What the REST producer may do in Kubernetes, and who may reach it."""

from typing import Final

from eventstreams.api.instance import EventStreamsInstance, ServiceType
from eventstreams.core import names
from eventstreams.instance.builders.common import REST_PRODUCER, Manifest, owned, selector_for

_RBAC: Final = "rbac.authorization.k8s.io"


def rest_producer_service_account(instance: EventStreamsInstance) -> Manifest:
    """ServiceAccount of the pods; its token is mounted only where a pod asks for it."""
    return _head(instance, api="v1", kind="ServiceAccount") | {"automountServiceAccountToken": False}


def rest_producer_role(instance: EventStreamsInstance) -> Manifest:
    """Role that lets the pods read the keyring. Names cannot be listed: `list` and `watch` ignore them."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
    return _head(instance, api=f"{_RBAC}/v1", kind="Role") | {"rules": rules}


def rest_producer_role_binding(instance: EventStreamsInstance) -> Manifest:
    """RoleBinding of the two."""
    name = names.rest_producer(instance.metadata.name)
    return _head(instance, api=f"{_RBAC}/v1", kind="RoleBinding") | {
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": instance.metadata.namespace}],
    }


def rest_producer_service(instance: EventStreamsInstance) -> Manifest:
    """Endpoint Service: HTTPS on port 443, with type NodePort on a port of every node too."""
    wanted = instance.spec.rest_producer.service
    port: Manifest = {"name": "https", "port": names.ENDPOINT_PORT, "targetPort": "https", "protocol": "TCP"}
    if wanted.type is ServiceType.NODE_PORT and wanted.node_port is not None:
        port["nodePort"] = wanted.node_port
    service = _head(instance, api="v1", kind="Service")
    if wanted.annotations:
        service["metadata"]["annotations"] = dict(wanted.annotations)
    return service | {
        "spec": {"type": wanted.type.value, "selector": selector_for(instance, REST_PRODUCER), "ports": [port]}
    }


def rest_producer_network_policy(instance: EventStreamsInstance) -> Manifest:
    """Lets everybody to the endpoint, which asks for a key, and to the metrics; nothing else comes in."""
    ports = (names.PRODUCER_PORT, names.PRODUCER_METRICS_PORT)
    return _head(instance, api="networking.k8s.io/v1", kind="NetworkPolicy") | {
        "spec": {
            "podSelector": {"matchLabels": selector_for(instance, REST_PRODUCER)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": port, "protocol": "TCP"} for port in ports]}],
        }
    }


def _head(instance: EventStreamsInstance, *, api: str, kind: str) -> Manifest:
    return owned(instance, REST_PRODUCER, api=api, kind=kind, name=names.rest_producer(instance.metadata.name))
