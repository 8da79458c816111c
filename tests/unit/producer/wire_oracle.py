"""What our connection and h11 see in the same bytes, and whether that agrees.

h11 is the second opinion on RFC 9112: small, strict where it matters, and written by others. We refuse more than it
does; every reason for that is a rule in stricter_than_h11.toml. What both take must be the same request, and nothing
that h11 takes may be two requests to us, or a part of one.
"""

import asyncio
import re
import tomllib
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import Final, cast

import h11

from eventstreams.producer import exchange as meeting
from eventstreams.producer.answers import Answer, RefusalError
from eventstreams.producer.connection import Connection
from eventstreams.producer.exchange import Task
from eventstreams.producer.framing import Head, Room
from eventstreams.producer.limits import Limits
from eventstreams.producer.turns import Turns
from unit.producer.rig import Wire

LIMITS: Final = Limits(message_bytes=20_000, head_bytes=16_384, linger_bytes=1_000_000)
RULES: Final = Path(__file__).parent / "stricter_than_h11.toml"
_CONTINUE: Final = re.compile(rb"HTTP/1\.1 100 Continue\r\n\r\n")
_ABSOLUTE: Final = re.compile(rb"https?://[^/?]*", re.IGNORECASE)


@dataclass(frozen=True)
class Seen:
    """A request as a server understood it; fields of one name are joined, as RFC 9110 §5.3 lets everyone do."""

    method: bytes
    target: bytes
    fields: dict[bytes, bytes]
    body: bytes


class Fate(Enum):
    """What became of the stream after the last request."""

    WAITS = auto()
    """For more bytes: all was taken, or the rest is incomplete."""
    PARTED = auto()
    """The last request was the last by its own wish or version."""
    REFUSED = auto()


@dataclass
class View:
    """A stream as one server understood it. `why` tells of a refusal."""

    requests: list[Seen] = field(default_factory=list)
    fate: Fate = Fate.WAITS
    why: str = ""
    written: bytes = b""


class Recorder:
    """A site that takes every request and answers each with its number: at once, or `late`, in the wrong order."""

    is_draining = False

    def __init__(self, *, late: bool) -> None:
        self.view = View()
        self.turns = Turns(lambda _round: None)  # nobody is busy here
        self._late = late
        self._waiting: list[tuple[int, meeting.Exchange]] = []

    def judge(self, head: Head) -> Head:
        return head

    def confirm(self, task: Head) -> Head:
        return task

    def recall(self, line: bytes, fields: bytes) -> None: ...

    def note(self, line: bytes, fields: bytes, head: Head, task: Head) -> None: ...

    def take(self, task: Head, body: bytes | None, exchange: meeting.Exchange) -> None:
        assert body is not None, "kept"
        self.view.requests.append(Seen(task.method, task.target, task.fields, body))
        self._waiting.append((len(self.view.requests), exchange))
        if not self._late:
            self.answer()

    def answer(self) -> bool:
        """Answer all that waits, the last first. Tells whether there was anything."""
        waiting, self._waiting = self._waiting, []
        for number, exchange in reversed(waiting):
            exchange.finish(Answer(200, b"HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: 1\r\n" % number, b"."))
        return bool(waiting)

    def room(self, _task: Task) -> Room:
        return Room(LIMITS.message_bytes)

    def refused(self, refusal: RefusalError, _task: Task) -> Answer:
        assert refusal.status < 500 or refusal.status in {501, 505}, refusal.message
        self.view.fate, self.view.why = Fate.REFUSED, f"{refusal.status} {refusal.message}"
        return Answer(refusal.status, b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n" % refusal.status, b"")

    def answered(self, status: int, seconds: float) -> None: ...

    def joined(self, _connection: meeting.Client) -> bool:
        return True

    def left(self, connection: meeting.Client) -> None: ...


def ours(pieces: Iterable[bytes], *, late: bool = False, limits: Limits = LIMITS) -> View:
    """Return what our connection sees, its invariants checked on the way."""
    site, wire = Recorder(late=late), Wire()
    connection = Connection(site, limits, lambda: 0.0, age_seconds=300)
    connection.connection_made(cast("asyncio.Transport", wire))
    for piece in pieces:
        connection.data_received(piece)
    while site.answer():
        pass
    view = site.view
    if wire.has_ended and view.fate is Fate.WAITS:
        view.fate = Fate.PARTED
    assert not wire.is_aborted
    assert wire.has_ended == (view.fate is not Fate.WAITS), "refused, and yet open"
    view.written = _CONTINUE.sub(b"", bytes(wire.written))
    _check_answers(view)
    seen = replace(view)
    connection.eof_received()
    while site.answer():
        pass
    assert wire.is_closed, "open after the client closed its half"
    connection.connection_lost(None)
    return seen


def _check_answers(view: View) -> None:
    """Each request has one answer, in order, and a refusal is the last."""
    numbers = [int(number) for number in re.findall(rb"X-Number: ([0-9]+)", view.written)]
    assert numbers == list(range(1, len(view.requests) + 1)), "answers out of order, missing or doubled"
    answers = view.written.count(b"HTTP/1.1 ")
    assert answers == len(numbers) + (view.fate is Fate.REFUSED), "more or fewer answers than requests"


def theirs(data: bytes) -> View:
    """Return what h11 sees. Empty lines before a request are taken from it: it knows of none (RFC 9112 §2.2)."""
    view = View()
    while True:
        while data.startswith(b"\r\n"):
            data = data[2:]
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000_000)
        connection.receive_data(data)
        try:
            request, body = _one(connection)
        except h11.RemoteProtocolError as error:
            view.fate, view.why = Fate.REFUSED, _said(error)
            return view
        if request is None:
            return view
        view.requests.append(_seen(request, body))
        if connection.their_state is h11.MUST_CLOSE:
            view.fate = Fate.PARTED
            return view
        data = connection.trailing_data[0]


