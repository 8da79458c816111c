"""TLS between the socket and a connection, over memory BIOs.

uvloop's own TLS costs 28 µs a request, this 12: OpenSSL is given whole records, one at a time, so that it never asks
for more of one, and what they held is passed on in one piece. What is below sees a `Wire`, exactly what it would see of
a plain transport.
"""

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Final, Protocol, cast

from typing_extensions import override

_HEADER_BYTES: Final = 5
"""Of a record: its type, its version in two bytes, its length in two (RFC 8446 §5.1)."""
_TYPES: Final = frozenset({20, 21, 22, 23})
_MOST_BYTES: Final = _HEADER_BYTES + 16_384 + 2048
"""The longest record, with its header (RFC 5246 §6.2.3)."""


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

    Invariants: the connection is wired when the handshake is done and not before; it is told of the peer's close_notify
    after all that was sent before; what is read after that, or after `write_eof`, is passed on undecrypted, only to be
    counted; a TLS error aborts, and drops what came with it.
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
        "_part",
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
        self._part = b""  # of a record
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
            self._tell_end()  # if it is to be told in a moment: not after this
            self._carried.data_received(data)
            return
        try:
            plain = self._open(self._part + data if self._part else data)
        except ssl.SSLError:
            self._flush()  # the alert that says why
            if self._handshaken:
                self.abort()
            else:
                self.close()
            return
        if plain:
            self._carried.data_received(plain)
        self._flush()
        self._tell_end()

    @override
    def eof_received(self) -> bool:
        self._has_ended = self._handshaken
        self._tell_end()
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
        self._has_ended = False
        del self._carried  # it holds this: OpenSSL's memory would wait for Python to look for cycles

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
        """Take nothing more from the socket."""
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on. The end is not told within this call: the caller may be in the middle of a request."""
        self._paused = False
        self._transport.resume_reading()
        if self._has_ended:
            self._loop.call_soon(self._tell_end)

    # between the two

    def _open(self, data: bytes) -> bytes:
        """Return what the records in `data` hold for the connection; keep one that is not complete. Raises SSLError."""
        opened: list[bytes] = []
        at, size = 0, len(data)
        while size - at >= _HEADER_BYTES and not self._is_deaf:
            end = at + _HEADER_BYTES + (data[at + 3] << 8) + data[at + 4]
            if data[at] not in _TYPES or end - at > _MOST_BYTES:
                self._incoming.write(data[at:])
                self._take(size)  # OpenSSL raises a better error, and has an alert for the peer
                raise ssl.SSLError("no TLS record")
            if end > size:
                break
            self._incoming.write(data if end - at == size else memoryview(data)[at:end])
            opened.append(self._take(end - at))
            at = end
        self._part = b"" if self._is_deaf else data[at:]
        return opened[0] if len(opened) == 1 else b"".join(opened)

    def _take(self, size: int) -> bytes:
        """Let OpenSSL take a record of `size` bytes; return what it holds for the connection. Raises SSLError."""
        try:
            if not self._handshaken:
                self._shake_hands()
                return b""
            data = self._tls.read(size)
        except ssl.SSLWantReadError:  # it was for OpenSSL itself
            return b""
        if not data:  # close_notify
            self._is_deaf = self._has_ended = True
        return data

    def _shake_hands(self) -> None:
        self._tls.do_handshake()
        self._late.cancel()
        self._handshaken = True
        self._carried.wired()

    def _tell_end(self) -> None:
        if self._has_ended and not self._paused:
            self._has_ended = False
            self._carried.eof_received()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())
