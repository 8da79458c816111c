"""Lines and envelopes through the real connection: one answer for many records, in the route's own shape."""

import json
import logging
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from eventstreams.core.apikey import ApiKey
from eventstreams.core.keyring import KeyLimits, Shard
from eventstreams.producer.allowance import Reason
from eventstreams.producer.answers import unavailable
from eventstreams.producer.limits import Limits
from unit.producer.rig import GRANT, KEY, LIMITS, OTHER_KEY, Rig, Wire

NDJSON = "application/x-ndjson"
JSON_V2 = "application/vnd.kafka.json.v2+json"
LINES = "/topics/orders/records"
KAFKA_REST = "/topics/orders"
CLOUD = "/v2/topics/orders/records"
ONE_LINE = b'{"a": 1}\n'
ENVELOPE = b'{"records": [{"key": "k", "value": {"a": 1}}, {"value": null}]}'
TYPED = b'{"value": {"type": "text", "data": "x"}}'
ROUTES = [(LINES, NDJSON, ONE_LINE), (KAFKA_REST, JSON_V2, ENVELOPE), (CLOUD, "application/json", TYPED)]
each_route = pytest.mark.parametrize(("path", "kind", "body"), ROUTES, ids=["lines", "Kafka REST", "cloud v2"])


def request(
    path: str,
    kind: str,
    body: bytes,
    *fields: str,
    key: ApiKey = KEY,
    authorization: str | None = None,
    method: str = "POST",
) -> bytes:
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: es",
        f"Authorization: {authorization or f'Bearer {key.reveal()}'}",
        f"Content-Type: {kind}",
        *(fields or (f"Content-Length: {len(body)}",)),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def parts(wire: Wire) -> tuple[bytes, Any]:
    head, _, body = bytes(wire.written).partition(b"\r\n\r\n")
    return head, json.loads(body)


def basic(user: str) -> str:
    return f"Basic {b64encode(f'{user}:{KEY.reveal()}'.encode()).decode()}"


def test_each_line_becomes_a_record_and_the_answer_comes_when_all_are_stored() -> None:
    rig = Rig()
    connection, wire = rig.connect()

    connection.data_received(request(f"{LINES}?key=k&headers=a:00&partition=1", NDJSON, b'{"a": 1}\r\n\n"b"'))
    first = rig.kafka.sent.pop(0)
    rig.kafka.confirm()
    assert wire.statuses == []
    first.ticket.stored(1, 7, 1_795_424_000_045)

    head, body = parts(wire)
    assert [
        (one.value, one.beside.key, one.beside.headers, one.beside.partition) for one in (first, *rig.kafka.stored)
    ] == [
        (b'{"a": 1}', b"k", [("a", b"\0")], 1),
        (b'"b"', b"k", [("a", b"\0")], 1),
    ]
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert [(one["metadata"]["partition"], one["metadata"]["offset"]) for one in body["results"]] == [(1, 7), (2, 0)]


def test_an_envelope_is_answered_with_offsets_and_the_conventions_content_type() -> None:
    rig = Rig()

    head, body = parts(rig.talk([request(KAFKA_REST, JSON_V2, ENVELOPE)]))

    assert [(one.beside.key, one.value) for one in rig.kafka.stored] == [(b'"k"', b'{"a":1}'), (None, None)]
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.kafka.v2+json\r\n")
    assert [(one["partition"], one["offset"]) for one in body["offsets"]] == [(2, 0), (2, 1)]


def test_the_clouds_envelope_is_answered_as_version_1_does() -> None:
    rig = Rig()

    _, body = parts(rig.talk([request(CLOUD, "application/json; charset=utf-8", TYPED)]))

    assert [one.value for one in rig.kafka.stored] == [b"x"]
    assert body["metadata"] == {
        "topic": "orders",
        "timestamp": "2026-11-23T08:53:20.045Z",
        "partition": 2,
        "offset": 0,
    }


def shaped(path: str, head: bytes, body: Any) -> int:
    """Check that an error has the shape of its route, and return its status."""
    status = int(head.split(b" ")[1])
    if path.startswith("/v2/"):
        assert set(body) == {"trace", "error"}
        assert body["error"].keys() >= {"code", "message", "more_info"}
    elif path.endswith("/records"):
        assert body["error_code"] == body["error"]["error_code"] == status
    else:
        assert set(body) == {"error_code", "message"}
        assert str(body["error_code"]).startswith(str(status)) or (status, body["error_code"]) == (503, 50003)
        assert b"\r\nContent-Type: application/vnd.kafka.v2+json\r\n" in head
    return status


