"""The invariants at the head of connection.py, and the deadlines."""

import gc
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from confluent_kafka import KafkaError

from eventstreams.core.keyring import Shard
from eventstreams.producer.answers import RefusalError
from eventstreams.producer.connection import Connection
from unit.producer.rig import GRANT, LIMITS, NOW, Rig, Wire, post


def refused(wire: Wire) -> bytes:
    return bytes(wire.written).partition(b"\r\n\r\n")[2]


def test_answers_leave_in_the_order_of_the_requests() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post() + post("/topics/gone/records") + post())
    assert wire.written == b""

    rig.kafka.sent.pop(1).ticket.stored(0, 5, int(NOW * 1000))
    assert wire.written == b""
    rig.kafka.confirm()

    assert wire.statuses == [200, 404, 200]
    assert wire.written.index(b'"offset": 0') < wire.written.index(b'"offset": 5')


def test_a_request_gets_one_answer_when_two_reports_come() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post())
    ticket = rig.kafka.sent[0].ticket

    ticket.stored(0, 1, 0)
    ticket.failed(KafkaError(KafkaError._MSG_TIMED_OUT))

    assert wire.statuses == [200]


def test_nothing_touches_the_wire_after_the_connection_is_lost() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post() + post())

    connection.connection_lost(None)
    rig.kafka.confirm()

    assert wire.written == b""
    assert not rig.endpoint.clients


def test_reading_pauses_while_too_many_answers_are_due_and_nothing_is_lost() -> None:
    rig = Rig()
    connection, wire = rig.connect()

    connection.data_received(post() * (LIMITS.pipelined + 10))
    assert (wire.is_reading, len(rig.kafka.sent)) == (False, LIMITS.pipelined)
    rig.kafka.confirm()

    assert wire.statuses == [200] * (LIMITS.pipelined + 10)
    assert wire.is_reading


def test_reading_pauses_while_the_client_does_not_read_its_answers() -> None:
    rig = Rig()
    connection, wire = rig.connect()

    connection.pause_writing()
    connection.data_received(post())
    before = (wire.is_reading, len(rig.kafka.sent))
    connection.resume_writing()

    assert (before, wire.is_reading, len(rig.kafka.sent)) == ((False, 0), True, 1)


def test_a_bug_costs_the_connection_and_is_answered_500(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_topic: str) -> int:
        raise ZeroDivisionError

    rig = Rig()
    monkeypatch.setattr(rig.kafka, "find", broken)

    wire = rig.talk([post() + post()])

    assert (wire.statuses, wire.has_ended) == ([500], True)
    assert "Bug met" in caplog.text


@pytest.mark.parametrize("sent", [post()[:-1], post()[:30]])
def test_a_request_that_ends_too_early_is_not_stored(sent: bytes) -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(sent)

    connection.eof_received()

    assert not rig.kafka.sent
    assert (wire.statuses, wire.is_closed) == ([400], True)


def test_100_continue_is_sent_when_the_body_is_awaited_and_its_turn_has_come() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    head, body = post("/topics/orders/records", b"hello", "Expect: 100-continue").split(b"\r\n\r\n")

    connection.data_received(post() + head + b"\r\n\r\n")
    assert wire.written == b""
    rig.kafka.confirm()
    assert wire.written.endswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.data_received(body)
    rig.kafka.confirm()

    assert wire.statuses == [200, 200]


HEAD_REQUEST = b"HEAD /alive HTTP/1.1\r\nHost: es\r\n\r\n"


def broken(connection: Connection) -> None:
    connection.data_received(b"\0")


def incomplete(connection: Connection) -> None:
    connection.eof_received()


@pytest.mark.parametrize("end", [broken, incomplete], ids=["broken", "incomplete"])
def test_what_is_refused_behind_a_head_request_is_told_in_a_body(end: Callable[[Connection], None]) -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(HEAD_REQUEST + b"POST /topics")

    end(connection)

    assert wire.statuses == [200, 400]
    assert wire.written.endswith(b"}")


def linger(connection: Connection) -> None:
    connection.data_received(b"nonsense\r\n\r\n")


def head(connection: Connection) -> None:
    connection.data_received(post()[:20])


def body(connection: Connection) -> None:
    connection.data_received(post()[:-1])


def idle(connection: Connection) -> None:
    pass


def deaf(connection: Connection) -> None:
    connection.pause_writing()


