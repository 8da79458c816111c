"""The bridge from Kafka's client to the loop, with a client that the test drives."""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Message
from typing_extensions import override

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.delivery import A_ROUND, CROWD, QUICK_MOST, Config, Delivery, KafkaProducer, Seldom
from eventstreams.producer.record import Attributes
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
        self.is_purged = False
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

    def report(self, error: int | None = None) -> None:
        """Report all that is queued, as stored or as failed."""

        def call(value: bytes, on_delivery: Callable[..., None]) -> None:
            self._queued.pop(0)
            on_delivery(None if error is None else KafkaError(error), Stored(value))

        self.tell(*(lambda one=one: call(*one) for one in self._queued))

    def fail_fatally(self) -> None:
        """Raise from `poll`, as confluent-kafka does; `error_cb` is not called then."""
        self.fatal = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
        self._news.set()

    def tell(self, *calls: Callable[[], None]) -> None:
        self._due += calls
        self._news.set()


class Stored(Message):
    def __init__(self, value: bytes) -> None:
        super().__init__(value=value)

    @override
    def partition(self) -> int:
        return 1

    @override
    def offset(self) -> int:
        return 7

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


@dataclass
class Owner:
    records: int = 0
    crowded_until: float = 0.0


class Rig:
    def __init__(self) -> None:
        self.made: list[Producer] = []
        self.makes_none = 0
        self.owner = Owner()
        self.delivery = Delivery({"sasl.username": "a"}, asyncio.get_running_loop(), self.make)

    def make(self, config: Config) -> KafkaProducer:
        if self.makes_none:
            self.makes_none -= 1
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "no such CA"))
        producer = Producer(config)
        self.made.append(producer)
        return producer

    def send(self, ticket: Ticket, lane: Any = None, owner: Owner | None = None) -> Any:
        owner = owner or self.owner
        owner.records += 1
        return self.delivery.send("orders", b"v", Attributes(), ticket, lane, owner)

    async def close(self) -> None:
        for producer in self.made:
            producer.report()
        assert await self.delivery.close(5)


async def reached(what: str, look: Callable[[], object]) -> None:
    async with until(what, seconds=5) as looking:
        async for _ in looking:
            if look():
                return


async def test_a_report_reaches_its_ticket_in_the_loops_own_thread() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)
    rig.made[0].report()

    await reached("the report", lambda: ticket.outcome)

    assert ticket.outcome == (1, 7, 1234)
    assert ticket.thread is threading.current_thread()
    await rig.close()


async def test_a_bug_in_one_ticket_does_not_cost_the_others_their_report(caplog: pytest.LogCaptureFixture) -> None:
    rig, tickets = Rig(), [Ticket(is_broken=True), Ticket()]
    for ticket in tickets:
        rig.send(ticket)
    rig.made[0].report()

    await reached("the second report", lambda: tickets[1].outcome)

    assert "Bug met" in caplog.text
    await rig.close()


async def test_a_flood_of_reports_is_answered_a_few_in_each_round_of_the_loop() -> None:
    rig, tickets, seen = Rig(), [Ticket() for _ in range(3 * A_ROUND)], list[int]()

    def look() -> None:
        seen.append(sum(ticket.outcome is not None for ticket in tickets))

    tickets[0].then = lambda: asyncio.get_running_loop().call_soon(look)
    for ticket in tickets:
        rig.send(ticket, rig.delivery._crowd)
    rig.made[1].report()
    await reached("all reports", lambda: all(ticket.outcome for ticket in tickets))

    assert seen == [A_ROUND]
    await rig.close()


async def test_a_few_records_go_at_once_and_a_crowd_waits_for_company() -> None:
    rig = Rig()
    for _ in range(CROWD + 3):
        rig.send(Ticket())

    quick, crowd = rig.made

    assert (quick.config["linger.ms"], crowd.config["linger.ms"]) == (0, 0.5)
    assert (len(quick), len(crowd)) == (CROWD, 3)
    await rig.close()


async def test_what_was_a_crowd_a_moment_ago_still_waits_for_company() -> None:
    rig, loop = Rig(), asyncio.get_running_loop()
    rig.owner.records = CROWD
    rig.send(Ticket())
    rig.owner.records = 0
    rig.send(Ticket())
    assert [len(producer) for producer in rig.made] == [0, 2]
    assert rig.owner.crowded_until > loop.time()

    rig.owner.crowded_until = loop.time()
    rig.send(Ticket())

    assert [len(producer) for producer in rig.made] == [1, 2]
    await rig.close()


