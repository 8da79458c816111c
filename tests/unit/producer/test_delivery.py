"""The bridge from Kafka's client to the loop, with a client that the test drives."""

import asyncio
import logging
import math
import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.delivery import CROWD, QUICK_MOST, THRONG, THRONG_BYTES
from eventstreams.producer.lane import Seldom
from eventstreams.producer.record import Attributes
from eventstreams.producer.turns import FEW, REPORTS, SHARED_ANSWERS
from unit.producer.delivery_rig import Owner, Rig, Stored, Ticket, reached


async def test_a_report_reaches_its_ticket_in_the_loops_own_thread() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)
    rig.made[0].report()

    await reached("the report", lambda: ticket.outcome)

    assert ticket.outcome == (1, 7, 1234)
    assert ticket.thread is threading.current_thread()
    await rig.close()


async def test_of_a_record_that_is_stored_no_copy_waits_for_its_answer() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)
    rig.made[0].report()

    await reached("the report", lambda: ticket.outcome)

    assert [message.value() for message in rig.made[0].messages] == [None]
    await rig.close()


async def test_a_report_without_an_offset_is_no_proof_that_the_record_is_stored() -> None:
    rig, ticket = Rig(), Ticket()
    rig.made[0].offset = None  # seen when the right to write was withdrawn
    rig.send(ticket)
    rig.made[0].report()

    await reached("the report", lambda: ticket.outcome)

    assert ticket.outcome == "_NO_OFFSET"
    await rig.close()


async def test_a_bug_in_one_ticket_does_not_cost_the_others_their_report(caplog: pytest.LogCaptureFixture) -> None:
    rig, tickets = Rig(), [Ticket(is_broken=True), Ticket()]
    for ticket in tickets:
        rig.send(ticket)
    rig.made[0].report()

    await reached("the second report", lambda: tickets[1].outcome)

    assert "Bug met" in caplog.text
    await rig.close()


@pytest.mark.parametrize(
    ("have_met", "is_shared", "at_once", "yields"),
    [
        (False, False, REPORTS, 0),
        (False, True, REPORTS, 0),
        (True, False, SHARED_ANSWERS, 0),
        (True, True, FEW, 1),
    ],
)
async def test_a_flood_is_answered_a_few_in_each_round_and_lets_kafkas_client_run_for_others(
    have_met: bool, is_shared: bool, at_once: int, yields: int
) -> None:
    rig, tickets, seen = Rig(), [Ticket() for _ in range(3 * REPORTS)], list[tuple[int, int]]()
    if have_met:
        rig.meet()
    rig.owner.crowd = 1  # as it was when its connections began to send

    def look() -> None:
        seen.append((sum(ticket.outcome is not None for ticket in tickets), rig.yields))

    for ticket in tickets:
        ticket.then = rig.answer
        rig.send(ticket, rig.delivery._lanes[1])
    tickets[0].then = lambda: rig.answer(look)
    if is_shared:
        rig.send(Ticket(), owner=Owner())
    rig.made[1].report()
    await reached("all reports", lambda: all(ticket.outcome for ticket in tickets))

    assert seen == [(at_once, yields)]
    await rig.close()


async def test_reports_that_answer_nobody_yet_take_no_time_from_others() -> None:
    rig, tickets, seen = Rig(), [Ticket() for _ in range(3 * REPORTS)], list[int]()
    rig.meet()
    rig.owner.crowd = 1
    tickets[0].then = lambda: asyncio.get_running_loop().call_soon(
        lambda: seen.append(sum(ticket.outcome is not None for ticket in tickets))
    )
    for ticket in tickets:
        rig.send(ticket, rig.delivery._lanes[1])
    rig.send(Ticket(), owner=Owner())
    rig.made[1].report()
    await reached("all reports", lambda: all(ticket.outcome for ticket in tickets))

    assert seen == [REPORTS]
    await rig.close()


async def test_who_asks_for_little_beside_a_crowd_is_expected_again_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventstreams.producer.delivery._SHARED_SECONDS", 0.05)
    rig = Rig()
    rig.send(Ticket(), owner=Owner())
    assert not rig.turns.is_shared(), "alone"

    rig.send(Ticket(), owner=Owner(requests=50, records=50))
    assert not rig.turns.is_shared(), "the crowd itself"
    rig.send(Ticket(), owner=Owner())
    assert rig.turns.is_shared()
    await reached("the end of the moment", lambda: not rig.turns.is_shared())
    await rig.close()


async def test_who_has_little_in_flight_is_answered_before_a_flood() -> None:
    rig, ticket, asked = Rig(), Ticket(), Ticket()
    rig.meet()
    rig.send(asked, owner=Owner(requests=50, records=50))
    rig.send(ticket, owner=Owner())
    ticket.then = rig.answer
    rig.delivery._lanes[0]._reports.append((ticket, Attributes(), None, Stored(b"v", 7)))

    answered, most = rig.turns.begin_reports(gives_way=True)

    assert ticket.outcome == (1, 7, 1234)
    assert rig.flushes == 1
    assert (answered, most, rig.yields) == ([], FEW, 1)
    rig.turns.end_reports()
    await rig.close()


async def test_rounds_are_not_short_for_one_who_asks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventstreams.producer.delivery.LITTLE_MOST", 3)
    rig, often, seldom = Rig(), Owner(), Owner()
    rig.send(Ticket(), owner=Owner(requests=50, records=50))
    for _ in range(4):
        rig.send(Ticket(), owner=often)
    rig.delivery._shared_until = 0.0

    rig.send(Ticket(), owner=often)
    assert not rig.turns.is_shared()
    rig.send(Ticket(), owner=seldom)
    assert rig.turns.is_shared()
    await rig.close()


