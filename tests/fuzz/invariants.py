"""What holds for every stream of bytes that a client may send, whatever is in it. Pure: bytes in, AssertionError out.

1. Nothing is raised, no answer is 500, and nothing is due for ever: the connection waits for bytes, or has closed.
2. Answers are well-formed, in order, at most one a request, and exactly one as long as the connection is open.
3. The stream whole, byte by byte and split anyhow has the same answers, and the same records in Kafka.
4. What an endpoint was sent before changes nothing: heads are looked up that were seen before.
5. After an answer that closes, nothing more is taken.
6. What is stored is what h11 reads as the body; what h11 and we read differently we refuse, for a listed reason.
"""

import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from eventstreams.producer import framing
from eventstreams.producer.limits import Limits
from unit.producer.rig import Kafka, Rig, Sent, post
from unit.producer.wire_oracle import Seen, View, disagreement, ours, theirs

LIMITS: Final = Limits(
    message_bytes=1000,
    head_bytes=framing.SHORT_HEAD + 900,
    uri_bytes=framing.SHORT_HEAD + 400,
    head_fields=10,
    chunk_line_bytes=40,
    pipelined=3,
    linger_bytes=1_000_000,
)
"""Small, so that short streams meet them; shorter heads than SHORT_HEAD are not measured at all."""
MAX_BYTES: Final = LIMITS.head_bytes + 1000
"""Longer streams find nothing that these do not."""

_CUTS: Final = 8
_ONE_IN: Final = 8
"""Streams are fed byte by byte too, which takes ten times as long as all else."""
_BEFORE: Final = (
    post(),
    post("/topics/pay-1/records?key=a&headers=b:00&partition=0&timestamp=1"),
    post("/topics/orders/records", b"{}").replace(b"text/plain", b"application/json"),
    post("/topics/orders/records", b"hello", "Connection: close"),
)
_ANSWER: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [A-Za-z -]+\r\n((?:[A-Za-z-]+: [^\r\n]*\r\n)*)\r\n")
_LENGTH: Final = re.compile(rb"Content-Length: ([0-9]+)\r\n")
_MESSAGE: Final = re.compile(rb'"message": "(?:[^"\\]|\\.)*"')


def check(data: bytes) -> None:
    """Raise AssertionError when `data` breaks an invariant. What is tried follows from `data` alone."""
    pieces = list(splits(data))
    seen, them = ours([data], limits=LIMITS), theirs(data)
    fault = disagreement(seen, them)
    assert fault is None, fault
    for split in pieces:
        assert ours(split, late=True, limits=LIMITS) == seen, "how the bytes are split changes what is seen"
    rig, seasoned = Rig(LIMITS), Rig(LIMITS)
    seasoned.talk(_BEFORE)
    talk = Talk.over(rig, [data])
    assert Talk.over(seasoned, [data]) == talk, "what was sent before changes answers"
    for split in (*pieces, [data]):
        assert Talk.over(rig, split, late=True) == talk, "how the bytes are split, or a second time, changes answers"
    _check_counts(talk, seen)
    _check_stored(talk, seen, them)


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Yield `data` in pieces: at some places, and now and then byte by byte."""
    checksum = zlib.crc32(data)
    chance = random.Random(checksum)  # noqa: S311  not a secret
    places = sorted({0, *(chance.randint(0, len(data)) for _ in range(_CUTS)), len(data)})
    yield [data[start:end] for start, end in pairwise(places)]
    if checksum % _ONE_IN == 0:
        yield [data[at : at + 1] for at in range(len(data))]


@dataclass(frozen=True)
class Talk:
    """What came of a stream: answers as (status, messages, has_stored), records, and whether it goes on."""

    answers: list[tuple[int, list[bytes], bool]]
    stored: list[tuple[str, bytes | None, object, object, int, int]]
    is_open: bool

    @classmethod
    def over(cls, rig: Rig, pieces: list[bytes], *, late: bool = False) -> "Talk":
        """Send the pieces over a new connection, then end it by closing our half.

        Kafka confirms after each piece, or `late`, after the last; then the end is left to the deadlines.
        """
        connection, wire = rig.connect()
        before = len(rig.kafka.stored)
        for piece in pieces:
            connection.data_received(piece)
            if not late:
                _settle(rig.kafka)
        _settle(rig.kafka)
        stored = rig.kafka.stored[before:]
        talk = cls(list(answers(bytes(wire.written))), [_content(one) for one in stored], wire.is_open)
        if not talk.is_open:
            written = len(wire.written)
            connection.data_received(post())
            _settle(rig.kafka)
            assert (len(wire.written), len(rig.kafka.stored)) == (written, before + len(stored)), "taken after the end"
        elif late:
            rig.sweep(LIMITS.idle_seconds + 1)
            assert wire.has_ended, "open for ever"
        else:
            assert wire.is_reading, "it waits for ever"
            connection.eof_received()
            assert wire.is_closed, "open after the client closed its half"
        connection.connection_lost(None)
        return talk


def _settle(kafka: Kafka) -> None:
    while kafka.sent or kafka.asked:
        kafka.confirm()
        kafka.answer()


def _content(one: Sent) -> tuple[str, bytes | None, object, object, int, int]:
    return one.topic, one.value, one.beside.key, one.beside.headers, one.beside.partition, one.beside.timestamp_ms


def answers(written: bytes) -> Iterator[tuple[int, list[bytes], bool]]:
    """Yield the final answers in what a server wrote. AssertionError for what is none; HEAD's have no body."""
    written, at = written.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""), 0
    while at < len(written):
        match = _ANSWER.match(written, at)
        assert match is not None, f"no answer: {written[at : at + 80]!r}"
        length = _LENGTH.search(match[2])
        at = match.end()
        body = written[at : at + (int(length[1]) if length else 0)]
        if body.startswith(b"HTTP/1.1 "):
            body = b""
        at += len(body)
        yield int(match[1]), _MESSAGE.findall(body), body.startswith(b'{"metadata": ')


def _check_counts(talk: Talk, seen: View) -> None:
    assert all(status != 500 for status, _, _ in talk.answers), "a bug"
    if talk.is_open:
        assert len(talk.answers) == len(seen.requests), "more or fewer answers than requests"
    else:
        assert len(talk.answers) <= len(seen.requests) + 1, "more answers than requests"


def _check_stored(talk: Talk, seen: View, them: View) -> None:
    """Each 200 for a record has its record, whose value and topic both readers saw in the request of that place."""
    places = [place for place, (_, _, has_stored) in enumerate(talk.answers) if has_stored]
    assert len(places) == len(talk.stored), "more or fewer records than answers for them"
    for place, (topic, value, *_) in zip(places, talk.stored, strict=True):
        readers: list[list[Seen]] = [seen.requests, them.requests]
        for request in (requests[place] for requests in readers if place < len(requests)):
            assert (request.method, request.body) == (b"POST", value), "stored and read differ"
            assert request.target.startswith(b"/topics/%b/" % topic.encode()) or b"%" in request.target
