"""The managed Kafka's pods and the addresses they are reached by."""

from typing import Final

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.kafka import ManagedKafka, PersistentStorage, StorageDeletionPolicy
from eventstreams.core import names
from eventstreams.instance.builders.common import (
    CONFIG_DIGEST,
    KAFKA,
    Images,
    Manifest,
    compute,
    hardened_container,
    hardened_pod,
    labels_for,
    owned,
    selector_for,
    spread_over_nodes,
)
from eventstreams.instance.builders.kafka_configuration import (
    BROKERS,
    CONFIGURATION_PATH,
    DATA_PATH,
    KEYSTORE_PATH,
    TRUSTSTORE_PATH,
    domain,
)

CONTAINER: Final = "kafka"
VOLUME: Final = "data"
STOP_SECONDS: Final = 60
"""For a controlled shutdown: leadership handed over, logs flushed. A broker that is killed checks its logs at start."""
RECOVERY_SECONDS: Final = 1800
"""After a crash a broker may check its logs for half an hour. It is looked at each second: a start takes few."""


def data_claim(instance: EventStreamsInstance, number: int) -> str:
    """Name of a broker's volume claim, as the StatefulSet makes it."""
    return f"{VOLUME}-{names.kafka(instance.metadata.name)}-{number}"


def kafka_stateful_set(
    instance: EventStreamsInstance, managed: ManagedKafka, images: Images, *, config: str, claim_size: str | None
) -> Manifest:
    """StatefulSet of the brokers.

    Pods start together (else no quorum ever forms) and are replaced by the operator alone. A new `config` digest
    makes them outdated. `claim_size` is the size that claims are made with; None without persistent storage. It stays
    what the StatefulSet began with, since Kubernetes does not let it change: claims grow one by one.
    """
    name = names.kafka(instance.metadata.name)
    spec: Manifest = {
        "serviceName": names.kafka_headless(instance.metadata.name),
        "replicas": BROKERS,
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "OnDelete"},
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": selector_for(instance, KAFKA)},
        "template": {
            "metadata": {"labels": labels_for(instance, KAFKA), "annotations": {CONFIG_DIGEST: config}},
            "spec": hardened_pod(images, _pod(instance, managed, images)),
        },
    }
    if managed.storage.persistent is not None and claim_size is not None:
        storage = managed.storage.persistent
        deleted = "Delete" if storage.deletion_policy is StorageDeletionPolicy.DELETE else "Retain"
        spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": deleted, "whenScaled": "Retain"}
        spec["volumeClaimTemplates"] = [_claim(instance, storage, claim_size)]
    return owned(instance, KAFKA, api="apps/v1", kind="StatefulSet", name=name) | {"spec": spec}


def kafka_headless_service(instance: EventStreamsInstance) -> Manifest:
    """Headless Service: a DNS name for each broker, also before it is ready, for the quorum forms by these names."""
    return _service(instance, names.kafka_headless(instance.metadata.name)) | {
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector_for(instance, KAFKA),
            "ports": [_port("controller"), _port("internal"), _port("client")],
        }
    }


def kafka_bootstrap_service(instance: EventStreamsInstance) -> Manifest:
    """Service that native clients and the operator start from; brokers then name themselves."""
    return _service(instance, names.kafka(instance.metadata.name)) | {
        "spec": {
            "type": "ClusterIP",
            "selector": selector_for(instance, KAFKA),
            "ports": [_port("internal"), _port("client")],
        }
    }


def kafka_network_policy(instance: EventStreamsInstance) -> Manifest:
    """Lets everybody to the client and internal ports, which ask who comes, and only brokers to the quorum's port."""
    selector = {"matchLabels": selector_for(instance, KAFKA)}
    head = owned(
        instance,
        KAFKA,
        api="networking.k8s.io/v1",
        kind="NetworkPolicy",
        name=names.kafka(instance.metadata.name),
    )
    return head | {
        "spec": {
            "podSelector": selector,
            "policyTypes": ["Ingress"],
            "ingress": [
                # the operator may run in any namespace: mutual TLS guards the internal port
                {"ports": [_allowed("client"), _allowed("internal")]},
                {"from": [{"podSelector": selector}], "ports": [_allowed("controller")]},
            ],
        }
    }


_PORTS: Final = {
    "controller": names.KAFKA_CONTROLLER_PORT,
    "internal": names.KAFKA_INTERNAL_PORT,
    "client": names.KAFKA_CLIENT_PORT,
}


def _pod(instance: EventStreamsInstance, managed: ManagedKafka, images: Images) -> Manifest:
    name = instance.metadata.name
    volumes: list[Manifest] = [
        {"name": "configuration", "configMap": {"name": names.kafka_configuration(name), "defaultMode": 0o444}},
        {"name": "keystore", "secret": {"secretName": names.kafka_certificate(name), "defaultMode": 0o440}},
        {"name": "truststore", "configMap": {"name": names.ca_bundle(name), "defaultMode": 0o444}},
        {"name": "tmp", "emptyDir": {}},
    ]
    if managed.storage.persistent is None:
        volumes.append({"name": VOLUME, "emptyDir": {}})
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "topologySpreadConstraints": spread_over_nodes(selector_for(instance, KAFKA)),
        "containers": [hardened_container(images, _container(instance, managed, images))],
        "volumes": volumes,
    }


def _container(instance: EventStreamsInstance, managed: ManagedKafka, images: Images) -> Manifest:
    return {
        "name": CONTAINER,
        "image": images.kafka,
        "command": ["bash", f"{CONFIGURATION_PATH}/start-kafka.sh"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "ADVERTISED_HOST", "value": f"$(POD_NAME).{domain(instance)}"},
        ],
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in _PORTS.items()],
        "resources": compute(managed.resources),
        # a broker opens its ports once its logs are checked and it knows the rights
        "startupProbe": _probe("internal", every=1, failures=RECOVERY_SECONDS),
        "readinessProbe": _probe("client", every=5, failures=3),
        "livenessProbe": _probe("internal", every=10, failures=6),
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION_PATH, "readOnly": True},
            {"name": "keystore", "mountPath": KEYSTORE_PATH, "readOnly": True},
            {"name": "truststore", "mountPath": TRUSTSTORE_PATH, "readOnly": True},
            {"name": VOLUME, "mountPath": DATA_PATH},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the pod's own
        ],
    }


def _probe(port: str, *, every: int, failures: int) -> Manifest:
    return {"tcpSocket": {"port": port}, "periodSeconds": every, "failureThreshold": failures, "timeoutSeconds": 3}


def _claim(instance: EventStreamsInstance, storage: PersistentStorage, size: str) -> Manifest:
    spec: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage.class_name is not None:
        spec["storageClassName"] = storage.class_name
    return {"metadata": {"name": VOLUME, "labels": labels_for(instance, KAFKA)}, "spec": spec}


def _service(instance: EventStreamsInstance, name: str) -> Manifest:
    return owned(instance, KAFKA, api="v1", kind="Service", name=name)


def _port(name: str) -> Manifest:
    return {"name": name, "port": _PORTS[name], "targetPort": name, "protocol": "TCP"}


def _allowed(name: str) -> Manifest:
    return {"port": _PORTS[name], "protocol": "TCP"}
