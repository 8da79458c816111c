"""The REST producer as a process of its own, as it runs in a pod: started, asked, stopped and read by tests."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from eventstreams.core.apikey import ApiKey
from eventstreams.core.keyring import KeyGrant, Shard, dump
from integration.waiting import eventually
from local.ports import free_ports

ROOT = Path(__file__).parents[3]
START_SECONDS = 30.0
STOP_SECONDS = 40.0


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str]


class ProducerProcess:
    """One REST producer on loopback with TLS, its keyring in a file. Its log goes to a file too."""

    def __init__(self, directory: Path, kafka: Mapping[str, str], certificate: Path, **settings: str) -> None:
        """Take the settings of the connection to Kafka, and further ones by field name.

        `certificate` holds tls.crt and tls.key, and ca.crt unless that is self-signed.
        """
        self.directory = directory
        self.port, self.metrics_port = free_ports([0, 0])
        self.keyring, self.log_path = directory / "keyring.json", directory / "producer.log"
        ca = certificate / "ca.crt"
        self._ca = ca if ca.exists() else certificate / "tls.crt"
        given = {
            "tls_dir": str(certificate),
            "port": str(self.port),
            "metrics_port": str(self.metrics_port),
            "keyring_file": str(self.keyring),
            "request_timeout_seconds": "5",
            "drain_seconds": "5",  # so it ends as soon as nothing is in flight
            "log_level": "DEBUG",
            **kafka,
            **settings,
        }
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "operator"),
            **{f"EVENTSTREAMS_{name.upper()}": value for name, value in given.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._visit = self.visit()
        self._revision = 0
        self.session: aiohttp.ClientSession

    def __enter__(self) -> Self:
        with self.log_path.open("ab") as log:
            command = [sys.executable, "-m", "eventstreams.main.producer"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT if error is None else signal.SIGKILL)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
        assert "Traceback" not in self.log

    async def __aenter__(self) -> Self:
        self.__enter__()
        try:
            await self._visit.__aenter__()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._visit.__aexit__(kind, error, trace)
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[None]:
        """Have a session inside the block, when the running process is ready."""
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self._ca), limit=0)
        async with aiohttp.ClientSession(connector=connector) as self.session:
            await self.ready()
            yield

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def grant(self, *grants: KeyGrant) -> None:
        """Write the keyring anew, as a mounted file is: at once."""
        self._revision += 1
        new = self.keyring.with_suffix(".new")
        new.write_text(dump(Shard(self._revision, grants)))
        new.rename(self.keyring)

    async def ready(self) -> None:
        """Return when the process says that it is ready."""

        async def look() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"the producer ended:\n{self.log}"
            try:
                return (await self.get("/ready")).status == 200
            except aiohttp.ClientError:
                return False

        await eventually(look, "readiness of the producer", seconds=START_SECONDS)

    async def get(self, path: str) -> Reply:
        async with self.session.get(f"{self.url}{path}") as answer:
            return Reply(answer.status, await answer.json(), dict(answer.headers))

    async def metrics(self) -> str:
        async with self.session.get(f"http://127.0.0.1:{self.metrics_port}/metrics") as answer:
            return await answer.text()

    async def produce(
        self, topic: str, body: bytes, key: ApiKey | None, content_type: str = "text/plain", query: str = ""
    ) -> Reply:
        headers = {"Content-Type": content_type}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.reveal()}"
        path = f"{self.url}/topics/{topic}/records{query and '?'}{query}"
        async with self.session.post(path, data=body, headers=headers) as answer:
            return Reply(answer.status, await answer.json(), dict(answer.headers))

    def terminate(self) -> None:
        """Ask the process to end, as the kubelet does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for the end of the process and return its exit code."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, STOP_SECONDS)
