"""Who asks for more than it may, or than Kafka takes, is told to come later; others are not in its way."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError

from eventstreams.core.apikey import ApiKey
from eventstreams.core.keyring import KeyGrant, KeyLimits, Shard
from eventstreams.producer.allowance import Reason
from eventstreams.producer.answers import unavailable
from eventstreams.producer.connection import Connection
from eventstreams.producer.turns import BUSY
from unit.producer.rig import GRANT, KEY, LIMITS, OTHER_KEY, Rig, Wire, post

LATER = LIMITS.later_seconds
OTHER = KeyGrant(OTHER_KEY.id, OTHER_KEY.digest, "apps/other", ("orders",))


def rig_with(limits: KeyLimits | None = None, window_records: int = 1000, window_bytes: int = 1_000_000) -> Rig:
    """Return a rig that knows two owners, the first with these limits."""
    rig = Rig(window_records=window_records, window_bytes=window_bytes)
    rig.keys.replace(0, Shard(2, (replace(GRANT, limits=limits), OTHER)))
    return rig


def last_answer(wire: Wire) -> Any:
    return json.loads(bytes(wire.written).rpartition(b"\r\n\r\n")[2])


def send(rig: Rig, requests: Sequence[bytes]) -> Wire:
    """Send requests over one connection, without Kafka confirming any."""
    connection, wire = rig.connect()
    for request in requests:
        connection.data_received(request)
    return wire


def test_more_than_the_limit_is_429_and_not_stored_and_says_when_to_come_again() -> None:
    rig = rig_with(KeyLimits(requests_per_second=2))

    wire = rig.talk([post(), post(), post()])
    rig.wait(LATER)

    assert wire.statuses == [200, 200, 429]
    assert b"\r\nRetry-After: 1\r\n" in wire.written
    assert "limit of 2 requests a second" in last_answer(wire)["message"]
    assert last_answer(wire)["error"]["error_code"] == 429
    assert len(rig.kafka.stored) == 2


def test_bytes_are_counted_of_bodies_sized_or_chunked() -> None:
    rig = rig_with(KeyLimits(bytes_per_second=100))
    chunked = (
        b"POST /topics/orders/records HTTP/1.1\r\nHost: es\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n32\r\n%b\r\n0\r\n\r\n"
    ) % (KEY.reveal().encode(), b"x" * 50)

    wire = rig.talk([post(body=b"x" * 50), chunked, post()])
    rig.wait(LATER)

    assert wire.statuses == [200, 200, 429]
    assert "limit of 100 bytes a second" in last_answer(wire)["message"]


def test_a_limit_is_shared_by_the_connections_and_binds_no_other_owner() -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))

    wires = [rig.talk([post()]), rig.talk([post()]), rig.talk([post(key=OTHER_KEY.reveal())])]
    rig.wait(LATER)

    assert [wire.statuses for wire in wires] == [[200], [429], [200]]


def test_who_waits_is_served_again() -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))
    connection, wire = rig.connect()
    for _ in range(2):
        connection.data_received(post())
        rig.kafka.confirm()

    rig.wait(1)
    connection.data_received(post())
    rig.kafka.confirm()

    assert wire.statuses == [200, 429, 200]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(post(key="wrong"), 401, id="unknown key"),
        pytest.param(post("/topics/secret/records"), 403, id="no right"),
        pytest.param(post("/topics/gone/records"), 429, id="no such topic"),
        pytest.param(post("/topics/unheard/records"), 429, id="nobody is asked for the topic"),
    ],
)
def test_429_comes_after_401_and_403_and_before_anything_is_asked_or_sent(request_: bytes, status: int) -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))
    rig.talk([post()])

    wire = rig.talk([request_])
    rig.wait(LATER)

    assert wire.statuses == [status]
    assert (len(rig.kafka.stored), rig.kafka.asked) == (1, [])


def test_a_limit_that_is_taken_away_is_gone_with_the_next_keyring() -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))
    rig.talk([post()])

    rig.keys.replace(0, Shard(3, (GRANT,)))

    assert rig.talk([post(), post()]).statuses == [200, 200]


def test_who_is_told_to_come_later_is_answered_late_and_not_read_until_then() -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))
    wire = rig.talk([post(), post() * 5])

    early = (wire.statuses, wire.is_reading)
    rig.wait(LATER)

    assert early == ([200], False)
    assert wire.statuses == [200, 429]
    assert not wire.is_reading  # the next of the five waits now


def test_who_is_told_to_come_later_beside_a_flood_waits_though_its_turn_has_come() -> None:
    rig = rig_with(KeyLimits(requests_per_second=BUSY + 1))
    rig.talk([post(key=OTHER_KEY.reveal())])
    busy = send(rig, [post()] * BUSY)
    connection, wire = rig.connect()
    connection.data_received(post())

    connection.data_received(post() * 5)
    while rig.rounds:
        rig.rounds.pop(0)()
    rig.kafka.confirm()

    assert busy.statuses == [200] * BUSY
    assert (wire.statuses, rig.tally.told_later[Reason.REQUESTS]) == ([200], 1)
    rig.wait(LATER)
    assert wire.statuses == [200, 429]


def test_who_waits_for_a_topic_that_is_unheard_of_counts_as_in_flight() -> None:
    rig = rig_with(window_records=4)

    wires = [send(rig, [post("/topics/unheard/records")]) for _ in range(3)]
    counted = rig.window.records
    rig.wait(LATER)
    rig.kafka.answer(3)
    rig.kafka.confirm()

    assert counted == 2
    assert [wire.statuses for wire in wires] == [[200], [200], [503]]
    assert rig.window.records == rig.window.bytes == 0


def test_what_was_read_meanwhile_is_answered_in_its_turn() -> None:
    rig = rig_with(KeyLimits(requests_per_second=2))
    wire = rig.talk([post() * 5])

    for _ in range(10):
        rig.wait(LATER)
        rig.kafka.confirm()

    assert wire.statuses[:3] == [200, 200, 429]
    assert len(wire.statuses) == 5
    assert wire.is_reading


def test_an_answer_that_is_due_late_does_not_overtake_one_that_kafka_owes() -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))
    wire = send(rig, [post() * 2])

    rig.wait(LATER)
    early = wire.statuses
    rig.kafka.confirm()

    assert (early, wire.statuses) == ([], [200, 429])


def test_a_client_that_leaves_while_it_waits_is_forgotten() -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))
    rig.talk([post()])
    connection, wire = rig.connect()
    connection.data_received(post() * 2)

    connection.connection_lost(None)
    rig.wait(LATER)

    assert wire.written == b""


def test_a_connection_that_is_retired_while_it_waits_is_answered_and_closed() -> None:
    rig = rig_with(KeyLimits(requests_per_second=1))
    rig.talk([post()])
    connection, wire = rig.connect()
    connection.data_received(post() * 2)

    rig.endpoint.is_draining = True
    connection.retire()
    rig.wait(LATER)
    rig.wait(LATER)

    assert wire.statuses == [429, 429]
    assert b"\r\nConnection: close\r\n" in wire.written
    assert wire.has_ended


def begun(kind: str, key: ApiKey = KEY) -> bytes:
    """Return a request of 900 bytes of which the last 100 are missing."""
    if kind == "sized":
        return post(body=b"x" * 900, key=key.reveal())[:-100]
    return (
        b"POST /topics/orders/records HTTP/1.1\r\nHost: es\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n384\r\n%b"
    ) % (key.reveal().encode(), b"x" * 800)


ENDS = {"sized": b"x" * 100, "chunked": b"x" * 100 + b"\r\n0\r\n\r\n"}


@pytest.mark.parametrize("kind", ENDS)
def test_who_begins_bodies_and_does_not_end_them_fills_no_memory(kind: str) -> None:
    rig, end = rig_with(window_bytes=2000), ENDS[kind]
    clients = [rig.connect() for _ in range(4)]
    for connection, _ in clients:
        connection.data_received(begun(kind))
    assert rig.window.coming == 1600
    other, others_wire = rig.connect()
    other.data_received(begun(kind, OTHER_KEY))

    for connection in (other, *(connection for connection, _ in clients)):
        connection.data_received(end)
        rig.kafka.confirm()
    rig.wait(LATER)

    assert others_wire.statuses == [200]
    assert [wire.statuses for _, wire in clients] == [[200], [200], [503], [503]]
    refused = clients[2][1]
    assert b"\r\nRetry-After: 1\r\n" in refused.written
    assert last_answer(refused)["error"]["topic"] == "orders"
    assert not refused.has_ended, "it is read on"
    assert rig.tally.told_later[Reason.SHARE] == 2
    assert rig.window.coming == rig.window.bytes == 0


def lost(connection: Connection) -> None:
    connection.connection_lost(None)


def ended(connection: Connection) -> None:
    connection.eof_received()


def late(connection: Connection) -> None:
    connection.sweep(1000)


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("part", [lost, ended, late])
def test_of_a_body_that_does_not_come_nothing_is_kept(kind: str, part: Callable[[Connection], None]) -> None:
    rig = rig_with()
    connection, _ = rig.connect()
    connection.data_received(begun(kind))
    assert rig.window.coming == 800

    part(connection)

    assert rig.window.coming == 0
    assert connection._body.value() is None


@pytest.mark.parametrize("kind", ENDS)
def test_of_a_body_that_was_taken_the_connection_keeps_nothing(kind: str) -> None:
    rig = rig_with()
    connection, wire = rig.connect()
    connection.data_received(begun(kind))
    connection.data_received(ENDS[kind])
    rig.kafka.confirm()

    assert wire.statuses == [200]
    assert connection._body.value() is None


def test_a_body_has_its_way_at_any_size_of_the_window() -> None:
    rig = rig_with(window_bytes=1)
    head = begun("chunked").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    wire = rig.talk([head, b"5\r\nhello\r\n" * 3, b"0\r\n\r\n", begun("sized"), ENDS["sized"]])

    assert wire.statuses == [200, 200]
    assert rig.window.coming == 0


def test_too_much_in_flight_is_503_and_another_owner_still_has_room() -> None:
    rig = rig_with(window_records=4)

    flood = send(rig, [post() * 3])
    other = send(rig, [post(key=OTHER_KEY.reveal())])
    rig.wait(LATER)
    rig.kafka.confirm()

    assert (flood.statuses, other.statuses) == ([200, 200, 503], [200])
    assert b"\r\nRetry-After: 1\r\n" in flood.written
    assert "this ServiceID" in last_answer(flood)["message"]
    assert "not stored" in last_answer(flood)["message"]


@pytest.mark.parametrize("error", [KafkaError._MSG_TIMED_OUT, KafkaError.MSG_SIZE_TOO_LARGE])
def test_what_kafka_reports_is_no_longer_in_flight_stored_or_not(error: int) -> None:
    rig = rig_with(window_records=4)
    send(rig, [post() * 2])
    rig.kafka.fail(error)

    assert rig.endpoint.window.records == rig.endpoint.window.bytes == 0
    assert rig.talk([post()]).statuses == [200]


def test_what_kafkas_client_does_not_take_is_not_in_flight() -> None:
    rig = rig_with(window_records=4)
    rig.kafka.refusal = unavailable("Kafka's client is being renewed")

    assert rig.talk([post()]).statuses == [503]
    assert rig.endpoint.window.records == rig.endpoint.window.bytes == 0


def test_a_record_whose_client_left_is_in_flight_until_kafka_reports_it() -> None:
    rig = rig_with(window_records=4)
    connection, _ = rig.connect()
    connection.data_received(post())

    connection.connection_lost(None)

    assert rig.endpoint.window.records == 1
    rig.kafka.confirm()
    assert rig.endpoint.window.records == 0


def test_the_reasons_are_counted() -> None:
    rig = rig_with(KeyLimits(requests_per_second=2), window_records=2)
    send(rig, [post()])
    send(rig, [post()])
    send(rig, [post()])

    assert rig.tally.told_later == {Reason.SHARE: 1, Reason.REQUESTS: 1}


@pytest.mark.parametrize(
    "request_",
    [
        post(body=b"x" * 900),
        post(body=b'"line"\n' * 100, key=KEY.reveal()).replace(b"text/plain", b"application/x-ndjson"),
    ],
)
@pytest.mark.parametrize("limits", [KeyLimits(requests_per_second=1), None])
def test_of_a_body_that_is_refused_late_nothing_is_kept(request_: bytes, limits: KeyLimits | None) -> None:
    rig = rig_with(limits, window_bytes=1)
    rig.talk([post()])
    rig.window._free_bytes = 0
    connection, _ = rig.connect()

    connection.data_received(request_)

    ((_, call),) = rig.calls
    pending, refusal = cast("partial[None]", call).args
    assert (pending.body, getattr(pending, "_records", ())) == (b"", ())
    assert refusal.__traceback__ is None
