"""`kubectl es` as a process of its own, on a real API server; what the operator would say is written by hand."""

import asyncio
import os
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

from eventstreams.kube.apis import API, SERVICE_IDS, TOPICS, Manifest
from eventstreams.kube.client import Kube
from integration.serviceid.rig import CA_PEM, NEVER, Rig
from integration.waiting import eventually

pytestmark = pytest.mark.integration

T = TypeVar("T")

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str


class Shell:
    """A person's shell in front of the cluster, in the test's namespace."""

    def __init__(self, kubeconfig: Path, directory: Path, namespace: str) -> None:
        self.directory = directory
        self._namespace = namespace
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(ROOT / "operator"),
        }

    def other_kubeconfig(self, *, server: str = "", token: str = "") -> str:
        """Write a kubeconfig with another server or another user and return its path."""
        content = yaml.safe_load(Path(self.environment["KUBECONFIG"]).read_text())
        if server:
            content["clusters"][0]["cluster"]["server"] = server
        if token:
            content["users"][0]["user"] = {"token": token}
        path = self.directory / "kubeconfig"
        path.write_text(yaml.safe_dump(content))
        return str(path)

    async def types(self, *words: str) -> Ran:
        """Run `kubectl es WORDS -n NAMESPACE`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "eventstreams.main.cli",
            *words,
            "-n",
            self._namespace,
            env=self.environment,
            cwd=self.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def rig(kube: Kube, namespace: str) -> Rig:
    """Return a namespace with an instance that is Ready by hand."""
    rig = Rig(kube, namespace)
    await rig.instance()
    return rig


@pytest.fixture
def shell(control_plane: Path, tmp_path: Path, namespace: str) -> Shell:
    return Shell(control_plane, tmp_path, namespace)


async def meanwhile(command: Awaitable[Ran], work: Awaitable[None]) -> Ran:
    """Run a command and, while it waits, what the operator would do."""
    async with asyncio.TaskGroup() as group:
        ran = group.create_task(_awaited(command))
        group.create_task(_awaited(work))
    return ran.result()


async def judge(rig: Rig, api: API, name: str, **conditions: tuple[str, str, str]) -> None:
    """Write conditions (status, reason, message) once the object exists, as the operator does."""

    async def look() -> Manifest | None:
        return await rig.kube.get(api, rig.namespace, name)

    await eventually(look, f"{name} exists")
    written = [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": 1,
            "lastTransitionTime": NEVER,
        }
        for kind, (status, reason, message) in conditions.items()
    ]
    status = {"status": {"observedGeneration": 1, "conditions": written}}
    await rig.kube.patch(api, rig.namespace, name, status, subresource="status")


async def test_init_shows_the_instance_and_later_commands_use_it(rig: Rig, shell: Shell) -> None:
    ran = await shell.types("init")
    assert (ran.code, ran.err) == (0, "")
    assert f"Namespace                                  {rig.namespace}\n" in ran.out
    assert "Event Streams API endpoint                 https://203.0.113.7:32443\n" in ran.out
    assert ran.out.endswith("OK\n")
    assert (shell.directory / ".config" / "eventstreams" / "config.yaml").is_file()


async def test_a_topic_is_created_and_waited_for(rig: Rig, shell: Shell) -> None:
    operator = judge(rig, TOPICS, "orders", Ready=("True", "Ready", ""))
    ran = await meanwhile(shell.types("topic-create", "orders", "-p", "3", "-c", "retention.ms=1000"), operator)
    assert ran == Ran(0, "Created topic orders\nOK\n", "")
    topic = await rig.kube.get(TOPICS, rig.namespace, "orders")
    assert topic is not None
    assert (topic["spec"]["partitions"], topic["spec"]["config"]) == (3, {"retention.ms": 1000})
    assert (await shell.types("topics")).out == "Topic name\norders\nOK\n"


async def test_a_topic_that_the_operator_refuses_fails_with_its_words(rig: Rig, shell: Shell) -> None:
    reason = ("False", "ReplicationFactorRefused", "3 replicas asked, 1 broker there")
    operator = judge(rig, TOPICS, "orders", Ready=reason, Stalled=("True", "ReplicationFactorRefused", ""))
    ran = await meanwhile(shell.types("topic-create", "orders", "-r", "3"), operator)
    assert ran == Ran(
        1,
        "",
        "FAILED\nTopic orders is refused: ReplicationFactorRefused: 3 replicas asked, 1 broker there\n"
        "What to do: lower spec.replicationFactor, or leave it out for the broker's default\n",
    )


async def test_a_rule_of_the_api_server_is_told_in_its_words(rig: Rig, shell: Shell) -> None:
    ran = await shell.types("topic-create", "__mine")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("FAILED\nTopic.eventstreams.dev ")
    assert " is invalid: spec: names that begin with __ belong to Kafka itself\n" in ran.err


async def test_a_topic_that_exists_is_not_created_twice(rig: Rig, shell: Shell) -> None:
    assert (await shell.types("topic-create", "orders", "--no-wait")).code == 0
    ran = await shell.types("topic-create", "orders", "--no-wait")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"FAILED\nTopic orders exists already in namespace {rig.namespace}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("topic-create", "My_Topic", "-c", "cleanup.policy=compact"),
        ("iam-service-id-create", "app", "--role", "editor", "--topic", "orders,pay-*"),
    ],
)
async def test_the_manifest_of_a_dry_run_is_one_that_the_api_server_takes(
    rig: Rig, shell: Shell, words: tuple[str, ...]
) -> None:
    ran = await shell.types(*words, "--dry-run=client", "-o", "yaml")
    manifest = yaml.safe_load(ran.out)
    stored = await rig.kube.apply(manifest)
    assert manifest["spec"].items() <= stored["spec"].items()


async def test_a_service_id_is_created_and_the_key_of_its_secret_is_shown(rig: Rig, shell: Shell) -> None:
    async with rig.operating():
        ran = await shell.types("iam-service-id-create", "--name", "app", "--role", "editor", "--topic", "orders")
    assert (ran.code, ran.err) == (0, "")
    assert f"API key       {await rig.key_text()}\n" in ran.out
    assert "https://203.0.113.7:32443/topics/orders/records\n" in ran.out
    assert ran.out.endswith("OK\n")


async def test_a_service_id_that_is_not_ready_in_time_fails(rig: Rig, shell: Shell) -> None:
    waiting = ("False", "InstanceNotReady", "instance demo has no endpoint yet")
    operator = judge(rig, SERVICE_IDS, "app", Ready=waiting)
    words = ("iam-service-id-create", "app", "--role", "viewer", "--topic", "orders", "--timeout", "2s")
    ran = await meanwhile(shell.types(*words), operator)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "FAILED\nServiceID app is not Ready after 2 s: InstanceNotReady: instance demo has no endpoint yet\n"
    )


async def test_the_certificate_is_written_beside_the_caller(rig: Rig, shell: Shell) -> None:
    ran = await shell.types("certificates", "--format", "pem")
    file = shell.directory / "es-cert.pem"
    assert ran == Ran(0, f"Certificate successfully written to {file}.\nOK\n", "")
    assert file.read_text() == CA_PEM


async def test_an_api_server_that_is_not_there_is_told(shell: Shell) -> None:
    ran = await shell.types("topics", "--kubeconfig", shell.other_kubeconfig(server="https://127.0.0.1:9"))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("FAILED\nthe Kubernetes API does not answer GET ")
    assert "What to do: check --kubeconfig and --context" in ran.err


async def test_a_user_whom_the_api_server_does_not_know_is_told_so(rig: Rig, shell: Shell) -> None:
    ran = await shell.types("topics", "--kubeconfig", shell.other_kubeconfig(token="wrong"))
    assert (ran.code, ran.out) == (1, "")
    assert "answered 401" in ran.err


async def _awaited(work: Awaitable[T]) -> T:
    return await work