async def test_a_crowd_that_has_little_in_flight_for_a_moment_is_none_who_asks_for_little_beside_itself() -> None:
    rig, loop = Rig(), asyncio.get_running_loop()
    rig.owner.records = 50
    rig.send(Ticket())
    rig.owner.records, rig.owner.requests = 0, 0
    rig.owner.crowded_until = loop.time() - 0.5

    rig.send(Ticket())

    assert rig.owner.crowd == 0
    assert not rig.turns.is_shared()
    await rig.close()


async def test_reports_to_those_who_are_no_flood_are_answered_together() -> None:
    rig, tickets, seen = Rig(), [Ticket() for _ in range(3 * SHARED_ANSWERS)], list[int]()
    rig.meet()

    tickets[0].then = lambda: asyncio.get_running_loop().call_soon(
        lambda: seen.append(sum(ticket.outcome is not None for ticket in tickets))
    )
    for ticket in tickets:
        rig.send(ticket, rig.delivery._lanes[0])
    rig.made[0].report()
    await reached("all reports", lambda: all(ticket.outcome for ticket in tickets))

    assert seen == [len(tickets)]
    assert rig.yields == 0
    await rig.close()


async def test_a_few_records_go_at_once_a_crowd_waits_for_company_and_a_throng_for_more() -> None:
    rig = Rig()
    for _ in range(THRONG + 3):
        rig.send(Ticket())

    assert [producer.config["linger.ms"] for producer in rig.made] == [0, 0.5, 2, 0]
    assert [len(producer) for producer in rig.made] == [CROWD, THRONG - CROWD, 3, 0]
    await rig.close()


@pytest.mark.parametrize(
    ("requests", "records", "size", "lane"),
    [
        (CROWD - 1, CROWD - 1, THRONG_BYTES, 0),
        (CROWD, CROWD, THRONG_BYTES, 2),
        (CROWD, CROWD, THRONG_BYTES - 1, 1),
        (CROWD, THRONG, 0, 2),
        (0, THRONG, THRONG_BYTES, 1),
    ],
    ids=["few large", "many large", "many not so large", "a throng", "one request of many records"],
)
async def test_how_long_a_record_waits_depends_on_what_its_owner_has_in_flight(
    requests: int, records: int, size: int, lane: int
) -> None:
    rig = Rig()
    rig.owner.requests, rig.owner.records, rig.owner.bytes = requests, records, size
    rig.send(Ticket())

    assert [len(producer) for producer in rig.made] == [number == lane for number in range(4)]
    await rig.close()


async def test_what_was_a_crowd_a_moment_ago_still_waits_for_company() -> None:
    rig, loop = Rig(), asyncio.get_running_loop()
    rig.owner.records = CROWD
    rig.send(Ticket())
    rig.owner.records = 0
    rig.send(Ticket())
    assert [len(producer) for producer in rig.made] == [0, 2, 0, 0]
    assert rig.owner.crowded_until > loop.time()

    rig.owner.crowded_until = loop.time()
    rig.send(Ticket())

    assert [len(producer) for producer in rig.made] == [1, 2, 0, 0]
    await rig.close()


async def test_a_crowd_of_one_owner_is_no_crowd_of_another_until_there_are_many_of_them() -> None:
    rig = Rig()
    for _ in range(CROWD + QUICK_MOST):
        rig.send(Ticket())
    quick, crowd, *_ = rig.made
    assert (len(quick), len(crowd)) == (CROWD, QUICK_MOST)

    for _ in range(QUICK_MOST):
        rig.send(Ticket(), owner=Owner())

    assert (len(quick), len(crowd)) == (QUICK_MOST, QUICK_MOST + CROWD)
    await rig.close()


async def test_who_have_few_each_wait_for_company_together_until_they_are_few() -> None:
    rig, loop = Rig(), asyncio.get_running_loop()
    for _ in range(QUICK_MOST + 3):
        rig.send(Ticket(), owner=Owner())
    quick, crowd, *_ = rig.made
    assert (len(quick), len(crowd)) == (QUICK_MOST, 3)

    rig.delivery._gathered_until = math.inf
    quick.report()
    await reached("the reports", lambda: rig.delivery.in_flight == 3)
    rig.send(Ticket(), owner=Owner())
    assert (len(quick), len(crowd)) == (0, 4)

    rig.delivery._gathered_until = loop.time()
    rig.send(Ticket(), owner=Owner())
    assert (len(quick), len(crowd)) == (1, 4)
    await rig.close()


async def test_reports_to_many_who_have_few_each_are_answered_together() -> None:
    rig, tickets, seen = Rig(), [Ticket() for _ in range(3 * SHARED_ANSWERS)], list[int]()
    rig.meet()
    for _ in range(QUICK_MOST):
        rig.send(Ticket(), owner=Owner())

    tickets[0].then = lambda: asyncio.get_running_loop().call_soon(
        lambda: seen.append(sum(ticket.outcome is not None for ticket in tickets))
    )
    for ticket in tickets:
        rig.send(ticket, owner=Owner())
    rig.made[1].report()
    await reached("all reports", lambda: all(ticket.outcome for ticket in tickets))

    assert seen == [len(tickets)]
    assert rig.yields == 0
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
async def test_a_topic_of_which_one_client_believes_what_is_past_is_learnt_anew_by_all(error: int) -> None:
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
