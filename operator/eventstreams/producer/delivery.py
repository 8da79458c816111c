"""Records to Kafka: confluent-kafka producers, idempotent and acks=all, and the bridge from their reports to the loop.

Two producers (lanes) share the work: one that sends at once, for a few records in flight, and one that waits 0.5 ms for
company; a lone client gets 0.3 ms instead of 1.4, a crowd keeps its throughput. Each has a thread that polls; the
reports of one poll wake the event loop once. A report callback never raises: librdkafka would lose the ones after it.
A producer that failed fatally is replaced, and so is one whose trusted CA changed.
"""

import asyncio
import logging
import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from typing_extensions import override

from eventstreams.producer.answers import RefusalError, unavailable
from eventstreams.producer.record import Attributes, Headers

logger = logging.getLogger(__name__)
kafka_logger = logging.getLogger("eventstreams.producer.kafka")
"""What librdkafka itself has to say."""

Config = Mapping[str, Any]
CROWD: Final = 16
"""Records in flight of one owner from which waiting for company pays: it then costs half the CPU, and no more time."""

CALM_SECONDS: Final = 0.02
"""So long after it was a crowd an owner still is one: else the first records after each batch would go one by one."""

QUICK_MOST: Final = 64
"""Records in flight of many owners that the lane without waiting takes: beyond, they are a crowd together."""

A_ROUND: Final = 32
"""Reports that are answered in one round of the loop: who has just one is not to wait for a flood's."""

_LINGER_MS: Final = {"quick": 0, "crowd": 0.5}
_POLL_SECONDS: Final = 0.5
_RENEW_SECONDS: Final = 1.0
_PROOF_SECONDS: Final = 3.0  # after one that failed young a client is ready at this age: else it would come and go
_STUCK_SECONDS: Final = 30.0
_REPEAT_SECONDS: Final = 60.0
_NUMBERS: Final = re.compile(r"[0-9]+")

# what a client goes on believing for minutes, though it may have changed: it is made to ask anew
_STALE: Final = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})  # noqa: SLF001  librdkafka's names

# what Kafka certainly did not store: status and words; every other error leaves the outcome unknown (408)
_NOT_STORED: Final[Mapping[int, tuple[int, str]]] = {
    KafkaError.MSG_SIZE_TOO_LARGE: (400, "the message is larger than the topic's max.message.bytes"),
    KafkaError.INVALID_RECORD: (400, "Kafka refused the record; a compacted topic needs a key"),
    KafkaError.INVALID_TIMESTAMP: (400, "Kafka refused the record's timestamp"),
    KafkaError.POLICY_VIOLATION: (400, "a policy of Kafka refused the record"),
    KafkaError.UNKNOWN_TOPIC_OR_PART: (404, "the topic does not exist"),
    KafkaError._UNKNOWN_TOPIC: (503, "the topic is new and not known everywhere yet"),  # noqa: SLF001  librdkafka's name
    KafkaError._UNKNOWN_PARTITION: (503, "the topic is new and not known everywhere yet"),  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (503, "the REST producer's own Kafka user may not write to the topic"),
    KafkaError.NOT_ENOUGH_REPLICAS: (503, "the topic has too few replicas in sync"),
}


class Seldom(logging.Filter):
    """Lets a line of librdkafka pass once a minute, as a warning: it repeats "connection refused" with each try."""

    _MOST: Final = 1000

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[str, float] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        now, text = self._clock(), _NUMBERS.sub("", record.getMessage())
        if now - self._seen.get(text, -math.inf) < _REPEAT_SECONDS:
            return False
        if len(self._seen) >= self._MOST:
            self._seen.clear()
        self._seen[text] = now
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


kafka_logger.addFilter(Seldom(time.monotonic))


class Ticket(Protocol):
    """Who is told what became of a record; exactly one of the two is called, in the event loop."""

    def stored(self, partition: int, offset: int, timestamp_ms: int) -> None: ...
    def failed(self, error: KafkaError) -> None: ...


class Owner(Protocol):
    """Whose records are sent: how many are in flight, this one included, and until when they are a crowd."""

    records: int
    crowded_until: float


class KafkaProducer(Protocol):
    """What a lane needs of confluent_kafka.Producer."""

    def produce(  # noqa: PLR0913, PLR0917  by position, as names cost 0.35 µs a record
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        callback: Callable[[KafkaError | None, Message], None],
        on_delivery: None,
        timestamp: int,
        headers: Headers,
        /,
    ) -> None: ...
    def poll(self, timeout: float) -> int: ...
    def purge(self) -> None: ...
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> object: ...
    def set_sasl_credentials(self, username: str, password: str) -> None: ...
    def __len__(self) -> int: ...


MakeProducer = Callable[[Config], KafkaProducer]


def make_producer(config: Config) -> KafkaProducer:
    """Make a real producer."""
    return cast("KafkaProducer", Producer(dict(config), logger=kafka_logger))


