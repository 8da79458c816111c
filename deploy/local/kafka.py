"""A real Kafka on loopback, for tests: one or more KRaft nodes, from the jars alone.

    with LocalKafka() as kafka:
        producer = Producer(kafka.sasl_settings() | {...})

Data lie on tmpfs where there is one. Nodes are counted from 1. A Kafka whose owner was killed is ended by the next one
that starts.
"""

import base64
import json
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from local import packages
from local.certificates import Authority
from local.jars import kafka_jars
from local.places import TEMPLATES, cache_root, exclusive, fingerprint, made_whole, render, state_root
from local.ports import free_ports
from local.processes import Daemon, Running, boot_id, start_ticks, stop_all
from local.progress import Progress
from local.shell import run
from local.waiting import wait_until

START_SECONDS = 60.0
ADMIN = "admin"
STOP_SECONDS = 30.0
STARTED = "Kafka Server started"

# With a class archive a broker is there in 3 s instead of 7. For throughput leave out TieredStopAtLevel.
QUICK_START = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

# A librdkafka configuration, of the type that its Python package declares.
ClientSettings = dict[str, str | int | float | bool]

_PREFIX = "eventstreams-kafka-"
_SCRATCH = f"{_PREFIX}scratch-"
_TMPFS = Path("/dev/shm")  # noqa: S108  # with a name of its own for each user or run
_LAYOUT = "layout.json"
_OWNER = "owner.json"
_FIRST_PORT = 19092
_REPLICAS = 3  # of internal topics, where there are as many nodes
_ARCHIVE_OPTION = "-Xlog:disable"  # no warning when the archive is not of this Java; Kafka logs by log4j