@pytest.mark.parametrize(
    ("begin", "seconds", "codes", "fate"),
    [
        (linger, LIMITS.linger_seconds, [400], "aborted"),
        (head, LIMITS.head_seconds, [408], "ended"),
        (body, LIMITS.body_seconds, [408], "ended"),
        (idle, LIMITS.idle_seconds, [], "ended"),
        (deaf, LIMITS.write_seconds, [], "aborted"),
    ],
)
def test_each_deadline_is_kept_and_not_a_second_early(
    begin: Callable[[Connection], None], seconds: float, codes: list[int], fate: str
) -> None:
    rig = Rig()
    connection, wire = rig.connect()
    begin(connection)
    before = (wire.has_ended, wire.is_aborted)

    rig.sweep(seconds - 0.5)
    assert (wire.has_ended, wire.is_aborted) == before
    rig.sweep(1)

    assert (wire.statuses, wire.is_aborted) == (codes, fate == "aborted")
    assert wire.has_ended or wire.is_aborted


def test_a_head_that_drips_in_is_late_all_the_same() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    for byte in post()[:15]:
        connection.data_received(bytes([byte]))
        rig.sweep(1)

    assert wire.statuses == [408]


def test_a_record_that_is_never_reported_is_answered_408_which_says_what_that_means() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post())

    rig.sweep(LIMITS.request_seconds + 0.1)

    assert wire.statuses == [408]
    assert b"may or may not be stored" in refused(wire)
    assert wire.is_open


def test_one_connection_too_many_is_dropped_and_nothing_of_it_is_stored() -> None:
    rig = Rig()
    rig.endpoint._limits = LIMITS.__class__(connections=1)
    rig.connect()

    connection, second = rig.connect()
    connection.data_received(post())

    assert second.is_aborted
    assert not rig.kafka.sent


def test_a_head_is_late_whatever_empty_lines_come_before_it() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(b"\r")
    for _ in range(12):
        rig.sweep(1)
        connection.data_received(b"\n\r")

    assert wire.statuses == [408]


@pytest.mark.parametrize("head", [b"HEAD /ready HTTP/1.1\r\nHost: es\r\nExpect: x\r\n\r\n", b"HEAD " + b"/" * 20_000])
def test_a_head_request_that_cannot_be_read_is_refused_without_a_body(head: bytes) -> None:
    connection, wire = Rig().connect()

    connection.data_received(head)

    assert wire.has_ended
    assert wire.written.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("change", [Shard(2, ()), Shard(2, (replace(GRANT, topics=("other",)),))])
def test_a_key_that_is_revoked_while_the_body_comes_in_stores_nothing(change: Shard) -> None:
    rig = Rig()
    connection, wire = rig.connect()
    request = post(body=b"0123456789")
    connection.data_received(request[:-5])

    rig.keys.replace(0, change)
    connection.data_received(request[-5:])

    assert wire.statuses == [403 if change.keys else 401]
    assert not rig.kafka.sent


def test_a_refusal_leaves_no_cycle_that_keeps_what_was_read() -> None:
    def refusals() -> int:
        return sum(isinstance(one, RefusalError) for one in gc.get_objects())

    gc.collect()
    before = refusals()
    gc.disable()
    try:
        wire = Rig().talk([post(key="wrong"), post("/topics/secret/records")])
        left = refusals() - before
    finally:
        gc.enable()

    assert wire.statuses == [401, 403]
    assert left == 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(body=b"x" * 1000, key="wrong"), 401),
        (b"GET /alive HTTP/1.1\r\nHost: es\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000, 200),
        (
            b"GET /alive HTTP/1.1\r\nHost: es\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n%b\r\n0\r\n\r\n"
            % (b"x" * 1000),
            200,
        ),
    ],
)
def test_a_body_that_nobody_reads_is_not_kept(request_: bytes, status: int) -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(request_[:-10])

    assert connection._body.value() is None
    connection.data_received(request_[-10:] + post())
    rig.kafka.confirm()
    assert wire.statuses == [status, 200]


def test_a_body_in_many_pieces_is_stored_unchanged() -> None:
    rig, body = Rig(), bytes(range(256)) * 2
    request = post(body=body)

    rig.talk([request[: -len(body)], *(bytes([one]) for one in body)])

    assert [one.value for one in rig.kafka.stored] == [body]


def test_a_flood_of_refusals_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rig = Rig()

    for _ in range(10):
        rig.talk([post(key="wrong") * 10])
    rig.sweep(1)

    assert len(caplog.records) == 21
    assert caplog.records[-1].__dict__["requests"] == 80
