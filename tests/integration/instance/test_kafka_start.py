"""The mounted script and settings start a real broker: on loopback, with the paths of the pod moved elsewhere."""

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.instance.builders import kafka_configuration as built
from eventstreams.instance.identity import Identity, mint
from eventstreams.pki.certificates import KeyPair, Leaf, Usage, make_leaf
from local.jars import kafka_jars
from local.kafka import class_archive
from local.ports import free_ports
from local.processes import Daemon
from local.progress import Progress
from local.waiting import wait_until

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Node:
    """One broker as a pod would run it, below `root`."""

    root: Path
    identity: Identity
    internal: int
    client: int

    @property
    def daemon(self) -> Daemon:
        return Daemon("kafka", self.root)

    def start(self) -> None:
        """Run the script and return when the client port takes connections."""
        environment = {"POD_NAME": "demo-kafka-0", "ADVERTISED_HOST": "localhost", "PATH": os.environ["PATH"]}
        environment["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"  # compile less: this broker does not live long
        self.daemon.start(["bash", self.root / "etc/start-kafka.sh"], env=environment)
        wait_until(
            lambda: listens(self.client),
            "start of Kafka",
            seconds=180,
            daemons=[self.daemon],
        )

    def stop(self) -> None:
        self.daemon.stop(grace_seconds=30)

    def by_certificate(self, pair: KeyPair) -> dict[str, Any]:
        """Return the settings of a client that shows `pair` to the internal listener."""
        return {
            "bootstrap.servers": f"localhost:{self.internal}",
            "security.protocol": "SSL",
            "ssl.ca.pem": self.identity.ca.certificate_pem,
            "ssl.certificate.pem": pair.certificate_pem,
            "ssl.key.pem": pair.key_pem,
            "log_level": 0,
        }

    def by_password(self, user: str, password: str) -> dict[str, Any]:
        """Return the settings of a native client."""
        return {
            "bootstrap.servers": f"localhost:{self.client}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password,
            "ssl.ca.pem": self.identity.ca.certificate_pem,
            "log_level": 0,
        }

    def admin(self) -> AdminClient:  # the room's own client would prove less
        assert self.identity.kafka is not None
        assert self.identity.kafka.admin is not None
        return AdminClient(self.by_certificate(self.identity.kafka.admin))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Return a broker that was formatted and started by our script."""
    node = made(tmp_path_factory.mktemp("kafka"))
    try:
        node.start()
        yield node
    finally:
        node.stop()
        shutil.rmtree(node.root)


def test_the_operator_is_known_by_its_certificate(node: Node) -> None:
    assert node.identity.kafka is not None

    admin = node.admin()
    cluster = admin.describe_cluster(request_timeout=10).result()

    assert cluster.cluster_id == node.identity.kafka.cluster_id


def test_a_server_certificate_of_the_same_ca_opens_nothing(node: Node) -> None:
    rest = make_leaf(node.identity.ca, Leaf("demo-rest", Usage.SERVER, ("localhost",)), now=NOW)

    with pytest.raises(KafkaException):
        AdminClient(node.by_certificate(rest)).list_topics(timeout=2)


def test_records_outlive_a_restart_and_a_user_needs_rights(node: Node) -> None:
    admin = node.admin()
    admin.create_topics([NewTopic("orders", 1)])["orders"].result()
    give(admin, "es.aaaaaaaa.rest", "secret", [AclOperation.WRITE, AclOperation.DESCRIBE])
    give(admin, "es.aaaaaaaa.other", "secret", [])
    assert send(node.by_password("es.aaaaaaaa.rest", "secret"), "orders") == 0
    assert send(node.by_password("es.aaaaaaaa.other", "secret"), "orders") is None
    node.stop()

    node.start()

    assert send(node.by_password("es.aaaaaaaa.rest", "secret"), "orders") == 1


def test_a_format_that_was_cut_short_is_begun_anew(tmp_path: Path) -> None:
    node = made(tmp_path)
    half = tmp_path / "data/log.new"
    half.mkdir(parents=True)
    (half / "bootstrap.checkpoint").write_text("half")
    try:
        node.start()
        assert not half.exists()
        assert (tmp_path / "data/log/meta.properties").exists()
    finally:
        node.stop()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def made(root: Path) -> Node:
    """Lay out what the pod mounts, with paths and ports moved."""
    instance = EventStreamsInstance.model_validate(
        {
            "metadata": {"name": "demo", "namespace": "shop", "uid": "u"},
            "spec": {"kafka": {"managed": {"storage": {"ephemeral": {}}}}},
        }
    )
    identity = mint(instance, token_bytes, NOW)
    assert identity.kafka is not None
    assert instance.spec.kafka.managed is not None
    broker = make_leaf(identity.ca, Leaf(built.BROKER_NAME, Usage.PEER, ("localhost",)), now=NOW)
    controller, internal, client = free_ports([0, 0, 0])
    data = built.kafka_configuration(
        instance,
        instance.spec.kafka.managed,
        cluster_id=identity.kafka.cluster_id,
        directory_ids=identity.kafka.directory_ids,
    )["data"]
    moved = {
        built.CONFIGURATION_PATH: str(root / "etc"),
        built.KEYSTORE_PATH: str(root / "tls"),
        built.TRUSTSTORE_PATH: str(root / "ca"),
        built.DATA_PATH: str(root / "data"),
        "/opt/kafka/libs": str(kafka_jars(Progress())),
        "/opt/kafka/kafka.jsa": str(class_archive(Progress())),
        "/tmp/server": str(root / "server"),  # noqa: S108  # the pod's own
        built.host(instance, 0): "localhost",
        ":9090": f":{controller}",
        ":9091": f":{internal}",
        ":9093": f":{client}",
    }
    write(root / "etc", {name: replaced(text, moved) for name, text in data.items()})
    write(root / "tls", {"server.pem": broker.key_pem + broker.certificate_pem})
    write(root / "ca", {"ca.crt": identity.ca.certificate_pem})
    (root / "data").mkdir(exist_ok=True)
    return Node(root, identity, internal, client)


def replaced(text: str, moved: Mapping[str, str]) -> str:
    for old, new in moved.items():
        text = text.replace(old, new)
    return text


def write(directory: Path, files: Mapping[str, str]) -> None:
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_text(text)


def give(admin: AdminClient, user: str, password: str, operations: list[AclOperation]) -> None:
    """Make a user with rights on all topics."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    for future in admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user, info, password.encode())]
    ).values():
        future.result()
    rules = [
        AclBinding(
            ResourceType.TOPIC,
            "*",
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for operation in operations
    ]
    if rules:
        for made_rule in admin.create_acls(rules).values():
            made_rule.result()


def send(settings: Mapping[str, Any], topic: str) -> int | None:
    """Produce one record and return its offset, None when it was refused."""
    offsets: list[int | None] = []
    producer = Producer({**settings, "enable.idempotence": True, "message.timeout.ms": 10_000})
    producer.produce(topic, b"x", on_delivery=lambda error, record: offsets.append(None if error else record.offset()))
    producer.flush(15)
    return offsets[0]
