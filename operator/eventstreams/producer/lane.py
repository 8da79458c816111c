"""A lane: one Kafka producer of confluent-kafka, its thread, and the bridge from its reports to the loop.

The thread polls; the reports of one poll wake the event loop once. A report callback never raises: librdkafka would
lose the ones after it.

A report without error and without offset is no acknowledgement: librdkafka concludes from that of a later batch
(rd_kafka_dr_implicit_ack), or from the broker's word of a duplicate, that Kafka has the record. It need not have.
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
from typing import Any, Final, Protocol, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from typing_extensions import override

from eventstreams.producer.record import Attributes, Headers
from eventstreams.producer.turns import REPORTS, Turns

logger = logging.getLogger(__name__)
kafka_logger = logging.getLogger("eventstreams.producer.kafka")
"""What librdkafka itself has to say."""

Config = Mapping[str, Any]

REFUSES_BATCH: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
    }
)
"""Kafka's words for a record that it does not want, or for a batch too large for the topic or its segments. It refuses
the whole batch, and librdkafka says the same of each record in it."""

_POLL_SECONDS: Final = 0.5
_REPEAT_SECONDS: Final = 60.0
_NUMBERS: Final = re.compile(r"[0-9]+")


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


MakeProducer = Callable[[Config], KafkaProducer]


def make_producer(config: Config) -> KafkaProducer:
    """Make a real producer."""
    return cast("KafkaProducer", Producer(dict(config), logger=kafka_logger))


class Lane:
    """One Kafka producer, its thread, and the records it has in flight."""

    def __init__(  # noqa: PLR0913  the parts of the whole
        self,
        make: MakeProducer,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        failed: Callable[["Lane"], None],
        refused: Callable[[Ticket, Attributes, KafkaError, Message], None],
        turns: Turns,
        *,
        gives_way: bool,
    ) -> None:
        """Begin to connect. `failed` is told of a fatal error, `refused` of a record whose batch Kafka does not want.

        `gives_way`: its reports may wait for others'.
        """
        self._loop = loop
        self._turns = turns
        self._gives_way = gives_way
        self._failed = failed
        self._refused = refused
        self._reports: deque[tuple[Ticket, Attributes, KafkaError | None, Message]] = deque()
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
            partial(self._report, ticket, beside),
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

    @property
    def has_ended(self) -> bool:
        """Whether it is retired and all is reported: nobody would hear of a record sent now."""
        return self._is_retired and self.in_flight == 0

    def join(self, seconds: float) -> bool:
        """Wait for the end of a retired lane; blocks. False when it takes longer."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def begin(self) -> None:
        """Answer the reports that are there, unless that is under way."""
        if self._reports and not self._has_round:
            self._has_round = True
            self._settle()

    def _settle(self) -> None:
        """Answer the oldest reports, and the rest in the next round of the loop."""
        reports, turns = self._reports, self._turns
        answered, most = turns.begin_reports(gives_way=self._gives_way)
        for _ in range(min(REPORTS, len(reports))):
            if len(answered) >= most:
                break
            ticket, beside, error, message = reports.popleft()
            self.in_flight -= 1
            try:
                if error is not None and error.code() in REFUSES_BATCH:
                    most -= 1  # it is sent again, which takes time as an answer does
                    self._refused(ticket, beside, error, message)
                elif error is not None:
                    ticket.failed(error)
                elif (offset := message.offset()) is None:  # concluded, not acknowledged
                    ticket.failed(KafkaError(KafkaError._NO_OFFSET))  # noqa: SLF001  librdkafka's name
                else:
                    ticket.stored(message.partition(), offset, message.timestamp()[1])  # type: ignore[arg-type]  # set on success
            except Exception:  # an outermost frame: a bug in one answer must not cost the others theirs
                logger.exception("Bug met while reporting a record")
        turns.end_reports()
        self._has_round = bool(reports)
        if reports:
            self._loop.call_soon(self._settle)

    # in the lane's thread

    def _poll(self) -> None:
        while not self.has_ended:  # `in_flight` is the loop's: what it still may send to is polled
            if not self.is_warm:
                self._warm()
            elif self._stale_topics:
                self._learn(self._stale_topics[0])
            self._take_reports()
            self.polled_at = time.monotonic()
            if self._reports:
                self._loop.call_soon_threadsafe(self.begin)

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

    def _report(self, ticket: Ticket, beside: Attributes, error: KafkaError | None, message: Message) -> None:
        if error is None:
            message.set_value(None)  # a copy of the record, which nobody needs
        self._reports.append((ticket, beside, error, message))

    def _on_error(self, error: KafkaError) -> None:
        logger.debug("Kafka's client met an error", extra={"error": error.name(), "detail": error.str()})
