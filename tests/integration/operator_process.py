"""The operator as a process of its own, as it runs in a pod: started, stopped, killed and read by tests."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from integration.waiting import eventually
from local.ports import free_ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 40.0


class OperatorProcess:
    """One operator that serves one namespace, with its Lease there. Its log goes to a file, and on to a failed test."""

    def __init__(self, kubeconfig: Path, namespace: str, log: Path, **settings: str) -> None:
        """Take further settings by field name, for example `resync_seconds="5"`."""
        self.log_path = log
        self.health_port = free_ports([0])[0]
        given = {
            "watch_namespaces": namespace,
            "namespace": namespace,
            "health_port": str(self.health_port),
            "log_format": "text",
            "log_level": "DEBUG",
            "pod_name": "operator",  # started again, it takes its own Lease back at once
            "lease_retry_seconds": "0.5",
            **settings,
        }
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(ROOT / "operator"),
            "PYTHONUNBUFFERED": "1",
            **{f"EVENTSTREAMS_{name.upper()}": value for name, value in given.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        if not self.is_running:
            await self.start()
        await self.working()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            await self.stop()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    async def start(self) -> None:
        """Start the process; it may be on standby for long."""
        with self.log_path.open("ab") as log:
            command = [sys.executable, "-m", "eventstreams.main.operator"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)  # noqa: ASYNC220

    async def working(self) -> None:
        """Return when the process holds the Lease and works."""
        await self.logged(": Working")

    async def reconciled(self, kind: str) -> None:
        """Return when an object of `kind` was brought to its end since the process started."""
        wanted = f'eventstreams_reconciliations_total{{kind="{kind}",result="done"}}'

        async def look() -> bool:
            try:
                return wanted in (await self.get("/metrics"))[1]
            except aiohttp.ClientConnectionError:
                return False

        await eventually(look, wanted, seconds=START_SECONDS)

    async def logged(self, text: str) -> None:
        """Return when the log has a line with `text`."""

        async def look() -> bool:
            assert self.is_running or text in self.log, f"the operator ended:\n{self.log}"
            return text in self.log

        await eventually(look, f"{text!r} in the operator's log", seconds=START_SECONDS)

    async def stop(self) -> int:
        """Ask the process to end, as the kubelet does, and return its exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End the process as a crash would."""
        self.signal(signal.SIGKILL)
        await self.ended()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the end of the process and return its exit code."""

        async def look() -> tuple[int] | None:
            code = None if self._process is None else self._process.poll()
            return None if code is None else (code,)

        return (await eventually(look, "the end of the operator", seconds=STOP_SECONDS))[0]

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page of the health endpoint."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.health_port}{path}") as answer,
        ):
            return answer.status, await answer.text()