@each_route
def test_every_refusal_has_the_shape_of_its_route(path: str, kind: str, body: bytes) -> None:
    def status(data: bytes, rig: Rig | None = None) -> int:
        wire = (rig or Rig()).talk([data])
        return shaped(path, *parts(wire))

    away = Rig()
    away.kafka.is_away = True
    full = Rig()
    full.kafka.refusal = unavailable("too many records wait for Kafka already")

    assert status(request(path, kind, body, method="GET")) == 405
    assert status(request(path, kind, body, key=OTHER_KEY)) == 401
    assert status(request(path, kind, body, authorization="Digest x")) == 401
    assert status(request(path.replace("orders", "secret"), kind, body)) == 403
    assert status(request(path.replace("orders", "gone"), kind, body)) == 404
    assert status(request(path.replace("orders", "pay-%20"), kind, body)) == 404
    assert status(request(path, "text/html", body)) == 415
    assert status(request(path, kind, body, "Content-Encoding: gzip", f"Content-Length: {len(body)}")) == 415
    assert status(request(path, kind, b"")) == 411
    assert status(request(path, kind, b"0\r\n\r\n", "Transfer-Encoding: chunked")) == 411
    assert status(request(path, kind, b"x\r\n", "Transfer-Encoding: chunked")) == 400
    assert status(request(path, kind, b"{" * len(body))) == 400
    assert status(request(path, kind, body), away) == 503
    if path != KAFKA_REST:
        assert status(request(path, kind, body), full) == 503


@each_route
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_of_a_request_is_refused_in_the_routes_shape(
    path: str, kind: str, body: bytes, chunked: bool
) -> None:
    fields = "Transfer-Encoding: chunked" if chunked else "Content-Length: 4097"

    wire = Rig(LIMITS_OF_4096).talk([request(path, kind, b"1001\r\n" if chunked else b"x", fields)])

    assert shaped(path, *parts(wire)) == (413 if path == KAFKA_REST else 400)
    assert not wire.is_open


LIMITS_OF_4096 = Limits(message_bytes=1000, request_bytes=4096, request_records=600)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_many_records_may_be_larger_than_one_record(chunked: bool) -> None:
    rig, body = Rig(LIMITS_OF_4096), b"[1, 2]\n" * 500
    data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body

    wire = rig.talk([request(LINES, NDJSON, data, *(["Transfer-Encoding: chunked"] if chunked else []))])

    assert wire.statuses == [200]
    assert len(rig.kafka.stored) == 500


def test_a_single_record_is_still_bounded_by_its_own_limit() -> None:
    assert Rig(LIMITS_OF_4096).talk([request(LINES, "text/plain", b"x" * 1001)]).statuses == [400]


@each_route
def test_a_late_body_and_a_late_kafka_are_408_in_the_routes_shape(path: str, kind: str, body: bytes) -> None:
    for sent in (request(path, kind, body), request(path, kind, body)[:-1]):
        rig = Rig()
        connection, wire = rig.connect()
        connection.data_received(sent)
        rig.sweep(LIMITS.body_seconds + 1)

        assert shaped(path, *parts(wire)) == 408


@each_route
def test_a_refusal_of_a_broken_head_behind_it_has_the_contracts_shape(path: str, kind: str, body: bytes) -> None:
    wire = Rig().talk([request(path, kind, body), b"\0"])

    assert wire.statuses == [200, 400]
    last = bytes(wire.written).rpartition(b"\r\n\r\n")[2]
    assert json.loads(last)["error"]["error_code"] == 400


def test_the_clouds_version_2_takes_no_basic_and_says_so() -> None:
    head, body = parts(Rig().talk([request(CLOUD, "application/json", TYPED, authorization=basic("token"))]))

    assert head.startswith(b"HTTP/1.1 401 ")
    assert b'\r\nWWW-Authenticate: Bearer realm="event streams"\r\n' in head + b"\r\n"
    assert body["error"]["code"] == "unauthorized"
    assert Rig().talk([request(KAFKA_REST, JSON_V2, ENVELOPE, authorization=basic("token"))]).statuses == [200]


@pytest.mark.parametrize("kind", ["avro", "protobuf", "jsonschema"])
def test_a_type_that_needs_schemas_is_415_and_says_that_there_is_no_registry(kind: str) -> None:
    head, body = parts(Rig().talk([request(KAFKA_REST, f"application/vnd.kafka.{kind}.v2+json", ENVELOPE)]))

    assert head.startswith(b"HTTP/1.1 415 ")
    assert body["error_code"] == 415
    assert "schema registry" in body["message"]


def test_the_type_without_a_format_is_415_and_names_those_with_one() -> None:
    _, body = parts(Rig().talk([request(KAFKA_REST, "application/vnd.kafka.v2+json", ENVELOPE)]))

    assert JSON_V2 in body["message"]


def test_a_serializer_is_400_and_pointed_at() -> None:
    _, body = parts(Rig().talk([request(f"{CLOUD}?serializer=confluent", "application/json", TYPED)]))

    assert body["error"]["code"] == "unsupported_serializer"
    assert body["error"]["target"] == {"type": "parameter", "name": "serializer"}


