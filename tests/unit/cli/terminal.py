"""A terminal with a cluster in memory behind it: commands are run as a person types them."""

import asyncio
import base64
import io
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from eventstreams.cli.program import Program
from eventstreams.core.key import Key
from eventstreams.kube.apis import API, CONFIG_MAPS, INSTANCES, SECRETS, SERVICE_IDS, TOPICS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.main.cli import run
from unit.serviceid.memory_kube import MemoryKube
from unit.serviceid.samples import CA_PEM, some_key

NOW = datetime(2026, 11, 1, 15, 0, 0, tzinfo=UTC)

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
contexts:
- {name: lab, context: {cluster: lab, user: me, namespace: team}}
- {name: prod, context: {cluster: prod, user: me}}
"""


class Stream(io.StringIO):
    """A stream that is a terminal or not."""

    def __init__(self, text: str = "", *, is_terminal: bool = False) -> None:
        super().__init__(text)
        self._is_terminal = is_terminal

    @override
    def isatty(self) -> bool:
        return self._is_terminal


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class Terminal:
    """One person's shell: home and working directory, environment, and the cluster of every context."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.kube = MemoryKube()
        self.connected: list[tuple[str | None, str | None]] = []
        self.environment = {"HOME": str(directory), "KUBECONFIG": str(directory / "kubeconfig")}
        (directory / "kubeconfig").write_text(KUBECONFIG)
        self._capture = capture
        self._now = NOW

    def types(self, line: str, *, answers: str = "", is_terminal: bool = False) -> Ran:
        """Run `kubectl es LINE`. Typer itself writes help and wrong usage to the process's streams."""
        out, err = Stream(is_terminal=is_terminal), Stream(is_terminal=is_terminal)
        program = Program(
            stdin=Stream(answers, is_terminal=is_terminal),
            stdout=out,
            stderr=err,
            environment=self.environment,
            directory=self.directory,
            connect=self._connect,
            now=self._time,
            monotonic=self._monotonic,
            sleep=self._sleep,
        )
        code = run(shlex.split(line), program)
        said = self._capture.readouterr()
        return Ran(code, out.getvalue() + said.out, err.getvalue() + said.err)

    async def _connect(self, kubeconfig: str | None, context: str | None) -> Kube:
        self.connected.append((kubeconfig, context))
        return self.kube

    def _time(self) -> datetime:
        return self._now

    def _monotonic(self) -> float:
        return self._now.timestamp()

    async def _sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def has(self, manifest: Manifest) -> None:
        """Put an object into the cluster."""
        asyncio.run(self.kube.create(manifest))

    def has_instance(self, name: str = "es", namespace: str = "team", **status: Any) -> None:
        """Put a ready instance with its CA bundle into the cluster."""
        self.has(
            {
                "apiVersion": INSTANCES.api_version,
                "kind": INSTANCES.kind,
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"kafka": {"managed": {"storage": {"ephemeral": {}}}}},
                "status": {
                    "endpoints": [
                        {"name": "producer-api", "uri": f"https://{name}-rest.{namespace}.svc", "scope": "internal"},
                        {"name": "producer-api", "uri": "https://203.0.113.7:32443", "scope": "external"},
                        {"name": "kafka", "uri": f"{name}-kafka.{namespace}.svc:9093", "scope": "internal"},
                    ],
                    "kafka": {"mode": "managed", "brokers": 1},
                    "caBundle": {"configMap": f"{name}-ca-bundle", "fingerprints": ["f1"]},
                    "conditions": [condition()],
                }
                | status,
            }
        )
        self.has(
            {
                "apiVersion": "v1",
                "kind": CONFIG_MAPS.kind,
                "metadata": {"name": f"{name}-ca-bundle", "namespace": namespace},
                "data": {"ca.crt": CA_PEM},
                "binaryData": {"truststore.p12": base64.b64encode(b"\x30truststore").decode()},
            }
        )

    def operator_answers(self, ready: Manifest) -> None:
        """Have an operator that gives every new Topic and ServiceID this condition, and its Secret when it is True."""

        def heard(api: API, event: str, manifest: Manifest) -> None:
            if event != "ADDED" or api not in {TOPICS, SERVICE_IDS}:
                return
            metadata = manifest["metadata"]
            key = Key(metadata["namespace"], metadata["name"])
            conditions = [ready, condition("Stalled", "True", "X")] if ready.get("stalled") else [ready]
            self.kube.objects[api, key]["status"] = {"conditions": conditions}
            if api == SERVICE_IDS and ready["status"] == "True":
                self.kube.objects[SECRETS, Key(key.namespace, f"{key.name}-credentials")] = _credentials()

        self.kube.changed = heard

    def stored(self, api: API, name: str, namespace: str = "team") -> Manifest:
        """Return an object of the cluster."""
        return self.kube.objects[api, Key(namespace, name)]


def condition(
    name: str = "Ready", status: str = "True", reason: str = "Ready", message: str = "", **more: Any
) -> Manifest:
    """Return a condition of generation 1."""
    return {"type": name, "status": status, "reason": reason, "message": message, "observedGeneration": 1} | {
        "lastTransitionTime": "2026-11-01T12:00:00Z",
        **more,
    }


def _credentials() -> Manifest:
    texts = {
        "api-key": some_key(1).reveal(),
        "api-endpoint": "https://es-rest.team.svc",
        "api-endpoint-external": "https://203.0.113.7:32443",
    }
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "team"}, "data": data}
