"""The REST producer's pods and what keeps some of them running."""

from dataclasses import dataclass
from typing import Final, Literal

from eventstreams.api.instance import EventStreamsInstance, RestProducer
from eventstreams.core import names
from eventstreams.instance.builders.common import (
    REST_PRODUCER,
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

CONTAINER: Final = "producer"
CREDENTIALS_PATH: Final = "/etc/eventstreams/kafka"
KAFKA_CA_PATH: Final = "/etc/eventstreams/kafka-ca"
TLS_PATH: Final = "/etc/eventstreams/tls"


@dataclass(frozen=True, slots=True)
class CASource:
    """Where a pod finds the CA that signed the brokers' certificates, under `ca.crt`."""

    kind: Literal["ConfigMap", "Secret"]
    name: str


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How the REST producer reaches Kafka.

    `credentials` names a Secret with `username` and `password`. `ca` None: the image's public CAs.
    """

    bootstrap_servers: str
    sasl_mechanism: str
    credentials: str
    ca: CASource | None


@dataclass(frozen=True, slots=True)
class Logging:
    """How the pods log."""

    format: str = "json"
    level: str = "INFO"


def rest_producer_deployment(
    instance: EventStreamsInstance, images: Images, *, kafka: KafkaAccess, logging: Logging
) -> Manifest:
    """Deployment of the REST producer. Certificates, CAs and credentials reload by themselves and roll nothing."""
    producer = instance.spec.rest_producer
    selector = selector_for(instance, REST_PRODUCER)
    drain_seconds = drain_seconds_of(producer)
    pod: Manifest = {
        "serviceAccountName": names.rest_producer(instance.metadata.name),
        "automountServiceAccountToken": True,  # it watches the keyring
        "terminationGracePeriodSeconds": drain_seconds + 10,
        "topologySpreadConstraints": spread_over_nodes(selector),
        "containers": [hardened_container(images, _container(instance, images, kafka, logging))],
        "volumes": _volumes(instance, kafka),
    }
    head = owned(
        instance,
        REST_PRODUCER,
        api="apps/v1",
        kind="Deployment",
        name=names.rest_producer(instance.metadata.name),
    )
    return head | {
        "spec": {
            "replicas": producer.replicas,
            "revisionHistoryLimit": 3,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels_for(instance, REST_PRODUCER)},
                "spec": hardened_pod(images, pod),
            },
        }
    }


def rest_producer_disruption_budget(instance: EventStreamsInstance) -> Manifest | None:
    """Budget that lets one pod go at a time; None for a single pod, which would block every drain of its node."""
    if instance.spec.rest_producer.replicas < 2:  # noqa: PLR2004
        return None
    head = owned(
        instance,
        REST_PRODUCER,
        api="policy/v1",
        kind="PodDisruptionBudget",
        name=names.rest_producer(instance.metadata.name),
    )
    return head | {
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector_for(instance, REST_PRODUCER)},
        }
    }


def drain_seconds_of(producer: RestProducer) -> int:
    """Return how long a pod serves on after it was told to stop: the longest request, and time for news to spread."""
    return producer.limits.request_timeout_seconds + 5


def environment(instance: EventStreamsInstance, kafka: KafkaAccess, logging: Logging) -> dict[str, str]:
    """Return the settings of the producer's process."""
    producer = instance.spec.rest_producer
    settings = {
        "INSTANCE": instance.metadata.name,
        "NAMESPACE": instance.metadata.namespace,
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": kafka.sasl_mechanism,
        "KAFKA_CREDENTIALS_DIR": CREDENTIALS_PATH,
        "TLS_DIR": TLS_PATH,
        "PORT": str(names.PRODUCER_PORT),
        "METRICS_PORT": str(names.PRODUCER_METRICS_PORT),
        "MAX_KEY_BYTES": str(producer.limits.max_key_bytes),
        "MAX_MESSAGE_BYTES": str(producer.limits.max_message_bytes),
        "MAX_REQUEST_BYTES": str(producer.limits.max_request_bytes),
        "MAX_RECORDS_PER_REQUEST": str(producer.limits.max_records_per_request),
        "IN_FLIGHT_RECORDS": str(producer.limits.in_flight_records),
        "IN_FLIGHT_BYTES": str(producer.limits.in_flight_bytes),
        "PAGE": str(producer.page).lower(),
        "REQUEST_TIMEOUT_SECONDS": str(producer.limits.request_timeout_seconds),
        "DRAIN_SECONDS": str(drain_seconds_of(producer)),
        "LOG_FORMAT": logging.format,
        "LOG_LEVEL": logging.level,
    }
    if kafka.ca is not None:
        settings["KAFKA_CA_FILE"] = f"{KAFKA_CA_PATH}/ca.crt"
    return {f"EVENTSTREAMS_{name}": value for name, value in sorted(settings.items())}


def _container(instance: EventStreamsInstance, images: Images, kafka: KafkaAccess, logging: Logging) -> Manifest:
    mounts = [("kafka-credentials", CREDENTIALS_PATH), ("tls", TLS_PATH)]
    if kafka.ca is not None:
        mounts.append(("kafka-ca", KAFKA_CA_PATH))
    return {
        "name": CONTAINER,
        "image": images.producer,
        "command": ["eventstreams-producer"],
        "env": [{"name": name, "value": value} for name, value in environment(instance, kafka, logging).items()],
        "ports": [
            {"name": "https", "containerPort": names.PRODUCER_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": names.PRODUCER_METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": compute(instance.spec.rest_producer.resources),
        "readinessProbe": _probe("/ready", every=2, failures=2),
        "livenessProbe": _probe("/alive", every=10, failures=3),
        "volumeMounts": [
            *({"name": name, "mountPath": path, "readOnly": True} for name, path in mounts),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the pod's own
        ],
    }


def _volumes(instance: EventStreamsInstance, kafka: KafkaAccess) -> list[Manifest]:
    credentials = {
        "secretName": kafka.credentials,
        "defaultMode": 0o440,
        "items": [{"key": key, "path": key} for key in ("username", "password")],
    }
    certificate = {"secretName": names.endpoint_certificate(instance.metadata.name), "defaultMode": 0o440}
    volumes: list[Manifest] = [
        {"name": "kafka-credentials", "secret": credentials},
        {"name": "tls", "secret": certificate},
        {"name": "tmp", "emptyDir": {}},
    ]
    if kafka.ca is not None:
        volumes.append({"name": "kafka-ca"} | _ca_volume(kafka.ca))
    return volumes


def _ca_volume(ca: CASource) -> Manifest:
    items = [{"key": "ca.crt", "path": "ca.crt"}]
    if ca.kind == "ConfigMap":
        return {"configMap": {"name": ca.name, "defaultMode": 0o444, "items": items}}
    return {"secret": {"secretName": ca.name, "defaultMode": 0o440, "items": items}}


def _probe(path: str, *, every: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "https", "scheme": "HTTPS"},
        "periodSeconds": every,
        "failureThreshold": failures,
        "timeoutSeconds": 3,
    }
