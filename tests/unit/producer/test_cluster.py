"""The small client for the Kubernetes API, before a server that misbehaves as a test wants it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from eventstreams.producer.cluster import Cluster, ClusterError
from eventstreams.producer.keyring_watch import _lines
from unit.producer.certificates import Certificate, self_signed

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Sends `pieces` to whoever asks, then closes unless it is to hang; remembers what was asked."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_hanging = False
        self.asked = b""
        self._end = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = await reader.readuntil(b"\r\n\r\n")
        for piece in self.pieces:
            writer.write(piece)
            await writer.drain()
        if self.is_hanging:
            await self._end.wait()
        writer.close()

    def release(self) -> None:
        self._end.set()


@pytest.fixture
async def server(certificate: Certificate, tmp_path: Path) -> AsyncIterator[tuple[Server, Cluster]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.directory / "tls.key")
    server = Server()
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0, ssl=context)
    token = tmp_path / "token"
    token.write_text("first\n")
    yield server, Cluster("127.0.0.1", listening.sockets[0].getsockname()[1], certificate.file, token)
    server.release()
    listening.close()


async def body(cluster: Cluster, silence_seconds: float = 5) -> bytes:
    async with cluster.get("/api", silence_seconds=silence_seconds) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_a_chunked_body_and_one_that_ends_with_the_connection_are_read(server: tuple[Server, Cluster]) -> None:
    there, cluster = server
    there.pieces = [HEAD + b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"]
    chunked = await body(cluster)
    there.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"abc"]

    assert (chunked, await body(cluster)) == (b"abcde", b"abc")


async def test_the_token_is_read_anew_for_each_request(server: tuple[Server, Cluster]) -> None:
    there, cluster = server
    there.pieces = [HEAD + b"0\r\n\r\n"]
    await body(cluster)
    cluster.token_file.write_text("second")

    await body(cluster)

    assert b"\r\nAuthorization: Bearer second\r\n" in there.asked


def forbidden(server: Server) -> None:
    server.pieces = [b"HTTP/1.1 403 Forbidden\r\n\r\n{}"]


def cut_off(server: Server) -> None:
    server.pieces = [HEAD + b"5\r\nab"]


def silent(server: Server) -> None:
    server.pieces, server.is_hanging = [HEAD + b"3\r\nabc\r\n"], True


def nonsense(server: Server) -> None:
    server.pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"]


@pytest.mark.parametrize(
    ("misbehave", "says"),
    [(forbidden, "403"), (cut_off, "cannot be read"), (silent, "TimeoutError"), (nonsense, "cannot be read")],
)
async def test_an_api_server_that_misbehaves_is_an_error_that_says_how(
    server: tuple[Server, Cluster], misbehave: Callable[[Server], None], says: str
) -> None:
    there, cluster = server
    misbehave(there)

    with pytest.raises(ClusterError, match=says):
        await body(cluster, silence_seconds=0.2)


async def test_a_server_of_another_ca_is_not_trusted(
    server: tuple[Server, Cluster], tmp_path: Path, certificate: Certificate
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _, cluster = server

    with pytest.raises(ClusterError, match="certificate verify failed"):
        await body(Cluster(cluster.host, cluster.port, self_signed(other).file, cluster.token_file))


async def test_outside_a_pod_the_way_without_kubernetes_is_named() -> None:
    with pytest.raises(ClusterError, match="keyring file"):
        Cluster.of_pod({})


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_lines_are_cut_wherever_the_pieces_are() -> None:
    lines = [line async for line in _lines(pieces_of(b'{"a"', b':1}\n{"b":', b"2}\n\n", b'{"c":3}\nrest'))]

    assert lines == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


async def test_an_event_without_an_end_is_an_error() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    with pytest.raises(ClusterError):
        [line async for line in _lines(endless())]
