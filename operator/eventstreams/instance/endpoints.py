"""Where an instance can be reached, and which names its certificates are for. Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from eventstreams.api.instance import Endpoint, EventStreamsInstance, RestProducer, Scope, ServiceType
from eventstreams.core import names
from eventstreams.core.errors import RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance.builders import kafka_configuration
from eventstreams.instance.builders.common import Manifest

NODES: Final = 3
"""Nodes that are named for an endpoint of type NodePort: each serves all pods, three outlive the loss of two."""
CLUSTER_DOMAIN: Final = "cluster.local"
"""For clients that write a Service's whole name. A cluster with another domain is reached by the shorter names."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node and the address by which it is reached from outside, or else from inside."""

    name: str
    address: str
    is_ready: bool


def node_of(live: Manifest) -> Node | None:
    """Read a node; None when it has no address."""
    status = live.get("status", {})
    addresses = {one["type"]: one["address"] for one in reversed(status.get("addresses") or ())}
    address = addresses.get("ExternalIP") or addresses.get("InternalIP")
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())
    return None if address is None else Node(live["metadata"]["name"], address, ready)


def needs_nodes(producer: RestProducer) -> bool:
    """Tell whether the external endpoint has to be made of node addresses."""
    return producer.service.type is ServiceType.NODE_PORT and not producer.hostnames


def external_hosts(instance: EventStreamsInstance, nodes: Sequence[Node] | None) -> tuple[str, ...]:
    """Return the hosts at which the endpoint is reached from outside the cluster, the best first.

    Addresses of nodes stay as long as the nodes do, so that certificate and credentials keep their names. `nodes` is
    None when this operator may not read nodes: RefusedError where they are needed.
    """
    producer = instance.spec.rest_producer
    if not needs_nodes(producer):
        return producer.hostnames[:1]
    if nodes is None:
        raise RefusedError(
            Reason.HOSTNAMES_REQUIRED,
            "service type is NodePort and the operator may not read the nodes' addresses: "
            "set spec.restProducer.hostnames to the names or addresses by which clients reach the nodes",
        )
    known = [host for one in instance.status.endpoints if (host := _external_host(one))]
    kept = [host for host in known if any(node.address == host for node in nodes)]
    ready = [node.address for node in sorted(nodes, key=lambda node: node.name) if node.is_ready]
    return tuple(dict.fromkeys(kept + ready))[:NODES]


def producer_names(instance: EventStreamsInstance, hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the names in the endpoint's certificate: the Service's, the extra ones, and those of outside."""
    inside = _service_names(names.rest_producer(instance.metadata.name), instance.metadata.namespace)
    return (*inside, *instance.spec.rest_producer.hostnames, *hosts)


def kafka_names(instance: EventStreamsInstance) -> tuple[str, ...]:
    """Return the names in the brokers' certificate: the bootstrap Service's, and a pattern for all brokers."""
    pods = f"*.{kafka_configuration.domain(instance)}"
    inside = _service_names(names.kafka(instance.metadata.name), instance.metadata.namespace)
    return (*inside, pods, f"{pods}.{CLUSTER_DOMAIN}")


def endpoints_of(
    instance: EventStreamsInstance, *, hosts: Sequence[str], node_port: int | None
) -> tuple[Endpoint, ...]:
    """Return every address of the instance. `node_port` is the Service's, None when it has none (yet)."""
    producer = instance.spec.rest_producer
    host = f"{names.rest_producer(instance.metadata.name)}.{instance.metadata.namespace}.svc"
    found = [_producer(host, names.ENDPOINT_PORT, Scope.INTERNAL)]
    port = node_port if producer.service.type is ServiceType.NODE_PORT else names.ENDPOINT_PORT
    if port is not None:
        found += [_producer(one, port, Scope.EXTERNAL) for one in hosts]
    external = instance.spec.kafka.external
    if external is not None:
        found.append(Endpoint(name="kafka", uri=external.bootstrap_servers, scope=Scope.EXTERNAL))
    else:
        servers = kafka_configuration.bootstrap_servers(instance, names.KAFKA_CLIENT_PORT)
        found.append(Endpoint(name="kafka", uri=servers, scope=Scope.INTERNAL))
    return tuple(found)


def _producer(host: str, port: int, scope: Scope) -> Endpoint:
    written = f"[{host}]" if _is_ipv6(host) else host
    return Endpoint(name="producer-api", uri=f"https://{written}:{port}", scope=scope)


def _external_host(endpoint: Endpoint) -> str:
    if (endpoint.name, endpoint.scope) != ("producer-api", Scope.EXTERNAL):
        return ""
    return urlsplit(endpoint.uri).hostname or ""


def _service_names(service: str, namespace: str) -> tuple[str, ...]:
    whole = f"{service}.{namespace}.svc"
    return (service, f"{service}.{namespace}", whole, f"{whole}.{CLUSTER_DOMAIN}")


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6  # noqa: PLR2004
    except ValueError:
        return False
