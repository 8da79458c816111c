"""A TLS client in memory, at the other end of the TLS shim."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, cast

from eventstreams.producer.tls import TLS, Carried
from unit.producer.certificates import Certificate
from unit.producer.rig import Wire, statuses


class Handle:
    def cancel(self) -> None:
        pass


class Loop:
    """As much of a loop as the shim asks for; `call_soon` happens at once unless `is_late`, timers when told."""

    def __init__(self) -> None:
        self.late: list[Callable[[], object]] = []
        self.is_late = False

    def call_later(self, _seconds: float, call: Callable[[], object], *_: Any) -> Handle:
        self.late.append(call)
        return Handle()

    def call_soon(self, call: Callable[[], object]) -> Handle:
        if self.is_late:
            self.late.append(call)
        else:
            call()
        return Handle()


class TLSClient:
    """Shakes hands with the shim and talks to what it carries, in pieces of so many bytes."""

    def __init__(
        self, context: ssl.SSLContext, carried: Carried, certificate: Certificate, *, piece_bytes: int = 16_000
    ) -> None:
        self.wire, self.loop = Wire(), Loop()
        self.server = TLS(context, carried, cast("asyncio.AbstractEventLoop", self.loop), 10)
        self.server.connection_made(cast("asyncio.Transport", self.wire))
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context(cafile=certificate.file)
        self.tls = client.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.received = bytearray()
        self.piece_bytes = piece_bytes
        self._shake_hands()

    def send(self, data: bytes) -> None:
        """Send, and receive what comes back at once."""
        self.tls.write(data)
        self._to_server()
        self.receive()

    def receive(self) -> None:
        self._from_server()
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while piece := self.tls.read(65_536):
                self.received += piece

    @property
    def statuses(self) -> list[int]:
        self.receive()
        return statuses(self.received)

    @property
    def is_open(self) -> bool:
        return self.wire.is_open

    def _shake_hands(self) -> None:
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            self._to_server()
            self._from_server()

    def _to_server(self) -> None:
        while data := self._outgoing.read(self.piece_bytes):
            self.server.data_received(data)

    def _from_server(self) -> None:
        self._incoming.write(bytes(self.wire.written))
        self.wire.written.clear()
