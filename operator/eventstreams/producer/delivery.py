"""Records to Kafka: four producers with acks=all, behind one `send`.

Three of them (lanes) share the work: one sends at once, for a few records in flight; one waits 0.5 ms for company, and
one 2 ms, for who has so much in flight that this is little beside its turn. A lone client gets 0.3 ms instead of 1.4, a
crowd keeps its throughput. The fourth sends each record in a batch of its own: Kafka refuses whole batches, for one
record that it does not want, or because the batch is too large for the topic. Then nothing of it is stored, and each of
its records is sent once more, alone; and so is what comes for that topic in the next seconds. The three are idempotent;
the fourth is not, for then each refusal would have it send nothing until all under way is reported, and begin anew.

A producer that failed fatally is replaced, and so is one whose trusted CA changed.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message

from eventstreams.producer.allowance import Rate
from eventstreams.producer.answers import RefusalError, unavailable
from eventstreams.producer.lane import Config, Lane, MakeProducer, Ticket, kafka_logger, make_producer
from eventstreams.producer.record import Attributes
from eventstreams.producer.turns import Turns

CROWD: Final = 16
"""Records in flight of one owner from which waiting for company pays: it then costs half the CPU, and no more time."""

THRONG: Final = 128
"""The same for waiting longer: batches of a few records wake Kafka's threads as often as ones of many."""

THRONG_BYTES: Final = 524_288
"""In flight of a crowd, from which it waits longer too: large records take longer to read, so fewer come in 0.5 ms."""

CALM_SECONDS: Final = 0.02
"""So long after it was a crowd an owner still is one: else the first records after each batch would go one by one."""

QUICK_MOST: Final = 24
"""Records in flight of owners who have few each, from which they are a crowd together."""

LITTLE_MOST: Final = 300
"""Records a second of one who asks for little beside a crowd, up to which rounds are short for it."""

ALONE_SECONDS: Final = 10.0
"""So long after Kafka refused a batch, or a record that was sent alone, all records of the topic are sent alone."""

_LANES: Final[tuple[Config, ...]] = (  # by how crowded an owner is, and last the one for records alone
    {"linger.ms": 0},
    {"linger.ms": 0.5},
    {"linger.ms": 2},
    {"linger.ms": 0, "batch.num.messages": 1, "enable.idempotence": False},
)
_ALONE: Final = 3
_CROWDED_SECONDS: Final = 1.0  # so long after one sent as a crowd its reports, and its records, are reckoned with
_SHARED_SECONDS: Final = 1.0  # so long after somebody sent little beside a crowd more is expected
_RENEW_SECONDS: Final = 1.0
_PROOF_SECONDS: Final = 3.0  # after one that failed young a client is ready at this age: else it would come and go
_STUCK_SECONDS: Final = 30.0

# what a client goes on believing for minutes, though it may have changed: it is made to ask anew
_STALE: Final = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})  # noqa: SLF001  librdkafka's names

# what Kafka certainly did not store: status and words; every other error leaves the outcome unknown (408)
_NOT_STORED: Final[Mapping[int, tuple[int, str]]] = {
    KafkaError.MSG_SIZE_TOO_LARGE: (400, "the message is larger than the topic's max.message.bytes"),
    KafkaError.RECORD_LIST_TOO_LARGE: (400, "the message is larger than the topic's segment.bytes"),
    KafkaError.INVALID_RECORD: (400, "Kafka refused the record; a compacted topic needs a key"),
    KafkaError.INVALID_TIMESTAMP: (400, "Kafka refused the record's timestamp"),
    KafkaError.POLICY_VIOLATION: (400, "a policy of Kafka refused the record"),
    KafkaError.UNKNOWN_TOPIC_OR_PART: (404, "the topic does not exist"),
    KafkaError._UNKNOWN_TOPIC: (503, "the topic is new and not known everywhere yet"),  # noqa: SLF001  librdkafka's name
    KafkaError._UNKNOWN_PARTITION: (503, "the topic is new and not known everywhere yet"),  # noqa: SLF001
    KafkaError._QUEUE_FULL: (503, "Kafka refused a batch with the record, which could not be sent again"),  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (503, "the REST producer's own Kafka user may not write to the topic"),
    KafkaError.NOT_ENOUGH_REPLICAS: (503, "the topic has too few replicas in sync"),
}


class Owner(Protocol):
    """Whose records are sent: how many are in flight, in bytes and in requests too, this one included.

    `crowd` is the number of the lane that they need, until `crowded_until` at least. `little` counts the records while
    they are few beside the crowd of another.
    """

    requests: int
    records: int
    bytes: int
    crowd: int
    crowded_until: float
    little: Rate


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