def _said(error: h11.RemoteProtocolError) -> str:
    """Return h11's message, marked when it is about lengths or codings and came from the trailers."""
    frames = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
    about_trailers = {"__call__", "normalize_and_validate"} <= frames
    return f"trailers: {error}" if about_trailers else str(error)


def _one(connection: h11.Connection) -> tuple[h11.Request | None, bytes]:
    """Return the next request and its body, None when it is not complete."""
    request, body = None, bytearray()
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            connection.send(h11.Response(status_code=404, headers=[]))  # no to an offer to switch protocols
            return request, bytes(body)
        else:
            return None, b""


def _seen(request: h11.Request, body: bytes) -> Seen:
    fields: dict[bytes, bytes] = {}
    for name, value in request.headers:
        fields[name] = fields[name] + b", " + value if name in fields else bytes(value)
    target = bytes(request.target)
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:  # RFC 9112 §3.2.2: its host is the host
        if b"host" in fields:
            fields[b"host"] = absolute[0].partition(b"//")[2]
        target = target[absolute.end() :]
        target = target if target.startswith(b"/") else b"/" + target
    return Seen(bytes(request.method), target, fields, body)


@dataclass(frozen=True)
class Rule:
    """Why a stream may end earlier for one than for the other. `says` matches the refusal of who refuses."""

    name: str
    rfc: str
    says: re.Pattern[str]
    send: bytes
    by: str


def rules() -> list[Rule]:
    """Return the rules, those of ours and those of h11's."""
    listed = tomllib.loads(RULES.read_text(encoding="utf-8"))
    return [
        Rule(raw["name"], raw["rfc"], re.compile(raw["says"]), _bytes(raw["send"]), by)
        for by in ("ours", "h11")
        for raw in listed[by]
    ]


def _bytes(text: str) -> bytes:
    for mark, value in {
        "%HEAD%": "POST / HTTP/1.1\r\nHost: es\r\n",
        "%LONG%": "x" * 17_000,
        "%FIELDS%": "X: y\r\n" * 101,
    }.items():
        text = text.replace(mark, value)
    return text.encode("latin-1")


_RULES: Final = rules()


def disagreement(us: View, them: View) -> str | None:
    """Say what speaks against our reading of a stream, None when nothing does."""
    for number, (mine, other) in enumerate(zip(us.requests, them.requests, strict=False), 1):
        if _comparable(mine) != _comparable(other):
            return f"request {number} differs: {mine} and {other}"
    more = len(us.requests) - len(them.requests)
    excuse = f"{us.fate.name} {us.why!r} after {len(us.requests)}, h11 {them.fate.name} {them.why!r} {-more} later"
    if them.fate is Fate.REFUSED and more >= 0 and _allowed("h11", them.why):
        return None
    if us.fate is Fate.REFUSED and more <= 0:
        is_shared = them.fate is Fate.REFUSED and more == 0
        return None if is_shared or _allowed("ours", us.why) else excuse
    # h11 refuses some lines before they are complete, we say it then
    is_same = more == 0 and (us.fate is them.fate or (us.fate is Fate.WAITS and them.fate is Fate.REFUSED))
    return None if is_same else excuse


def _comparable(seen: Seen) -> Seen:
    """Leave out the form of a coding's name, which h11 lowers."""
    coding = seen.fields.get(b"transfer-encoding")
    changed = {} if coding is None else {b"transfer-encoding": coding.lower()}
    return Seen(seen.method, seen.target, seen.fields | changed, seen.body)


def _allowed(by: str, why: str) -> bool:
    return any(rule.by == by and rule.says.search(why) for rule in _RULES)