@dataclass(frozen=True, slots=True)
class NodePorts:
    """Ports of one node on loopback."""

    internal: int
    external: int
    controller: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What is settled when a Kafka is made, and stays for its life."""

    cluster_id: str
    directory_ids: tuple[str, ...]
    password: str
    ports: tuple[NodePorts, ...]

    @classmethod
    def new(cls, nodes: int, first_port: int) -> "Layout":
        """Choose ids, password and ports; `first_port` 0 takes any free ones."""
        wanted = [first_port and first_port + index for index in range(3 * nodes)]
        ports = free_ports(wanted)
        groups = tuple(NodePorts(*ports[3 * index : 3 * index + 3]) for index in range(nodes))
        return cls(_id(), tuple(_id() for _ in range(nodes)), secrets.token_urlsafe(18), groups)

    @classmethod
    def read(cls, path: Path) -> "Layout":
        noted = json.loads(path.read_text())
        ports = tuple(NodePorts(**each) for each in noted["ports"])
        return cls(noted["cluster_id"], tuple(noted["directory_ids"]), noted["password"], ports)


class LocalKafka:
    """A Kafka of `nodes` combined nodes below `directory`; without one, in a scratch directory.

    `properties` are added to every node's server.properties and win; with other `java_options` than those below the
    shared class archive may not fit, then `is_quick` must be False. As a context manager it is up inside the block and
    gone, with its data, after it.
    """

    admin_user = ADMIN

    def __init__(
        self,
        nodes: int = 1,
        *,
        directory: Path | None = None,
        properties: Mapping[str, str] | None = None,
        java_options: Sequence[str] = QUICK_START,
        is_quick: bool = True,
        progress: Progress | None = None,
    ) -> None:
        self._wanted = nodes
        self._is_scratch = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=fast_root()))
        self._properties = dict(properties or {})
        self._java_options = list(java_options)
        self._is_quick = is_quick
        self._progress = progress or Progress()

    def __enter__(self) -> Self:
        try:
            return self.up()
        except BaseException:
            self.wipe()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    @property
    def layout(self) -> Layout:
        """What was settled at the first `up`; FileNotFoundError before."""
        return Layout.read(self.directory / _LAYOUT)

    @property
    def nodes(self) -> range:
        """The numbers of the nodes."""
        return range(1, len(self.layout.ports) + 1)

    @property
    def bootstrap_internal(self) -> str:
        """PLAINTEXT addresses at which everybody is a super user."""
        return ",".join(f"127.0.0.1:{node.internal}" for node in self.layout.ports)

    @property
    def bootstrap_sasl(self) -> str:
        """SASL_SSL addresses, SCRAM-SHA-512, where ACLs count."""
        return ",".join(f"127.0.0.1:{node.external}" for node in self.layout.ports)

    @property
    def ca_file(self) -> Path:
        """The CA certificate of the SASL_SSL listeners."""
        return self._authority.certificate

    @property
    def ca_pem(self) -> str:
        return self.ca_file.read_text()

    @property
    def admin_password(self) -> str:
        return self.layout.password

    def sasl_settings(self, user: str | None = None, password: str | None = None) -> ClientSettings:
        """Return a librdkafka configuration for a SCRAM user of the SASL_SSL listeners; the admin by default."""
        return {
            "bootstrap.servers": self.bootstrap_sasl,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user or ADMIN,
            "sasl.password": password or self.admin_password,
            "ssl.ca.location": str(self.ca_file),
        }

    def up(self) -> Self:
        """Start the nodes that do not run, new ones formatted first, and return when all answer."""
        packages.ensure(packages.JAVA, self._progress)
        if self._is_scratch:
            _end_abandoned()
        command = self._java()
        with exclusive(self.directory):
            self._prepare()
            stopped = [node for node in self.nodes if not self._daemon(node).running()]
            with self._progress.step(f"Kafka of {len(self.nodes)}"):
                with ThreadPoolExecutor() as pool:
                    list(pool.map(lambda node: self._format(command, node), stopped))
                for node in stopped:
                    self._start(command, node)
                self._wait_for(stopped)
        return self

    def start_node(self, node: int) -> None:
        """Start a stopped node again, and return when it answers."""
        self._start(self._java(), node)
        self._wait_for([node])

    def stop_node(self, node: int, *, kill: bool = False) -> None:
        """End one node: in good order, or as a crash would; after one Kafka makes it wait 9 s to come back."""
        self._daemon(node).stop(grace_seconds=0 if kill else STOP_SECONDS)

    def down(self) -> None:
        """End all nodes in good order; the data stay."""
        if self._is_made():
            stop_all([self._daemon(node) for node in self.nodes], grace_seconds=STOP_SECONDS)

    def wipe(self) -> None:
        """End all nodes at once and remove everything."""
        if self._is_made():
            stop_all([self._daemon(node) for node in self.nodes], grace_seconds=0)
        shutil.rmtree(self.directory, ignore_errors=True)

    def running(self) -> dict[int, Running | None]:
        """Return the process of each node."""
        return {node: self._daemon(node).running() for node in self.nodes} if self._is_made() else {}

    def last_words(self) -> dict[int, str]:
        """Return the end of each node's log."""
        return {node: self._daemon(node).last_words() for node in self.nodes} if self._is_made() else {}

    @property
    def _authority(self) -> Authority:
        return Authority(self.directory / "pki")

    def _is_made(self) -> bool:
        return (self.directory / _LAYOUT).exists()

    def _daemon(self, node: int) -> Daemon:
        return Daemon(f"kafka-{node}", self.directory)

    def _prepare(self) -> None:
        """Settle the layout and make certificates, once."""
        if self._is_made():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        owner = Running(os.getpid(), start_ticks(os.getpid()) or 0, boot_id())
        (self.directory / _OWNER).write_text(json.dumps(asdict(owner)))
        authority = Authority.create(self.directory / "pki", "Kafka test CA")
        names = ["DNS:localhost", "IP:127.0.0.1"]
        server = authority.issue_server("server", common_name="kafka", names=names)
        chain = (server.key, server.certificate, authority.certificate)
        (authority.directory / "server.pem").write_text("".join(path.read_text() for path in chain))
        layout = Layout.new(self._wanted, 0 if self._is_scratch else _FIRST_PORT)
        (self.directory / _LAYOUT).write_text(json.dumps(asdict(layout)))

    def _java(self) -> list[str]:
        """Return the start of every Java command: options and class path."""
        jars = sorted(map(str, kafka_jars(self._progress).iterdir()))
        logging = f"-Dlog4j2.configurationFile={TEMPLATES}/kafka-log4j2.yaml"
        archive = [_ARCHIVE_OPTION, f"-XX:SharedArchiveFile={class_archive(self._progress)}"] if self._is_quick else []
        # An explicit, sorted list and not libs/*: a class archive is bound to it.
        return ["java", *self._java_options, *archive, logging, "-cp", ":".join(jars)]

    def _format(self, java: Sequence[str], node: int) -> None:
        data = self.directory / str(node) / "data"
        if (data / "meta.properties").exists():
            return
        data.mkdir(parents=True, exist_ok=True)
        layout = self.layout
        voters = [
            f"{number}@127.0.0.1:{ports.controller}:{layout.directory_ids[number - 1]}"
            for number, ports in zip(self.nodes, layout.ports, strict=True)
        ]
        arguments: list[str | Path] = [
            *("format", "--cluster-id", layout.cluster_id, "--config", self._write_properties(node)),
            *("--initial-controllers", ",".join(voters)),
            # On the command line for a moment, which is no loss: the internal listener asks for no password at all.
            *("--add-scram", f"SCRAM-SHA-512=[name={ADMIN},password={layout.password}]"),
        ]
        run([*java, "kafka.tools.StorageTool", *arguments])

    def _write_properties(self, node: int) -> Path:
        layout = self.layout
        ports, count = layout.ports[node - 1], len(layout.ports)
        replicas = _REPLICAS if count >= _REPLICAS else 1
        text = render(
            "kafka.properties",
            node=node,
            controllers=",".join(f"127.0.0.1:{each.controller}" for each in layout.ports),
            internal=ports.internal,
            external=ports.external,
            controller=ports.controller,
            data=self.directory / str(node) / "data",
            pki=self._authority.directory,
            admin=ADMIN,
            replicas=replicas,
            in_sync=max(1, replicas - 1),
        )
        path = self.directory / str(node) / "server.properties"
        path.write_text(text + "".join(f"{name}={value}\n" for name, value in self._properties.items()))
        return path

    def _start(self, java: Sequence[str], node: int) -> None:
        self._daemon(node).start([*java, "kafka.Kafka", self._write_properties(node)])

    def _wait_for(self, nodes: Sequence[int]) -> None:
        daemons = [self._daemon(node) for node in nodes]
        wait_until(
            lambda: all(STARTED in daemon.log.read_text(errors="replace") for daemon in daemons),
            "start of Kafka",
            seconds=START_SECONDS,
            daemons=daemons,
        )


