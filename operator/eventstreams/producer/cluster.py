"""As much of an HTTP client as reading from the Kubernetes API takes: one GET, its body piece by piece.

The kubernetes package would cost 36 MB of memory in every pod. One request a connection: no pool, no state.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECT_SECONDS: Final = 10.0
_HEAD_BYTES: Final = 65_536


class ClusterError(Exception):
    """The API server did not answer, or not as asked. `status` is its HTTP status, 0 without one."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the API server is, and the files that open it. They are read for each request: tokens rotate."""

    host: str
    port: int
    ca_file: Path = SERVICE_ACCOUNT / "ca.crt"
    token_file: Path = SERVICE_ACCOUNT / "token"

    @classmethod
    def of_pod(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the cluster that this pod runs in. Raises ClusterError outside of one."""
        try:
            return cls(environment["KUBERNETES_SERVICE_HOST"], int(environment["KUBERNETES_SERVICE_PORT"]))
        except KeyError:
            raise ClusterError("this is no pod of a cluster: give a keyring file to run without Kubernetes") from None

    @asynccontextmanager
    async def get(self, path: str, *, silence_seconds: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the pieces of the body of `path` as they come.

        Raises ClusterError when the connection fails, when nothing comes for `silence_seconds`, and for any status
        but 200.
        """
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(
                    self.host, self.port, ssl=ssl.create_default_context(cafile=self.ca_file), limit=_HEAD_BYTES
                )
                writer.write(self._request(path))
                head = await reader.readuntil(b"\r\n\r\n")
            status, is_chunked = _read_head(head)
            if status != 200:  # noqa: PLR2004
                raise ClusterError(f"the API server answers {status}", status)
            yield _chunks(reader, silence_seconds) if is_chunked else _rest(reader, silence_seconds)
        except (OSError, ValueError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            raise ClusterError(f"the API server cannot be read: {str(error) or type(error).__name__}") from error
        finally:
            if writer is not None:
                writer.transport.abort()

    def _request(self, path: str) -> bytes:
        token = self.token_file.read_text(encoding="ascii").strip()
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{self.port}\r\nAuthorization: Bearer {token}\r\n"
            "Accept: application/json\r\nUser-Agent: eventstreams-producer\r\nConnection: close\r\n\r\n"
        ).encode()


def _read_head(head: bytes) -> tuple[int, bool]:
    """Return the status, and whether the body is chunked."""
    first, *lines = head.decode("latin-1").split("\r\n")
    is_chunked = any(line.lower().replace(" ", "") == "transfer-encoding:chunked" for line in lines)
    return int(first.split(" ")[1]), is_chunked


async def _chunks(reader: asyncio.StreamReader, silence_seconds: float) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(silence_seconds):
            size = int(await reader.readuntil(b"\r\n"), 16)
            piece = (await reader.readexactly(size + 2))[:-2]
        if not piece:
            return
        yield piece


async def _rest(reader: asyncio.StreamReader, silence_seconds: float) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(silence_seconds):
            piece = await reader.read(_HEAD_BYTES)
        if not piece:
            return
        yield piece
