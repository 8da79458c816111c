"""TLS between the socket and a connection, over memory BIOs.

uvloop's own TLS costs 28 µs a request, this 12: it reads until OpenSSL has nothing more without running into
SSLWantReadError, and copies once. What is below sees a `Wire`, exactly what it would see of a plain transport.
"""

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Final, Protocol, cast

from typing_extensions import override

READ_BYTES: Final = 16_384
"""The largest TLS record: OpenSSL gives no more at a time."""
_SLICE_BYTES: Final = 18_432
"""What is given to OpenSSL at a time: a record with what encrypts it, and a small one, as a head and its body are."""


class Wire(Protocol):
    """What a connection needs of what carries its bytes; asyncio.Transport is one."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Carried(Protocol):
    """What is carried: told of its wire, and then once that is ready for use."""

    def reached(self, wire: Wire) -> bool: ...
    def wired(self) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> bool | None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...


def server_context(directory: Path) -> ssl.SSLContext:
    """Return a context that serves `tls.crt` and `tls.key`. Raises OSError or ssl.SSLError when they are no pair.

    Make another one when they change: a context that is told of a second pair keeps the first one if its key is of
    another kind, and has lost it if the second is no pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 1
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    return context


class TLS(asyncio.Protocol):
    """A protocol to the transport, a wire to the connection.

    Invariants: the connection is wired when the handshake is done and not before; after `write_eof`, and after the
    peer's close_notify, its bytes are passed on undecrypted, only to be counted; their end is told after all of them; a
    TLS error aborts.
    """

    __slots__ = (
        "_carried",
        "_handshaken",
        "_has_ended",
        "_incoming",
        "_is_deaf",
        "_late",
        "_loop",
        "_outgoing",
        "_paused",
        "_tls",
        "_transport",
    )
    _transport: asyncio.Transport

    def __init__(
        self, context: ssl.SSLContext, carried: Carried, loop: asyncio.AbstractEventLoop, handshake_seconds: float
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._carried = carried
        self._loop = loop
        self._handshaken = self._is_deaf = self._has_ended = self._paused = False
        self._late = loop.call_later(handshake_seconds, self.abort)

    # the transport's side

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._carried.reached(self)

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            self._carried.data_received(data)
            return
        for at in range(0, len(data), _SLICE_BYTES):  # the BIO keeps as much memory as it once held
            self._incoming.write(data[at : at + _SLICE_BYTES])
            if self._handshaken or self._handshake():
                self._decrypt()

    @override
    def eof_received(self) -> bool:
        if self._handshaken:
            self._has_ended = True
            self._decrypt()
        return self._handshaken

    @override
    def pause_writing(self) -> None:
        self._carried.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._carried.resume_writing()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        self._carried.connection_lost(exc)

    # the connection's side

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        try:
            self._tls.write(data)
        except ssl.SSLError:  # broken by the peer a moment ago
            self.abort()
            return
        self._transport.write(self._outgoing.read())

    def write_eof(self) -> None:
        """Send close_notify and close the sending half; nothing is written after it."""
        if not self._handshaken:
            self.abort()
            return
        self._is_deaf = True
        with contextlib.suppress(ssl.SSLError):  # SSLWantReadError: ours is on its way, the peer's is not awaited
            self._tls.unwrap()
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Close when what was written has left."""
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the socket; what is decrypted already may still come."""
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on, with what OpenSSL holds first. Not within this call: the caller may be in the middle of a request."""
        self._paused = False
        self._transport.resume_reading()
        self._loop.call_soon(self._decrypt)

    # between the two

    def _handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError:
            self._flush()  # the alert that says why
            self._transport.close()
            return False
        self._late.cancel()
        self._handshaken = True
        self._flush()
        self._carried.wired()
        return True

    def _decrypt(self) -> None:
        try:
            while not (self._paused or self._is_deaf) and (self._incoming.pending or self._tls.pending()):
                data = self._tls.read(READ_BYTES)
                if data:
                    self._carried.data_received(data)
                else:  # close_notify
                    self._is_deaf = self._has_ended = True
        except ssl.SSLWantReadError:  # half a record
            pass
        except ssl.SSLError:
            self._flush()  # the alert that says why
            self.abort()
            return
        if self._has_ended and not self._paused:
            self._has_ended = False
            self._carried.eof_received()
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())