def local_kafka(progress: Progress | None = None, nodes: int = 1) -> LocalKafka:
    """Return the one Kafka that the command line starts and stops; `nodes` counts when it is made."""
    directory = fast_root() / f"{_PREFIX}{os.geteuid()}-{fingerprint(str(state_root()))}"
    return LocalKafka(nodes, directory=directory, progress=progress)


def fast_root() -> Path:
    """Return where data are written fastest: tmpfs makes partitions three to five times faster than a disk."""
    return _TMPFS if os.access(_TMPFS, os.W_OK) else Path(tempfile.gettempdir())


def class_archive(progress: Progress) -> Path:
    """Return an archive of the broker's loaded classes for this Java and these jars: it halves the time to start."""
    java = run(["java", "--version"])
    directory = cache_root() / "kafka" / f"classes-{fingerprint(kafka_jars(progress).name, java)}"
    archive = directory / "kafka.jsa"
    if archive.exists():
        return archive
    with exclusive(directory):
        if not archive.exists():
            with progress.step("archive Kafka's classes for quick starts (once)"), made_whole(directory) as scratch:
                options = [*QUICK_START, f"-XX:ArchiveClassesAtExit={scratch / archive.name}"]
                with LocalKafka(java_options=options, is_quick=False, progress=Progress(Console(quiet=True))) as kafka:
                    kafka.down()  # written as the broker ends
    return archive


def _end_abandoned() -> None:
    """End and remove scratch Kafkas whose owner was killed before it could."""
    for directory in fast_root().glob(f"{_SCRATCH}*"):
        with suppress(OSError, ValueError):  # another process may be removing it too
            owner = Running(**json.loads((directory / _OWNER).read_text()))
            if not owner.is_alive():
                LocalKafka(directory=directory).wipe()


def _id() -> str:
    """Return a random UUID as Kafka writes it: 22 characters of base64url, without a leading `-`."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
