"""The ConfigMap of a managed Kafka: start script, server properties, JVM options, log layout, and whom it is."""

import importlib.resources
from collections.abc import Mapping
from typing import Final

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.kafka import ManagedKafka
from eventstreams.core import names
from eventstreams.instance.builders.common import KAFKA, Manifest, owned

BROKER_NAME: Final = "broker"
"""Common name of every broker's certificate: one for all, so that super.users is static."""
ADMIN_NAME: Final = "operator"
"""Common name of the operator's own certificate."""

CONFIGURATION_PATH: Final = "/etc/eventstreams/kafka"
KEYSTORE_PATH: Final = "/etc/eventstreams/tls"
TRUSTSTORE_PATH: Final = "/etc/eventstreams/ca"
DATA_PATH: Final = "/var/lib/kafka"

REAUTHENTICATE_MILLISECONDS: Final = 3_600_000
"""A native client proves its password again every hour, so that a deleted user does not stay connected for ever."""

_FILES: Final = importlib.resources.files("eventstreams.instance.builders") / "files"
START_SCRIPT: Final = (_FILES / "start-kafka.sh").read_text()
TOOL_SCRIPT: Final = (_FILES / "kafka-tool.sh").read_text()
LOG_LAYOUT: Final = (_FILES / "log4j2.yaml").read_text()

KAFKA_MESSAGE_BYTES: Final = 1_048_588
"""Kafka's own default of message.max.bytes."""
BATCH_OVERHEAD_BYTES: Final = 65_536
"""Beside value and key: a record's headers, at most 10 KiB, and what frames the batch."""

BROKERS: Final = 1  # three and five come with rolls over a quorum


def kafka_configuration(
    instance: EventStreamsInstance, managed: ManagedKafka, *, cluster_id: str, directory_ids: tuple[str, ...]
) -> Manifest:
    """ConfigMap that the broker's pods mount. `directory_ids` holds one id for each broker, by its number."""
    head = owned(instance, KAFKA, api="v1", kind="ConfigMap", name=names.kafka_configuration(instance.metadata.name))
    return head | {
        "data": {
            "start-kafka.sh": START_SCRIPT,
            "kafka-tool.sh": TOOL_SCRIPT,
            "log4j2.yaml": LOG_LAYOUT,
            "server.properties": render(server_properties(instance, managed.config)),
            "jvm.options": jvm_options(managed),
            "cluster-id": cluster_id,
            "initial-controllers": ",".join(
                f"{number}@{host(instance, number)}:{names.KAFKA_CONTROLLER_PORT}:{directory_id}"
                for number, directory_id in enumerate(directory_ids)
            ),
        }
    }


def host(instance: EventStreamsInstance, number: int) -> str:
    """DNS name of a broker's pod."""
    return f"{names.kafka(instance.metadata.name)}-{number}.{domain(instance)}"


def domain(instance: EventStreamsInstance) -> str:
    """DNS name below which each broker's pod has its own."""
    return f"{names.kafka_headless(instance.metadata.name)}.{instance.metadata.namespace}.svc"


def bootstrap_servers(instance: EventStreamsInstance, port: int) -> str:
    """Address of the bootstrap Service: `host:port`."""
    return f"{names.kafka(instance.metadata.name)}.{instance.metadata.namespace}.svc:{port}"


def server_properties(instance: EventStreamsInstance, given: Mapping[str, int | str]) -> dict[str, str]:
    """Broker settings: what so many brokers and the REST producer's records need, then the user's, then what is ours.

    The start script adds what differs from node to node.
    """
    copies = str(min(3, BROKERS))
    in_sync = str(max(1, int(copies) - 1))
    defaults = {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }
    limits = instance.spec.rest_producer.limits
    largest = limits.max_message_bytes + limits.max_key_bytes + BATCH_OVERHEAD_BYTES
    if largest > KAFKA_MESSAGE_BYTES:
        defaults["message.max.bytes"] = str(largest)
    return defaults | {key: str(value) for key, value in given.items()} | _ours(instance)


def _ours(instance: EventStreamsInstance) -> dict[str, str]:
    controllers = (f"{host(instance, number)}:{names.KAFKA_CONTROLLER_PORT}" for number in range(BROKERS))
    return {
        "process.roles": "broker,controller",
        "controller.quorum.bootstrap.servers": ",".join(controllers),
        "controller.listener.names": "CONTROLLER",
        "listeners": f"INTERNAL://:{names.KAFKA_INTERNAL_PORT},CLIENT://:{names.KAFKA_CLIENT_PORT},"
        f"CONTROLLER://:{names.KAFKA_CONTROLLER_PORT}",
        "listener.security.protocol.map": "INTERNAL:SSL,CLIENT:SASL_SSL,CONTROLLER:SSL",
        "inter.broker.listener.name": "INTERNAL",
        # brokers, controllers and the operator know each other by certificate
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": f"{KEYSTORE_PATH}/server.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": f"{TRUSTSTORE_PATH}/ca.crt",
        "ssl.client.auth": "required",
        "ssl.allow.dn.changes": "true",  # a later keystore with other names could not be reloaded otherwise
        "ssl.allow.san.changes": "true",
        # native clients have a user and a password
        "listener.name.client.ssl.client.auth": "none",
        "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.client.connections.max.reauth.ms": str(REAUTHENTICATE_MILLISECONDS),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:CN={BROKER_NAME};User:CN={ADMIN_NAME}",
        "auto.create.topics.enable": "false",
    }


def jvm_options(managed: ManagedKafka) -> str:
    """Options of the JVM: half of the memory limit is heap, the other half is for buffers and the page cache.

    A pod has another address after each restart, also for itself: Java would believe the old one for 30 s, and that
    there is none for 10.
    """
    options = (
        "-XX:MaxRAMPercentage=50" if "memory" in managed.resources.limits else "-Xmx1g",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        "-Dsun.net.inetaddr.ttl=1",
        "-Dsun.net.inetaddr.negative.ttl=1",
    )
    return "".join(f"{option}\n" for option in options)


def render(properties: Mapping[str, str]) -> str:
    """Render Java properties, sorted. No value can end its line: a user's setting must not smuggle in another."""
    return "".join(f"{_escaped(key, ' =:')}={_escaped(value)}\n" for key, value in sorted(properties.items()))


def _escaped(text: str, separators: str = "") -> str:
    """Escape as java.util.Properties reads it: Latin-1, a backslash before what would otherwise have a meaning."""
    out = []
    for number, char in enumerate(text):
        if char == "\\" or char in separators or (number == 0 and char in " #!"):
            out.append(f"\\{char}")
        elif not " " <= char <= "~":
            units = char.encode("utf-16-be")
            out += [f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)]
        else:
            out.append(char)
    return "".join(out)