async def test_a_crowd_of_one_owner_is_no_crowd_of_another_until_there_are_many_of_them() -> None:
    rig = Rig()
    for _ in range(CROWD + 3):
        rig.send(Ticket())
    quick, crowd = rig.made
    assert (len(quick), len(crowd)) == (CROWD, 3)

    for _ in range(QUICK_MOST):
        rig.send(Ticket(), owner=Owner())

    assert (len(quick), len(crowd)) == (QUICK_MOST, CROWD + 3)
    await rig.close()


async def test_records_of_one_connection_stay_on_one_lane() -> None:
    rig = Rig()
    lane = rig.send(Ticket())
    for _ in range(CROWD + 3):
        lane = rig.send(Ticket(), lane)

    assert len(rig.made[0]) == CROWD + 4
    await rig.close()


async def test_a_full_queue_is_refused_as_not_stored() -> None:
    rig = Rig()
    rig.made[0].raises = BufferError()

    with pytest.raises(RefusalError, match="not stored"):
        rig.send(Ticket())

    assert rig.delivery.in_flight == 0
    await rig.close()


@pytest.mark.parametrize("error", [KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION])
async def test_a_topic_of_which_one_client_believes_what_is_past_is_learnt_anew_by_both(error: int) -> None:
    rig = Rig()
    await reached("warm clients", lambda: rig.delivery.is_ready)
    rig.made[0].raises = KafkaException(KafkaError(error))

    with pytest.raises(RefusalError) as refusal:
        rig.send(Ticket())

    assert refusal.value.status == 503
    await reached("the question", lambda: all(one.asked == [None, "orders"] for one in rig.made))
    await rig.close()


async def test_a_topic_that_kafka_did_not_describe_is_asked_for_again() -> None:
    rig = Rig()
    await reached("warm clients", lambda: rig.delivery.is_ready)
    rig.made[1].silent = 2

    rig.delivery.refresh("orders")

    await reached("three questions", lambda: rig.made[1].asked == [None, "orders", "orders", "orders"])
    assert rig.made[0].asked == [None, "orders"]
    await rig.close()


async def test_a_fatal_error_makes_a_new_client_and_refuses_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventstreams.producer.delivery._RENEW_SECONDS", 0.1)
    rig, ticket = Rig(), Ticket()
    await reached("warm clients", lambda: rig.delivery.is_ready)
    rig.send(ticket)

    rig.made[0].fail_fatally()
    await reached("unreadiness", lambda: not rig.delivery.is_ready)
    with pytest.raises(RefusalError, match="renewed; not stored"):
        rig.send(Ticket())
    await reached("readiness with a third client", lambda: len(rig.made) == 3 and rig.delivery.is_ready)

    assert rig.made[0].is_purged
    await reached("the report of what was in flight", lambda: ticket.outcome == "_PURGE_INFLIGHT")
    await rig.close()


async def test_reports_that_come_with_a_fatal_error_reach_their_tickets() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)

    rig.made[0].fatal = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
    rig.made[0].report()

    await reached("the report", lambda: ticket.outcome == (1, 7, 1234))
    await rig.close()


async def test_a_new_client_that_cannot_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventstreams.producer.delivery._RENEW_SECONDS", 0.05)
    rig = Rig()
    await reached("warm clients", lambda: rig.delivery.is_ready)
    rig.makes_none = 2

    rig.made[1].fail_fatally()

    await reached("readiness with a third client", lambda: len(rig.made) == 3 and rig.delivery.is_ready)
    await rig.close()


async def test_new_credentials_reach_the_clients_and_those_to_come() -> None:
    rig = Rig()

    rig.delivery.use_credentials("b", "secret")
    rig.delivery.renew()

    assert [one.credentials for one in rig.made[:2]] == [("b", "secret")] * 2
    assert [one.config["sasl.username"] for one in rig.made[2:]] == ["b", "b"]
    await rig.close()


async def test_renewed_clients_finish_what_they_have_in_flight() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)
    rig.delivery.renew()

    rig.made[0].report()

    await reached("the report", lambda: ticket.outcome == (1, 7, 1234))
    assert not rig.made[0].is_purged
    await rig.close()


def test_what_librdkafka_repeats_is_logged_once_a_minute_and_as_a_warning() -> None:
    now = 0.0
    seldom = Seldom(lambda: now)

    def passes(text: str) -> bool:
        record = logging.LogRecord("kafka", logging.ERROR, "", 0, text, (), None)
        return seldom.filter(record) and record.levelname == "WARNING"

    seen = [passes("refused (after 1ms)"), passes("refused (after 22ms)"), passes("disconnected")]
    now = 61.0

    assert [*seen, passes("refused (after 3ms)")] == [True, False, True, True]


async def test_closing_waits_for_what_is_in_flight_but_not_for_ever() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)

    assert not await rig.delivery.close(0.05)
    await rig.close()

    await reached("the report", lambda: ticket.outcome)