def test_one_bad_record_keeps_all_from_being_sent() -> None:
    rig = Rig()

    wire = rig.talk(
        [request(LINES, NDJSON, b"1\n2\n{\n"), request(KAFKA_REST, JSON_V2, b'{"records": [{"value": 1}, 2]}')]
    )

    assert wire.statuses == [400, 422]
    assert not rig.kafka.stored


def test_a_failed_line_is_told_with_what_became_of_the_others() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(request(LINES, NDJSON, b"1\n2\n"))
    rig.kafka.sent.pop(0).ticket.failed(KafkaError(KafkaError._MSG_TIMED_OUT))
    rig.kafka.confirm()

    head, body = parts(wire)
    assert head.startswith(b"HTTP/1.1 408 ")
    assert [next(iter(one)) for one in body["results"]] == ["error", "metadata"]
    assert body["error"]["incident"]


def test_a_failed_record_of_an_envelope_is_an_error_code_in_a_200() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(request(KAFKA_REST, JSON_V2, ENVELOPE))
    rig.kafka.sent.pop(0).ticket.failed(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    rig.kafka.confirm()

    head, body = parts(wire)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert [one["error_code"] for one in body["offsets"]] == [50002, None]
    assert (rig.tally.records_failed, rig.tally.record_bytes) == (1, 0)


def test_a_topic_that_is_unheard_of_is_asked_for_before_an_envelope_is_sent() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(request("/topics/unheard", JSON_V2, ENVELOPE))
    assert not rig.kafka.sent

    rig.kafka.answer(partitions=1)
    rig.kafka.confirm()

    assert wire.statuses == [200]


def test_the_bytes_of_all_records_are_counted() -> None:
    rig = Rig()

    rig.talk([request(LINES, NDJSON, b"1\n22\n"), request(KAFKA_REST, JSON_V2, ENVELOPE)])

    assert rig.tally.record_bytes == len(b'122{"a":1}')


@pytest.mark.parametrize(("path", "kind", "body"), ROUTES[1:])
def test_the_query_of_an_envelopes_request_counts_for_nothing(path: str, kind: str, body: bytes) -> None:
    def stored(query: str) -> list[tuple[Any, ...]]:
        rig = Rig()
        rig.talk([request(path + query, kind, body)])
        return [
            (one.beside.key, one.beside.headers, one.beside.partition, one.beside.timestamp_ms)
            for one in rig.kafka.stored
        ]

    assert stored("?key=other&headers=a:00&partition=1&timestamp=1") == stored("") != []


def test_nothing_of_a_body_is_in_the_log_or_in_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bodies = {
        LINES: (NDJSON, b'"hidden"\nhidden'),
        KAFKA_REST: (JSON_V2, b'{"hidden": 1}'),
        CLOUD: ("application/json", b'{"value": {"type": "hidden", "data": "hidden"}}'),
    }

    written = b"".join(bytes(Rig().talk([request(path, *rest)]).written) for path, rest in bodies.items()).decode()

    for text in (written, *(str(record.__dict__) for record in caplog.records)):
        assert "hidden" not in text


def test_the_records_and_all_bytes_of_a_body_count_in_the_window_until_it_is_answered() -> None:
    rig = Rig(window_records=4)
    connection, wire = rig.connect()
    connection.data_received(request(LINES, NDJSON, b"1\n2\n3\n"))
    assert (rig.window.records, rig.window.bytes) == (3, len(b"1\n2\n3\n"))

    connection.data_received(request(KAFKA_REST, JSON_V2, ENVELOPE))
    rig.wait(LIMITS.later_seconds)
    rig.kafka.confirm()

    assert (rig.window.records, rig.window.bytes) == (0, 0)
    assert wire.statuses == [200, 503]
    assert json.loads(bytes(wire.written).rpartition(b"\r\n\r\n")[2])["error_code"] == 50003


@each_route
def test_the_limits_of_a_service_id_hold_on_every_route(path: str, kind: str, body: bytes) -> None:
    rig = Rig()
    rig.keys.replace(0, Shard(2, (replace(GRANT, limits=KeyLimits(requests_per_second=1)),)))
    connection, wire = rig.connect()
    connection.data_received(request(path, kind, body))
    rig.kafka.confirm()
    wire.written.clear()

    connection.data_received(request(path, kind, body))
    rig.wait(LIMITS.later_seconds)

    assert shaped(path, *parts(wire)) == 429


@each_route
def test_a_body_that_comes_in_beside_too_many_others_is_503_on_every_route(path: str, kind: str, body: bytes) -> None:
    rig = Rig(window_bytes=1)
    first, _ = rig.connect()
    first.data_received(request(path, kind, body)[:-2])
    connection, wire = rig.connect()
    for piece in (request(path, kind, body)[:-2], body[-2:]):
        connection.data_received(piece)

    rig.wait(LIMITS.later_seconds)

    assert shaped(path, *parts(wire)) == 503
    assert rig.tally.told_later[Reason.WINDOW] == 1
