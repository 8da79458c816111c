"""The servers that do the same job, each as its documentation runs it, on a core of its own."""

import http.client
import json
import secrets
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from eventstreams.core.apikey import ApiKey, Digest, KeyId, mint
from eventstreams.core.keyring import KeyGrant, KeyLimits, Shard, dump
from local.certificates import Authority
from local.kafka import ADMIN
from local.ports import free_ports
from perf.brokers import TOPIC, Broker
from perf.peers.bridge import KAFKA_FILE, KEYRING_FILE
from perf.program import SERVER_CORE, Program, python

Scheme = Literal["http", "https"]

OURS: Final = "ours"
GRANIAN: Final = "granian"
UVICORN: Final = "uvicorn"
PEERS: Final = (GRANIAN, UVICORN)
CLUSTER_VARIABLE: Final = "BENCH_CLUSTER"
PATH: Final = f"/topics/{TOPIC}/records"

# What ours gives its own: nothing lost, in order. Half a millisecond for company, as ours at 64 connections.
_PEER_PRODUCER: Final = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 0.5,
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 65_536,
    "log_level": 0,
}


class Scene:
    """The files that all servers are given: certificate, keyring, Kafka's settings. One key produces to `bench`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._key = mint(secrets.token_bytes)
        self._others: list[KeyGrant] = []
        self.keyring = self.write_keyring("keyring.json")
        authority = Authority.create(directory, "benchmark CA")
        issued = authority.issue_server("tls", common_name="localhost", names=["DNS:localhost", "IP:127.0.0.1"])
        self.certificate, self.key = issued.certificate, issued.key
        self.ca = authority.certificate
        self.trust = ssl.create_default_context(cafile=self.ca)

    @property
    def authorization(self) -> str:
        return f"Bearer {self._key.reveal()}"

    def add_key(self, owner: str, requests_per_second: int | None = None) -> ApiKey:
        """Add a key that produces to `bench` too, of another ServiceID and limited if asked for."""
        key = mint(secrets.token_bytes)
        limits = None if requests_per_second is None else KeyLimits(requests_per_second)
        self._others.append(KeyGrant(key.id, key.digest, f"apps/{owner}", (TOPIC,), limits=limits))
        self.write_keyring(self.keyring.name)
        return key

    @property
    def grant(self) -> KeyGrant:
        """The key's entry in a keyring."""
        return KeyGrant(self._key.id, self._key.digest, "apps/bench", (TOPIC,))

    def write_keyring(self, name: str, further_keys: int = 0) -> Path:
        """Write a keyring that has the key, and others of other ServiceIDs."""
        others = (
            KeyGrant(KeyId(f"{number:08d}"), Digest(secrets.token_hex(32)), f"apps/app-{number}", (f"topic-{number}",))
            for number in range(further_keys)
        )
        path = self.directory / name
        path.write_text(dump(Shard(1, (self.grant, *self._others, *others))))
        return path

    def credentials(self, broker: Broker) -> Path:
        """Write the user of Kafka as a mounted Secret has it, and return the directory."""
        directory = self.directory / "credentials"
        directory.mkdir(exist_ok=True)
        (directory / "username").write_text(ADMIN)
        (directory / "password").write_text(str(broker.settings["sasl.password"]))
        return directory


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    scheme: Scheme
    port: int
    program: Program
    scene: Scene

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{PATH}"

    def is_ready(self) -> bool:
        """Say whether it stores a record now."""
        try:
            with closing(self.connect()) as connection:
                return self.use(connection) == 200
        except (OSError, http.client.HTTPException):
            return False

    def connect(self) -> http.client.HTTPConnection:
        if self.scheme == "http":
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=self.scene.trust)

    def use(self, connection: http.client.HTTPConnection, authorization: str | None = None) -> int:
        """Send a record over a connection, with the scene's key or another, and return the status of its answer."""
        fields = {"Authorization": authorization or self.scene.authorization, "Content-Type": "text/plain"}
        connection.request("POST", PATH, b"a record", fields)
        answer = connection.getresponse()
        answer.read()
        return answer.status


