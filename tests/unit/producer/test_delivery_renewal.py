"""Kafka's clients are replaced: after a fatal error, and when what they log in with has changed."""

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from eventstreams.producer.answers import RefusalError
from unit.producer.delivery_rig import Rig, Ticket, reached


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have clients replaced, and trusted, sooner than in real life."""
    monkeypatch.setattr("eventstreams.producer.delivery._RENEW_SECONDS", 0.1)
    monkeypatch.setattr("eventstreams.producer.delivery._PROOF_SECONDS", 0.1)


async def test_a_fatal_error_makes_a_new_client_and_refuses_meanwhile() -> None:
    rig, ticket = Rig(), Ticket()
    await reached("warm clients", lambda: rig.delivery.is_ready)
    rig.send(ticket)

    rig.made[0].fail_fatally()
    await reached("unreadiness", lambda: not rig.delivery.is_ready)
    with pytest.raises(RefusalError, match="renewed; not stored"):
        rig.send(Ticket())
    await reached("readiness with a fifth client", lambda: len(rig.made) == 5 and rig.delivery.is_ready)

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


async def test_a_new_client_that_cannot_be_made_is_tried_again() -> None:
    rig = Rig()
    await reached("warm clients", lambda: rig.delivery.is_ready)
    rig.makes = [False, False]

    rig.made[1].fail_fatally()

    await reached("readiness with a fifth client", lambda: len(rig.made) == 5 and rig.delivery.is_ready)
    await rig.close()


async def test_after_a_client_that_failed_young_the_next_is_ready_when_it_has_grown_older(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventstreams.producer.delivery._PROOF_SECONDS", 60.0)
    rig = Rig()
    await reached("warm clients", lambda: rig.delivery.is_ready)
    rig.delivery._lanes[0].made_at -= 100
    rig.made[0].fail_fatally()
    await reached("readiness with a fifth client, at once", lambda: len(rig.made) == 5 and rig.delivery.is_ready)

    rig.made[4].fail_fatally()
    await reached("a sixth client, warm", lambda: len(rig.made) == 6 and rig.delivery._lanes[0].is_warm)

    assert not rig.delivery.is_ready
    await rig.close()


async def test_new_credentials_reach_the_clients_and_those_to_come() -> None:
    rig = Rig()

    rig.delivery.use_credentials("b", "secret")
    rig.delivery.renew()

    assert [one.credentials for one in rig.made[:4]] == [("b", "secret")] * 4
    assert [one.config["sasl.username"] for one in rig.made[4:]] == ["b"] * 4
    await rig.close()


async def test_renewed_clients_finish_what_they_have_in_flight() -> None:
    rig, ticket = Rig(), Ticket()
    rig.send(ticket)
    rig.delivery.renew()

    rig.made[0].report()

    await reached("the report", lambda: ticket.outcome == (1, 7, 1234))
    assert not rig.made[0].is_purged
    await rig.close()


async def test_a_connection_goes_on_with_its_old_client_until_all_there_is_reported() -> None:
    rig, tickets = Rig(), [Ticket(), Ticket()]
    lane = rig.send(tickets[0])
    rig.delivery.renew()

    rig.made[0].report()
    assert not lane.join(0.2), "the loop has not taken the report yet"
    assert rig.send(tickets[1], lane) is lane
    rig.made[0].report()
    await reached("both reports", lambda: all(ticket.outcome for ticket in tickets))

    assert rig.send(Ticket(), lane)._producer is rig.made[4]
    await rig.close()


async def test_a_client_is_not_left_behind_when_a_fellow_cannot_be_made() -> None:
    rig = Rig()
    rig.makes = [True, True, False]
    threads = threading.active_count()

    with pytest.raises(KafkaException, match="no such CA"):
        rig.delivery.renew()

    await reached("the end of the new ones' threads", lambda: threading.active_count() == threads)
    assert rig.send(Ticket())._producer is rig.made[0], "the old clients stay"
    await rig.close()