class Delivery:
    """The lanes behind one `send`. `turns` knows whether owners meet."""

    def __init__(
        self,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        turns: Turns,
        make: MakeProducer = make_producer,
    ) -> None:
        self._config = config
        self._loop = loop
        self._turns = turns
        self._make = make
        self._lanes = [self._lane(number) for number in range(len(_LANES))]
        self._alone_until: dict[str, float] = {}  # topics of which Kafka refused a batch
        self._ready_from = self._crowded_until = self._shared_until = self._gathered_until = -math.inf
        turns.is_awaited = self._is_awaited
        turns.answer_first = self._answer_first
        turns.is_crowded = lambda: loop.time() < self._crowded_until
        turns.is_shared = lambda: loop.time() < self._shared_until

    def send(
        self, topic: str, value: bytes | None, beside: Attributes, ticket: Ticket, lane: Lane | None, owner: Owner
    ) -> Lane | None:
        """Queue a record and return the lane for the next: that which is given is kept, and so the order.

        `owner` is whose record it is: the crowd of another is no crowd of its own. Raises RefusalError when the record
        was not queued; `ticket` is then told nothing.
        """
        if topic in self._alone_until:
            self._crowd(owner)  # who floods does so here too
            self._queue(self._lanes[_ALONE], topic, value, beside, ticket)
            return lane
        if lane is None or lane.has_failed or lane.has_ended:
            lane = self._lanes[self._crowd(owner)]
        elif owner.crowd:  # it may send over this connection for ever
            now = self._loop.time()
            self._crowded_until, owner.crowded_until = now + _CROWDED_SECONDS, now + CALM_SECONDS
        self._queue(lane, topic, value, beside, ticket)
        return lane

    def _queue(self, lane: Lane, topic: str, value: bytes | None, beside: Attributes, ticket: Ticket) -> None:
        if lane.has_failed:
            raise unavailable("Kafka's client is being renewed")
        try:
            lane.send(topic, value, beside, ticket)
        except BufferError:
            raise unavailable("too many records wait for Kafka already") from None
        except KafkaException as error:
            raise self._not_queued(error.args[0], topic, lane) from None

    def _again(self, ticket: Ticket, beside: Attributes, error: KafkaError, message: Message) -> None:  # noqa: ARG002
        """Send a record alone that Kafka refused with its batch: what it then says is about the record itself."""
        topic = str(message.topic())
        self._keep_alone(topic)
        try:
            self._queue(self._lanes[_ALONE], topic, message.value(), beside, ticket)
        except RefusalError:
            ticket.failed(KafkaError(KafkaError._QUEUE_FULL))  # noqa: SLF001  librdkafka's name

    def _refused(self, ticket: Ticket, beside: Attributes, error: KafkaError, message: Message) -> None:  # noqa: ARG002
        """Tell that Kafka refused a record which was sent alone. Who sent it may send the next."""
        self._keep_alone(str(message.topic()))
        ticket.failed(error)

    def _keep_alone(self, topic: str) -> None:
        """Have what comes for the topic sent alone from now on, or for longer."""
        if topic not in self._alone_until:
            kafka_logger.warning("Kafka refused a batch; its records are sent one by one", extra={"topic": topic})
            self._loop.call_later(ALONE_SECONDS, self._end_alone, topic)
        self._alone_until[topic] = self._loop.time() + ALONE_SECONDS

    def _end_alone(self, topic: str) -> None:
        """Have the topic's records sent together again; by a timer, for amid a request its order would break."""
        left = self._alone_until[topic] - self._loop.time()
        if left > 0:
            self._loop.call_later(left, self._end_alone, topic)
        else:
            del self._alone_until[topic]

    def _is_awaited(self) -> bool:
        """Say whether somebody waits for Kafka who has little in flight; many are a crowd themselves."""
        return 0 < self._lanes[0].in_flight <= CROWD or 0 < self._lanes[_ALONE].in_flight <= CROWD

    def _answer_first(self) -> None:
        """Tell what Kafka has reported to those who have little in flight."""
        for number in (0, _ALONE):
            self._lanes[number].begin()

    def _crowd(self, owner: Owner) -> int:
        """Return the lane for how many records the owner has in flight now, or had a moment ago if that was more."""
        records = owner.records
        if records <= CROWD:
            crowd = 0
        elif owner.requests <= CROWD or (records <= THRONG and owner.bytes < THRONG_BYTES):
            crowd = 1  # few requests of many records are no sign of company to come
        else:
            crowd = 2
        now = self._loop.time()
        if crowd < owner.crowd and now < owner.crowded_until:
            return owner.crowd
        owner.crowd = crowd
        if crowd:
            owner.crowded_until = now + CALM_SECONDS
            self._crowded_until = now + _CROWDED_SECONDS
            return crowd
        is_beside_another = now < self._crowded_until and now > owner.crowded_until + _SHARED_SECONDS
        if is_beside_another and owner.little.note(now) <= LITTLE_MOST:
            self._shared_until = now + _SHARED_SECONDS
        return int(self._is_gathering(now))

    def _is_gathering(self, now: float) -> bool:
        """Say whether owners who have few in flight are a crowd together, or were one a moment ago.

        Some here and some there would be twice the batches: all of them wait for company, or none.
        """
        few = self._lanes[0].in_flight
        if now >= self._crowded_until:  # beside a crowd, most in its lane is the crowd's
            few += self._lanes[1].in_flight
        if few >= QUICK_MOST:
            self._gathered_until = now + CALM_SECONDS
        return now < self._gathered_until

    def _not_queued(self, error: KafkaError, topic: str, lane: Lane) -> RefusalError:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001  librdkafka's name
            self._renew_failed(lane)
        elif error.code() in _STALE:
            self.refresh(topic)
        if error.code() in _NOT_STORED:
            return refusal_of(error)
        return unavailable("Kafka's client does not take the record")

    def refresh(self, topic: str) -> None:
        """Have all producers learn a topic anew: it has changed."""
        for lane in self._lanes:
            lane.refresh(topic)

    def use_credentials(self, username: str, password: str) -> None:
        """Log in to Kafka with these from the next connection on, here and in lanes to come."""
        self._config = {**self._config, "sasl.username": username, "sasl.password": password}
        for lane in self._lanes:
            lane.use_credentials(username, password)

    def renew(self) -> None:
        """Replace all producers, as for a changed CA; what is in flight is finished by the old ones.

        Raises KafkaException when one cannot be made; the old ones stay.
        """
        new: list[Lane] = []
        old = new
        try:
            for number in range(len(_LANES)):
                new.append(self._lane(number))  # noqa: PERF401  those before one that fails are to be ended
            old, self._lanes = self._lanes, new
        finally:
            for lane in old:
                lane.retire(give_up=False)

    @property
    def topics_alone(self) -> int:
        """Topics whose records are sent alone."""
        return len(self._alone_until)

    @property
    def in_flight(self) -> int:
        """Records that Kafka has not confirmed yet."""
        return sum(lane.in_flight for lane in self._lanes)

    @property
    def is_ready(self) -> bool:
        """Whether all producers are connected and sound."""
        is_sound = all(lane.is_warm and not lane.has_failed for lane in self._lanes)
        return is_sound and self._loop.time() >= self._ready_from

    @property
    def is_stuck(self) -> bool:
        """Whether a thread that takes Kafka's reports does not come round any more."""
        polled = [lane.polled_at for lane in self._lanes if not lane.has_ended]
        return bool(polled) and time.monotonic() - min(polled) > _STUCK_SECONDS

    async def close(self, seconds: float) -> bool:
        """Flush: end the lanes when all is reported, the one for records alone last, as others may still send to it.

        What `seconds` do not suffice for is given up: False.
        """
        until = self._loop.time() + seconds
        *together, alone = self._lanes
        return all([await self._end(lanes, until) for lanes in (together, [alone])])

    async def _end(self, lanes: Sequence[Lane], until: float) -> bool:
        for lane in lanes:
            lane.retire(give_up=False)
        left = max(0.0, until - self._loop.time())
        return all(await asyncio.gather(*(self._loop.run_in_executor(None, lane.join, left) for lane in lanes)))

    def _lane(self, number: int) -> Lane:
        config = {**self._config, **_LANES[number]}
        refused = self._refused if number == _ALONE else self._again
        return Lane(self._make, config, self._loop, self._renew_failed, refused, self._turns, gives_way=number > 0)

    def _renew_failed(self, lane: Lane) -> None:
        """Put a new producer in place of one that failed fatally, after a pause: the next may fail likewise."""
        if not lane.has_failed:
            lane.has_failed = True
            self._loop.call_later(_RENEW_SECONDS, self._replace, lane)

    def _replace(self, lane: Lane) -> None:
        lane.retire(give_up=True)
        if lane not in self._lanes:  # all were renewed meanwhile
            return
        number = self._lanes.index(lane)
        try:
            self._lanes[number] = self._lane(number)
        except KafkaException as error:
            kafka_logger.warning("No new client of Kafka can be made", extra={"error": str(error)})
            self._loop.call_later(_RENEW_SECONDS, self._replace, lane)
        else:
            now = self._loop.time()
            if now - lane.made_at < _RENEW_SECONDS + _PROOF_SECONDS:
                self._ready_from = now + _PROOF_SECONDS
            kafka_logger.warning("Replaced Kafka's client after a fatal error")