def refusal_of(error: KafkaError) -> RefusalError:
    """Return how a failed delivery is answered: as not stored where that is certain, else 408."""
    code = error.code()
    known = _NOT_STORED.get(code)
    kafka_code = code if code > 0 else None
    if known is None:
        text = "Kafka did not confirm the record: it may or may not be stored"
        return RefusalError(408, text, kafka_error_code=kafka_code)
    status, text = known
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return unavailable(text, kafka_error_code=kafka_code)
    return RefusalError(status, f"{text}; not stored", kafka_error_code=kafka_code)


class Lane:
    """One Kafka producer, its thread, and the records it has in flight."""

    def __init__(
        self, make: MakeProducer, config: Config, loop: asyncio.AbstractEventLoop, failed: Callable[["Lane"], None]
    ) -> None:
        self._loop = loop
        self._failed = failed
        self._reports: deque[tuple[Ticket, KafkaError | None, Message]] = deque()
        self._stale_topics: deque[str] = deque()
        self._is_retired = self._has_round = False
        self.in_flight = 0
        self.is_warm = False
        self.has_failed = False
        self.made_at = loop.time()
        self.polled_at = time.monotonic()
        self._producer = make({**config, "error_cb": self._on_error})
        self._thread = threading.Thread(target=self._poll, name="kafka-reports", daemon=True)
        self._thread.start()

    # in the event loop

    def send(self, topic: str, value: bytes | None, beside: Attributes, ticket: Ticket) -> None:
        """Queue a record. Raises BufferError or KafkaException when it was not queued."""
        self._producer.produce(
            topic,
            value,
            beside.key,
            beside.partition,
            partial(self._report, ticket),
            None,  # on_delivery is another name of the one before, and looked at only when that is not there
            beside.timestamp_ms,
            beside.headers or [],
        )
        self.in_flight += 1

    def refresh(self, topic: str) -> None:
        """Learn a topic anew, soon: what this producer believes of it is out of date."""
        if topic not in self._stale_topics:
            self._stale_topics.append(topic)

    def use_credentials(self, username: str, password: str) -> None:
        """Log in with these from the next connection on."""
        self._producer.set_sasl_credentials(username, password)

    def retire(self, *, give_up: bool) -> None:
        """Take no more records; end when all are reported. `give_up`: what is not stored yet is reported as failed."""
        self._is_retired = True
        if give_up:
            self._producer.purge()

    def join(self, seconds: float) -> bool:
        """Wait for the end of a retired lane; blocks. False when it takes longer."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _begin(self) -> None:
        if not self._has_round:
            self._settle()

    def _settle(self) -> None:
        """Answer the oldest reports, and the rest in the next round of the loop."""
        reports = self._reports
        for _ in range(min(len(reports), A_ROUND)):
            ticket, error, message = reports.popleft()
            self.in_flight -= 1
            try:
                offset = message.offset()
                if error is None and offset is None:  # librdkafka takes it for stored, but nothing shows that it is
                    ticket.failed(KafkaError(KafkaError._NO_OFFSET))  # noqa: SLF001  librdkafka's name
                elif error is None:
                    ticket.stored(message.partition(), offset, message.timestamp()[1])  # type: ignore[arg-type]  # set on success
                else:
                    ticket.failed(error)
            except Exception:  # an outermost frame: a bug in one answer must not cost the others theirs
                logger.exception("Bug met while reporting a record")
        self._has_round = bool(reports)
        if reports:
            self._loop.call_soon(self._settle)

    # in the lane's thread

    def _poll(self) -> None:
        while not (self._is_retired and len(self._producer) == 0):
            if not self.is_warm:
                self._warm()
            elif self._stale_topics:
                self._learn(self._stale_topics[0])
            self._take_reports()
            self.polled_at = time.monotonic()
            if self._reports:
                self._loop.call_soon_threadsafe(self._begin)

    def _take_reports(self) -> None:
        try:
            self._producer.poll(_POLL_SECONDS if self.is_warm else 0)
        except KafkaException as error:  # fatal: confluent-kafka raises it instead of calling error_cb
            extra = {"error": error.args[0].name(), "detail": error.args[0].str()}
            kafka_logger.warning("Kafka's client failed fatally", extra=extra)
            self._loop.call_soon_threadsafe(self._failed, self)

    def _warm(self) -> None:
        """Connect before the first record needs it."""
        try:
            self._producer.list_topics(timeout=1)
        except KafkaException as error:
            logger.debug("Kafka does not answer yet", extra={"error": error.args[0].name()})
        else:
            self.is_warm = True

    def _learn(self, topic: str) -> None:
        try:
            self._producer.list_topics(topic, timeout=1)
        except KafkaException as error:
            logger.debug("Kafka did not describe a topic", extra={"topic": topic, "error": error.args[0].name()})
        else:
            self._stale_topics.popleft()

    def _report(self, ticket: Ticket, error: KafkaError | None, message: Message) -> None:
        self._reports.append((ticket, error, message))

    def _on_error(self, error: KafkaError) -> None:
        logger.debug("Kafka's client met an error", extra={"error": error.name(), "detail": error.str()})


class Delivery:
    """The lanes behind one `send`."""

    def __init__(self, config: Config, loop: asyncio.AbstractEventLoop, make: MakeProducer = make_producer) -> None:
        self._config = config
        self._loop = loop
        self._make = make
        self._quick, self._crowd = self._lane("quick"), self._lane("crowd")
        self._ready_from = -math.inf

    def send(
        self, topic: str, value: bytes | None, beside: Attributes, ticket: Ticket, lane: Lane | None, owner: Owner
    ) -> Lane:
        """Queue a record and return the lane it went to: `lane` if given, which keeps the order of records.

        `owner` is whose record it is: the crowd of another is no crowd of its own. Raises RefusalError when the record
        was not queued; `ticket` is then told nothing.
        """
        if lane is None or lane.has_failed:
            lane = self._crowd if self._is_crowd(owner) else self._quick
        if lane.has_failed:
            raise unavailable("Kafka's client is being renewed")
        try:
            lane.send(topic, value, beside, ticket)
        except BufferError:
            raise unavailable("too many records wait for Kafka already") from None
        except KafkaException as error:
            raise self._not_queued(error.args[0], topic, lane) from None
        return lane

    def _is_crowd(self, owner: Owner) -> bool:
        """Tell whether the owner's records are many enough to wait for each other, now or a moment ago."""
        now = self._loop.time()
        if owner.records > CROWD:
            owner.crowded_until = now + CALM_SECONDS
            return True
        return now < owner.crowded_until or self._quick.in_flight >= QUICK_MOST

    def _not_queued(self, error: KafkaError, topic: str, lane: Lane) -> RefusalError:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001  librdkafka's name
            self._renew_failed(lane)
        elif error.code() in _STALE:
            self.refresh(topic)
        if error.code() in _NOT_STORED:
            return refusal_of(error)
        return unavailable("Kafka's client does not take the record")

    def refresh(self, topic: str) -> None:
        """Have both producers learn a topic anew: it has changed."""
        self._quick.refresh(topic)
        self._crowd.refresh(topic)

    def use_credentials(self, username: str, password: str) -> None:
        """Log in to Kafka with these from the next connection on, here and in lanes to come."""
        self._config = {**self._config, "sasl.username": username, "sasl.password": password}
        for lane in (self._quick, self._crowd):
            lane.use_credentials(username, password)

    def renew(self) -> None:
        """Replace both producers, as for a changed CA; what is in flight is finished by the old ones.

        Raises KafkaException when none can be made; the old ones stay.
        """
        old, quick = (self._quick, self._crowd), self._lane("quick")
        try:
            crowd = self._lane("crowd")
        except KafkaException:
            quick.retire(give_up=False)
            raise
        self._quick, self._crowd = quick, crowd
        for lane in old:
            lane.retire(give_up=False)

    @property
    def in_flight(self) -> int:
        """Records that Kafka has not confirmed yet."""
        return self._quick.in_flight + self._crowd.in_flight

    @property
    def is_ready(self) -> bool:
        """Whether both producers are connected and sound."""
        return self._loop.time() >= self._ready_from and all(
            lane.is_warm and not lane.has_failed for lane in (self._quick, self._crowd)
        )

    @property
    def is_stuck(self) -> bool:
        """Whether a thread that takes Kafka's reports does not come round any more."""
        oldest = min(self._quick.polled_at, self._crowd.polled_at)
        return time.monotonic() - oldest > _STUCK_SECONDS

    async def close(self, seconds: float) -> bool:
        """Flush: end both lanes when all is reported. What `seconds` do not suffice for is given up: False."""
        lanes = (self._quick, self._crowd)
        for lane in lanes:
            lane.retire(give_up=False)
        ended = [await self._loop.run_in_executor(None, lane.join, seconds) for lane in lanes]
        return all(ended)

    def _lane(self, name: str) -> Lane:
        return Lane(self._make, {**self._config, "linger.ms": _LINGER_MS[name]}, self._loop, self._renew_failed)

    def _renew_failed(self, lane: Lane) -> None:
        """Put a new producer in place of one that failed fatally, after a pause: the next may fail likewise."""
        if not lane.has_failed:
            lane.has_failed = True
            self._loop.call_later(_RENEW_SECONDS, self._replace, lane)

    def _replace(self, lane: Lane) -> None:
        lane.retire(give_up=True)
        try:
            if lane is self._quick:
                self._quick = self._lane("quick")
            elif lane is self._crowd:
                self._crowd = self._lane("crowd")
        except KafkaException as error:
            kafka_logger.warning("No new client of Kafka can be made", extra={"error": str(error)})
            self._loop.call_later(_RENEW_SECONDS, self._replace, lane)
        else:
            now = self._loop.time()
            if now - lane.made_at < _RENEW_SECONDS + _PROOF_SECONDS:
                self._ready_from = now + _PROOF_SECONDS
            kafka_logger.warning("Replaced Kafka's client after a fatal error")
