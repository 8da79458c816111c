"""A delivery whose Kafka clients the test drives."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message
from typing_extensions import override

from eventstreams.producer.allowance import Account, Rate
from eventstreams.producer.delivery import Delivery
from eventstreams.producer.lane import Config, KafkaProducer
from eventstreams.producer.record import Attributes
from eventstreams.producer.turns import Turns
from integration.waiting import until


class Producer:
    """Reports records when told, from the thread that polls, as librdkafka does."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.credentials: tuple[str, str] | None = None
        self.raises: Exception | None = None
        self.fatal: Exception | None = None
        self.asked: list[str | None] = []
        self.silent = 0
        self.offset: int | None = 7
        self.is_purged = False
        self.messages: list[Stored] = []  # of the reports
        self._queued: list[tuple[bytes, Callable[..., None]]] = []
        self._due: list[Callable[[], None]] = []
        self._news = threading.Event()

    def produce(self, *given: Any) -> None:
        if self.raises is not None:
            raise self.raises
        _topic, value, _key, _partition, callback, _on_delivery, _timestamp, _headers = given
        self._queued.append((value, callback))

    def poll(self, timeout: float) -> int:
        self._news.wait(timeout)
        self._news.clear()
        due, self._due = self._due, []
        for call in due:
            call()
        if self.fatal is not None:
            raised, self.fatal = self.fatal, None
            raise raised
        return len(due)

    def purge(self) -> None:
        self.is_purged = True
        self.report(KafkaError._PURGE_INFLIGHT)

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> object:  # noqa: ARG002  as the real one
        self.asked.append(topic)
        if self.silent:
            self.silent -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return None

    def set_sasl_credentials(self, username: str, password: str) -> None:
        self.credentials = (username, password)

    def __len__(self) -> int:
        return len(self._queued)

    @property
    def values(self) -> list[bytes]:
        return [value for value, _ in self._queued]

    def report(self, error: int | None = None) -> None:
        """Report all that is queued, as stored or as failed."""

        def call(value: bytes, on_delivery: Callable[..., None]) -> None:
            self._queued.pop(0)
            self.messages.append(Stored(value, self.offset))
            on_delivery(None if error is None else KafkaError(error), self.messages[-1])

        self.tell(*(lambda one=one: call(*one) for one in self._queued))

    def fail_fatally(self) -> None:
        """Raise from `poll`, as confluent-kafka does; `error_cb` is not called then."""
        self.fatal = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
        self._news.set()

    def tell(self, *calls: Callable[[], None]) -> None:
        self._due += calls
        self._news.set()


class Stored(Message):
    def __init__(self, value: bytes, offset: int | None) -> None:
        super().__init__(topic="orders", value=value)
        self._offset = offset

    @override
    def partition(self) -> int:
        return 1

    @override
    def offset(self) -> int | None:
        return self._offset

    @override
    def timestamp(self) -> tuple[int, int]:
        return 1, 1234


class Ticket:
    def __init__(self, *, is_broken: bool = False) -> None:
        self.outcome: object = None
        self.thread: threading.Thread | None = None
        self.then: Callable[[], object] = lambda: None
        self._is_broken = is_broken

    def stored(self, partition: int, offset: int, timestamp_ms: int) -> None:
        self.thread = threading.current_thread()
        if self._is_broken:
            raise ZeroDivisionError
        self.outcome = (partition, offset, timestamp_ms)
        self.then()

    def failed(self, error: KafkaError) -> None:
        self.outcome = error.name()


class Client:
    """A connection that has an answer to write; `flush` is the rig's."""

    def __init__(self, flush: Callable[[], None]) -> None:
        self.flush = flush

    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass
class Owner:
    requests: int = 0
    records: int = 0
    bytes: int = 0
    crowd: int = 0
    crowded_until: float = 0.0
    little: Rate = field(default_factory=Rate)


class Rig:
    def __init__(self) -> None:
        self.made: list[Producer] = []
        self.makes: list[bool] = []  # whether the clients asked for next can be made; any more can
        self.owner = Owner()
        self.yields = self.flushes = 0
        loop = asyncio.get_running_loop()
        self.turns = Turns(loop.call_soon, self._yield_core)
        self.delivery = Delivery({"sasl.username": "a"}, loop, self.turns, self.make)

    def meet(self) -> None:
        """Have two owners meet."""
        self.turns.met(Account())
        self.turns.met(Account())

    def answer(self, then: Callable[[], object] = lambda: None) -> None:
        """Have a client's answer leave, as a report does that answers a request, and call `then` in the next round."""
        self.turns.answer(Client(self._flush))
        asyncio.get_running_loop().call_soon(then)

    def _flush(self) -> None:
        self.flushes += 1

    def make(self, config: Config) -> KafkaProducer:
        if self.makes and not self.makes.pop(0):
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "no such CA"))
        producer = Producer(config)
        self.made.append(producer)
        return producer

    def send(self, ticket: Ticket, lane: Any = None, owner: Owner | None = None) -> Any:
        owner = owner or self.owner
        owner.requests += 1
        owner.records += 1
        return self.delivery.send("orders", b"v", Attributes(), ticket, lane, owner)

    def _yield_core(self) -> None:
        self.yields += 1

    async def close(self) -> None:
        for producer in self.made:
            producer.report()
        assert await self.delivery.close(5)


async def reached(what: str, look: Callable[[], object]) -> None:
    async with until(what, seconds=5) as looking:
        async for _ in looking:
            if look():
                return
