"""A real node with the operator installed by its chart, an instance, and a person's shell on it."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from demo.install import OPERATOR_NAMESPACE, ROOT, Images, environment, helm_command, prepare
from local.progress import Progress
from local.provider import Provider, cluster

NAMESPACE = "e2e"
INSTANCE = "my-instance"
T = TypeVar("T")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Shell:
    """bash in a directory of its own, with kubectl, kubectl es, helm and curl on the path."""

    directory: Path
    environment: dict[str, str]

    def run(self, command: str, *, stdin: str = "", seconds: float = 240) -> Ran:
        """Run what a person would type; never raises for its exit code."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def ok(self, command: str, *, stdin: str = "", seconds: float = 240) -> str:
        """Run a command that must succeed and return its output."""
        ran = self.run(command, stdin=stdin, seconds=seconds)
        assert ran.code == 0, f"$ {command}\n{ran.out}{ran.err}"
        return ran.out

    def json(self, command: str) -> Any:
        """Return what `kubectl ... -o json` says."""
        return json.loads(self.ok(f"{command} -o json"))

    def secret(self, name: str, key: str) -> str:
        """Return one value of a Secret."""
        return base64.b64decode(self.json(f"kubectl get secret {name}")["data"][key]).decode()


def until(look: Callable[[], T], *, seconds: float, what: str) -> T:
    """Return the first true answer of `look`; fail when `seconds` are over."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def stays() -> bool:
    """Whether the cluster ran before: then it goes on, and what the tests made there is deleted."""
    return cluster(Progress()).status().is_healthy


@pytest.fixture(scope="session")
def platform(stays: bool) -> Iterator[Provider]:
    """The cluster with a real node."""
    provider = cluster(Progress())
    provider.up()
    yield provider
    if not stays:
        provider.down(wipe=True)


@pytest.fixture(scope="session")
def images(platform: Provider) -> Images:
    return prepare(platform, Progress())


@pytest.fixture(scope="session")
def shell(platform: Provider, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell whose kubeconfig is a copy: the namespace that the tests choose is theirs alone."""
    directory = tmp_path_factory.mktemp("shell")
    kubeconfig = shutil.copy(platform.kubeconfig, directory / "kubeconfig")
    own = {"KUBECONFIG": str(kubeconfig), "XDG_CONFIG_HOME": str(directory), "NO_COLOR": "1"}
    return Shell(directory, os.environ | dict(environment(platform)) | own)


def assert_never_refused(shell: Shell, namespace: str) -> None:
    """Fail when the API server has refused the running operator anything."""
    log = shell.ok(f"kubectl logs -n {namespace} deploy/eventstreams-operator --tail=-1")
    assert "forbidden" not in log.lower()


@pytest.fixture(scope="session")
def operator(shell: Shell, images: Images) -> Iterator[str]:
    """The operator, installed by its chart into a namespace that enforces `restricted`; returns the namespace."""
    shell.ok(f"kubectl create namespace {OPERATOR_NAMESPACE} --dry-run=client -o yaml | kubectl apply -f -")
    shell.ok(f"kubectl label --overwrite namespace {OPERATOR_NAMESPACE} {RESTRICTED}")
    shell.ok(helm_command(images))
    yield OPERATOR_NAMESPACE
    assert_never_refused(shell, OPERATOR_NAMESPACE)


@pytest.fixture(scope="session")
def instance(shell: Shell, operator: str, stays: bool) -> Iterator[str]:
    """An instance that is Ready, in a namespace of its own that enforces `restricted`; returns its name."""
    shell.ok(f"kubectl create namespace {NAMESPACE} --dry-run=client -o yaml | kubectl apply -f -")
    shell.ok(f"kubectl label --overwrite namespace {NAMESPACE} {RESTRICTED}")
    shell.ok(f"kubectl config set-context --current --namespace {NAMESPACE}")
    shell.ok(f"kubectl apply -f {ROOT}/deploy/examples/instance.yaml")
    shell.ok(f"kubectl wait --for=condition=Ready esi/{INSTANCE} --timeout=180s")
    yield INSTANCE
    if stays:
        shell.run(f"kubectl delete topics.eventstreams.dev,serviceids --all -n {NAMESPACE} --timeout=60s")
        shell.run(f"kubectl delete namespace {NAMESPACE} --timeout=120s")


@dataclass(frozen=True, slots=True)
class Application:
    """A topic and a key to it, and the documented request."""

    shell: Shell
    topic: str
    service_id: str
    endpoint: str
    key: str = field(repr=False)

    def curl(self, body: str = "test message", *, key: str | None = None, topic: str | None = None) -> Ran:
        """Send the documented request, letter for letter but for its three values; the status is the last line."""
        return self.shell.run(
            f'curl -sS -m 20 -w "\\n%{{http_code}}" -X POST -H "Authorization: Bearer {key or self.key}" '
            f'-H "Content-Type: text/plain" -H "Accept: application/json" -d \'{body}\' --cacert es-cert.pem '
            f'"{self.endpoint}/topics/{topic or self.topic}/records"'
        )

    def status(self, **changes: str) -> int:
        """Return the HTTP status of the documented request; 0 when there was no answer."""
        ran = self.curl(**changes)
        return int(ran.out.rsplit("\n", 1)[-1] or 0) if ran.code == 0 else 0


def read_back(shell: Shell, topic: str, *, count: int, offset: int = 0, seconds: float = 60) -> list[str]:
    """Return `count` records of a one-partition topic from `offset` on, read by Kafka's own consumer in its pod."""
    said = shell.ok(
        f"kubectl exec {INSTANCE}-kafka-0 -- bash /etc/eventstreams/kafka/kafka-tool.sh console-consumer "
        f"--topic {topic} --partition 0 --offset {offset} --max-messages {count} --timeout-ms {int(seconds * 1000)}",
        seconds=seconds + 30,
    )
    return said.splitlines()
