"""What Kafka refuses with its batch is sent once more, alone, and so is what comes for its topic meanwhile."""

import asyncio

import pytest
from confluent_kafka import KafkaError

from eventstreams.producer.delivery import refusal_of
from unit.producer.delivery_rig import Owner, Rig, Ticket, reached


async def test_what_kafka_refused_with_its_batch_is_sent_again_alone_and_so_is_what_follows() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)

    rig.made[0].report(KafkaError.INVALID_RECORD)
    await reached("the record alone", lambda: rig.made[3].values == [b"v"])
    assert rig.made[3].config["batch.num.messages"] == 1
    rig.send(Ticket())
    assert (len(rig.made[0]), len(rig.made[3])) == (0, 2)

    rig.made[3].report(KafkaError.INVALID_RECORD)
    await reached("the verdict on the record itself", lambda: ticket.outcome == "INVALID_RECORD")
    await rig.close()


async def test_what_is_refused_with_its_batch_at_the_end_is_still_sent_alone_and_waited_for() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)

    closing = asyncio.create_task(rig.delivery.close(5))
    await reached("the end of the others", lambda: all(lane.join(0) for lane in rig.delivery._lanes[1:3]))
    rig.made[0].report(KafkaError.INVALID_RECORD)
    await reached("the record alone", lambda: len(rig.made[3]) == 1)
    rig.made[3].report()

    assert await closing
    assert ticket.outcome == (1, 7, 1234)


async def test_a_connection_does_not_stay_with_the_lane_for_records_alone() -> None:
    rig = Rig()
    lane = rig.send(Ticket())
    rig.delivery._alone_until["orders"] = asyncio.get_running_loop().time() + 60

    assert rig.send(Ticket(), lane) is lane
    assert rig.send(Ticket()) is None
    assert [len(producer) for producer in rig.made] == [1, 0, 0, 2]
    await rig.close()


async def test_what_cannot_be_sent_again_is_refused_as_not_stored() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)
    rig.made[3].raises = BufferError()

    rig.made[0].report(KafkaError.MSG_SIZE_TOO_LARGE)

    await reached("the outcome", lambda: ticket.outcome == "_QUEUE_FULL")
    assert refusal_of(KafkaError(KafkaError._QUEUE_FULL)).status == 503
    await rig.close()


async def test_records_are_sent_together_again_when_kafka_has_refused_none_for_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    monkeypatch.setattr("eventstreams.producer.delivery.ALONE_SECONDS", 0.05)
    rig.send(Ticket())
    rig.made[0].report(KafkaError.INVALID_TIMESTAMP)
    await reached("the record alone", lambda: len(rig.made[3]) == 1)

    await reached("the end", lambda: not rig.delivery._alone_until)
    rig.send(Ticket())

    assert (len(rig.made[0]), len(rig.made[3])) == (1, 1)
    await rig.close()


async def test_the_records_of_one_request_go_one_way_though_the_time_alone_ends_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    monkeypatch.setattr("eventstreams.producer.delivery.ALONE_SECONDS", 0.0)
    rig.delivery._keep_alone("orders")
    begin = asyncio.get_running_loop().time()

    while asyncio.get_running_loop().time() - begin < 0.02:
        rig.send(Ticket())

    assert len(rig.made[0]) == 0
    await rig.close()


async def test_records_stay_alone_while_kafka_refuses_some_that_were_sent_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr("eventstreams.producer.delivery.ALONE_SECONDS", 60.0)
    rig.delivery._alone_until["orders"] = 0.0
    ticket = Ticket()
    rig.send(ticket)

    rig.made[3].report(KafkaError.INVALID_RECORD)
    await reached("the refusal", lambda: ticket.outcome == "INVALID_RECORD")

    assert rig.delivery._alone_until["orders"] > asyncio.get_running_loop().time() + 50
    assert rig.delivery.topics_alone == 1
    await rig.close()


async def test_reports_of_records_sent_alone_are_answered_beside_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventstreams.producer.delivery._CROWDED_SECONDS", 60)
    rig, ticket = Rig(), Ticket()
    rig.meet()
    rig.send(Ticket(), owner=Owner(requests=50, records=50))
    rig.delivery._keep_alone("orders")
    rig.send(ticket, owner=Owner())

    rig.made[3].report()

    await reached("the report", lambda: ticket.outcome)
    await rig.close()


async def test_who_floods_a_topic_whose_records_go_alone_is_a_crowd_and_who_sends_few_there_is_waited_for() -> None:
    rig = Rig()
    rig.delivery._keep_alone("orders")

    rig.send(Ticket())
    assert (rig.turns.is_crowded(), rig.turns.is_awaited()) == (False, True)
    rig.send(Ticket(), owner=Owner(requests=500, records=500))
    assert rig.turns.is_crowded()
    await rig.close()