@contextmanager
def running(
    name: str,
    scheme: Scheme,
    scene: Scene,
    broker: Broker,
    keyring: Path | None = None,
    cluster: str | None = None,
) -> Iterator[Server]:
    """Run a server until the block ends. What follows `ours ` in `name` are changes, see perf.ours.

    `keyring` is another file than the scene's; with `cluster` (see perf.ours) ours watches that one's keyring instead.
    """
    port, metrics_port = free_ports([0, 0])
    if name.startswith(OURS):
        variables = _our_settings(scheme, scene, broker, keyring or scene.keyring)
        variables |= {"EVENTSTREAMS_PORT": str(port), "EVENTSTREAMS_METRICS_PORT": str(metrics_port)}
        if cluster is not None:
            del variables["EVENTSTREAMS_KEYRING_FILE"]
            variables[CLUSTER_VARIABLE] = cluster
        command = _our_command(name.split()[1:], broker)
    else:
        file = scene.directory / "kafka.json"
        file.write_text(json.dumps({**_PEER_PRODUCER, **broker.settings}))
        variables = {KAFKA_FILE: str(file), KEYRING_FILE: str(scene.keyring)}
        command = (_granian if name == GRANIAN else _uvicorn)(port, scheme, scene)
    label = f"{name.replace(' ', '-')}-{scheme}"
    program = Program(label, command, core=SERVER_CORE, directory=scene.directory, variables=variables)
    with program:
        server = Server(name, scheme, port, program, scene)
        program.wait_until(server.is_ready, "its first answer")
        yield server


@contextmanager
def all_running(names: Sequence[str], scheme: Scheme, scene: Scene, broker: Broker) -> Iterator[list[Server]]:
    """Run several servers side by side on the same core; whoever is not asked costs next to nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(name, scheme, scene, broker)) for name in names]


def _our_settings(scheme: Scheme, scene: Scene, broker: Broker, keyring: Path) -> dict[str, str]:
    kafka = broker.settings
    settings = {
        "EVENTSTREAMS_BOOTSTRAP_SERVERS": str(kafka["bootstrap.servers"]),
        "EVENTSTREAMS_KAFKA_SECURITY_PROTOCOL": str(kafka["security.protocol"]),
        "EVENTSTREAMS_KEYRING_FILE": str(keyring),
        "EVENTSTREAMS_DRAIN_SECONDS": "0",
    }
    if "sasl.password" in kafka:
        settings["EVENTSTREAMS_KAFKA_CREDENTIALS_DIR"] = str(scene.credentials(broker))
        settings["EVENTSTREAMS_KAFKA_CA_FILE"] = str(kafka["ssl.ca.location"])
    if scheme == "http":
        return settings | {"EVENTSTREAMS_PLAINTEXT": "true"}
    return settings | {"EVENTSTREAMS_TLS_DIR": str(scene.directory)}


def _our_command(changes: Sequence[str], broker: Broker) -> list[str]:
    if broker.name == "answering":
        changes = ["known-topics", *changes]
    return python("perf.ours", *changes) if changes else python("eventstreams.main.producer")


def _granian(port: int, scheme: Scheme, scene: Scene) -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--http", "1", "--no-ws"]
    if scheme == "https":
        options += ["--ssl-certificate", str(scene.certificate), "--ssl-keyfile", str(scene.key)]
    options += ["--interface", "rsgi", "--loop", "uvloop", "--log-level", "warning"]
    return python("granian", *options, "perf.peers.rsgi:app")


def _uvicorn(port: int, scheme: Scheme, scene: Scene) -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--loop", "uvloop", "--http", "httptools"]
    if scheme == "https":
        options += ["--ssl-certfile", str(scene.certificate), "--ssl-keyfile", str(scene.key)]
    return python("uvicorn", *options, "--no-access-log", "--log-level", "warning", "perf.peers.asgi:app")
