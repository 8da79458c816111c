"""The real connection and endpoint between a wire and a Kafka that the test holds in its hands."""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from confluent_kafka import KafkaError

from eventstreams.core.apikey import ApiKey, mint
from eventstreams.core.keyring import KeyGrant, Shard
from eventstreams.producer import api_pages
from eventstreams.producer.allowance import Window
from eventstreams.producer.answers import Answers, RefusalError
from eventstreams.producer.connection import Connection
from eventstreams.producer.delivery import Owner
from eventstreams.producer.endpoint import Endpoint
from eventstreams.producer.keys import Keys
from eventstreams.producer.lane import Lane, Ticket
from eventstreams.producer.limits import Limits
from eventstreams.producer.metrics import Tally
from eventstreams.producer.record import Attributes
from eventstreams.producer.turns import Turns

NOW = 1_795_424_000.0
KEY: ApiKey = mint(lambda size: b"\x07" * size)
OTHER_KEY: ApiKey = mint(lambda size: b"\x08" * size)
GRANT = KeyGrant(KEY.id, KEY.digest, "apps/orders", ("orders", "pay-*", "gone", "unheard"), None, "es.a.b")
LIMITS = Limits(message_bytes=1000, head_bytes=16_384, linger_bytes=5000)


@dataclass
class Wire:
    """What a transport would be told."""

    written: bytearray = field(default_factory=bytearray)
    writes: int = 0
    has_ended: bool = False
    is_closed: bool = False
    is_aborted: bool = False
    is_reading: bool = True

    def write(self, data: bytes) -> None:
        assert self.is_open, "written after the end"
        self.written += data
        self.writes += 1

    def write_eof(self) -> None:
        assert not self.has_ended
        self.has_ended = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        assert self.is_reading
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading
        self.is_reading = True

    @property
    def statuses(self) -> list[int]:
        return statuses(self.written)

    @property
    def is_open(self) -> bool:
        return not (self.has_ended or self.is_closed or self.is_aborted)


def statuses(written: bytes | bytearray) -> list[int]:
    """Return the status codes of final answers in what a server wrote."""
    found = [int(code) for code in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", written)]
    return [code for code in found if code >= 200]


@dataclass
class Sent:
    topic: str
    value: bytes | None
    beside: Attributes
    ticket: Ticket


@dataclass
class Kafka:
    """Takes records; confirms them, in order, when told. `topics` gives partitions; what is not in it is unheard of."""

    topics: dict[str, int | None] = field(default_factory=lambda: {"orders": 3, "pay-1": 1, "gone": 0})
    sent: list[Sent] = field(default_factory=list)
    stored: list[Sent] = field(default_factory=list)
    asked: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    refusal: RefusalError | None = None
    is_away: bool = False

    def find(self, topic: str) -> int | None:
        return self.topics.get(topic)

    def ask(self, topic: str, then: Callable[[], None]) -> bool:
        self.asked.append((topic, then))
        return True

    def answer(self, partitions: int | None = 0) -> None:
        """Answer the questions for topics that are unheard of."""
        asked, self.asked = self.asked, []
        for topic, then in asked:
            self.topics[topic] = partitions
            then()

    def send(
        self, topic: str, value: bytes | None, beside: Attributes, ticket: Ticket, lane: Lane | None, _owner: Owner
    ) -> Lane:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(Sent(topic, value, beside, ticket))
        return lane  # type: ignore[return-value]  # there are no lanes here

    def confirm(self) -> None:
        """Report everything as stored."""
        while self.sent:
            one = self.sent.pop(0)
            self.stored.append(one)
            one.ticket.stored(2, len(self.stored) - 1, int(NOW * 1000) + 45)

    def fail(self, error: int) -> None:
        """Report everything as failed."""
        while self.sent:
            self.sent.pop(0).ticket.failed(KafkaError(error))


@dataclass
class Process:
    """How the rest of the process is."""

    missing: list[str] = field(default_factory=list)
    stuck: bool = False

    def lacks(self) -> list[str]:
        return self.missing

    def is_stuck(self) -> bool:
        return self.stuck


_pages = cache(api_pages.pages)  # made once in a process too


class Rig:
    """One endpoint and its clients, time standing still unless told."""

    def __init__(self, limits: Limits = LIMITS, window_records: int = 10_000, window_bytes: int = 10_000_000) -> None:
        self.now = 100.0
        self.wall = NOW
        self.limits = limits
        self.kafka = Kafka()
        self.process = Process()
        self.tally = Tally()
        self.window = Window(records=window_records, size=window_bytes, clock=lambda: self.now)
        self.rounds: list[Callable[[], None]] = []
        self.turns = Turns(self.rounds.append)
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.keys = Keys(lambda: self.wall, shards=1)
        self.keys.replace(0, Shard(1, (GRANT,)))
        self.endpoint = Endpoint(
            answers=Answers(lambda: self.wall),
            tally=self.tally,
            limits=limits,
            keys=self.keys,
            topics=self.kafka,
            sender=self.kafka,
            window=self.window,
            call_later=self.call_later,
            turns=self.turns,
            health=self.process,
            pages=_pages(limits),
        )

    def connect(self) -> tuple[Connection, Wire]:
        connection, wire = self.connection(), Wire()
        connection.connection_made(cast("asyncio.Transport", wire))
        return connection, wire

    def connection(self) -> Connection:
        return Connection(self.endpoint, self.limits, lambda: self.now, age_seconds=300)

    def talk(self, pieces: Iterable[bytes]) -> Wire:
        """Send pieces over one connection, Kafka confirming after each, and return its wire."""
        connection, wire = self.connect()
        for piece in pieces:
            connection.data_received(piece)
            self.kafka.confirm()
        return wire

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append((self.now + seconds, call))

    def wait(self, seconds: float) -> None:
        """Let time pass and make the calls that become due."""
        self.now += seconds
        due = [call for when, call in self.calls if when <= self.now]
        self.calls = [(when, call) for when, call in self.calls if when > self.now]
        for call in due:
            call()

    def sweep(self, seconds: float) -> None:
        """Let time pass and enforce the deadlines."""
        self.now += seconds
        self.endpoint.sweep(self.now)


def post(path: str = "/topics/orders/records", body: bytes = b"hello", *fields: str, key: str | None = None) -> bytes:
    """Return a good request; `fields` come after its own."""
    bearer = KEY.reveal() if key is None else key
    head = [
        f"POST {path} HTTP/1.1",
        "Host: es",
        f"Authorization: Bearer {bearer}",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        *fields,
        "",
        "",
    ]
    return "\r\n".join(head).encode() + body
