"""What is stored and what is answered, through the real connection."""

import gc
import json
import logging
from typing import Any

import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.core.keyring import Shard
from eventstreams.producer.answers import unavailable
from eventstreams.producer.topic_map import NO_LEADER
from unit.producer.rig import KEY, OTHER_KEY, Rig, Wire, post


def answer(wire: Wire) -> Any:
    return json.loads(bytes(wire.written).partition(b"\r\n\r\n")[2])


def test_success_is_answered_in_the_shape_of_the_contract() -> None:
    wire = Rig().talk([post()])

    assert answer(wire) == {
        "metadata": {"topic": "orders", "timestamp": "2026-11-23T08:53:20.045Z", "partition": 2, "offset": 0}
    }


def test_an_error_is_answered_in_the_shape_of_v1_1_0_with_its_incident_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    found = answer(Rig().talk([post("/topics/gone/records")]))

    error = found["error"]
    assert found == {"error_code": 404, "message": error["message"], "error": error}
    assert error == {
        "error_code": 404,
        "message": "the topic does not exist: create it, or correct the path",
        "incident": caplog.records[0].__dict__["incident"],
        "topic": "gone",
    }


def test_a_401_carries_its_challenge_and_a_405_what_is_allowed() -> None:
    unauthorized = Rig().talk([post(key="wrong")])
    not_allowed = Rig().talk([b"GET /topics/orders/records HTTP/1.1\r\nHost: es\r\n\r\n"])

    assert b"\r\nWWW-Authenticate: Bearer " in unauthorized.written
    assert b"\r\nAllow: POST\r\n" in not_allowed.written


def test_no_answer_has_a_cors_field() -> None:
    asked = b"OPTIONS /topics/orders/records HTTP/1.1\r\nHost: es\r\nOrigin: https://other\r\n"
    written = Rig().talk([post(), asked + b"Access-Control-Request-Method: POST\r\n\r\n"]).written

    assert b"access-control-" not in written.lower()


@given(st.binary(min_size=1, max_size=1000))
def test_the_body_is_stored_unchanged(body: bytes) -> None:
    rig = Rig()

    rig.talk([post(body=body)])

    assert rig.kafka.stored[0].value == body


@pytest.mark.parametrize("content_type", [b"text/plain", b"application/x-ndjson"])
def test_a_record_that_waits_for_kafka_is_held_by_kafkas_client_alone(content_type: bytes) -> None:
    rig = Rig()
    connection, _ = rig.connect()
    connection.data_received(post(body=b'{"value": "of a kind"}').replace(b"text/plain", content_type))

    (sent,) = rig.kafka.sent
    assert [type(one) for one in gc.get_referrers(sent.value)] == [type(sent)]


def test_partition_and_timestamp_reach_kafka() -> None:
    rig = Rig()

    rig.talk([post("/topics/orders/records?partition=2&timestamp=1795424000045")])

    assert [(one.beside.partition, one.beside.timestamp_ms) for one in rig.kafka.stored] == [(2, 1_795_424_000_045)]


def test_a_partition_that_the_topic_does_not_have_is_400_and_the_message_says_which_it_has() -> None:
    rig = Rig()

    wire = rig.talk([post("/topics/orders/records?partition=3")])

    assert wire.statuses == [400]
    assert answer(wire)["message"] == "the topic has no partition 3: its partitions are 0 to 2"
    assert not rig.kafka.stored


def json_comment(body: bytes) -> object:
    rig = Rig()
    wire = rig.talk([post(body=body).replace(b"text/plain", b"application/json")])
    assert rig.kafka.stored[0].value == body
    return answer(wire).get("Comment")


def test_an_envelope_sent_as_plain_json_is_stored_as_it_is_with_a_hint_in_the_comment() -> None:
    assert "looks like an envelope" in str(json_comment(b'{"records": [{"key": "a", "value": 1}, {"value": null}]}'))


@pytest.mark.parametrize(
    "body",
    [b'{"records": []}', b'{"records": [1]}', b'{"records": [{"a": 1}]}', b'{"records": 1}', b'["records"]', b"1"],
)
def test_other_json_has_no_comment(body: bytes) -> None:
    assert json_comment(body) is None


def test_a_topic_that_is_unheard_of_is_asked_for_once_and_then_used() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post("/topics/unheard/records"))
    assert not rig.kafka.sent

    rig.kafka.answer(partitions=1)
    rig.kafka.confirm()

    assert wire.statuses == [200]


@pytest.mark.parametrize(("partitions", "status"), [(0, 404), (None, 503), (NO_LEADER, 503)])
def test_a_topic_that_kafka_denies_is_404_and_one_untold_of_or_without_a_leader_503(
    partitions: int | None, status: int
) -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post("/topics/unheard/records"))

    rig.kafka.answer(partitions)

    assert wire.statuses == [status]


def test_kafka_away_is_503_with_retry_after_and_says_not_stored() -> None:
    rig = Rig()
    rig.kafka.is_away = True

    wire = rig.talk([post()])

    assert wire.statuses == [503]
    assert b"\r\nRetry-After: 2\r\n" in wire.written
    assert "not stored" in answer(wire)["message"]
    assert not rig.kafka.stored


def test_kafka_away_is_not_asked_for_a_topic_first() -> None:
    rig = Rig()
    rig.kafka.is_away = True

    assert rig.talk([post("/topics/unheard/records")]).statuses == [503]


def test_a_full_queue_is_503() -> None:
    rig = Rig()
    rig.kafka.refusal = unavailable("too many records wait for Kafka already")

    assert rig.talk([post()]).statuses == [503]


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KafkaError._MSG_TIMED_OUT, 408, "may or may not be stored"),
        (KafkaError._PURGE_INFLIGHT, 408, "may or may not be stored"),
        (KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, 408, "may or may not be stored"),
        (KafkaError.MSG_SIZE_TOO_LARGE, 400, "max.message.bytes; not stored"),
        (KafkaError.INVALID_RECORD, 400, "a compacted topic needs a key; not stored"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, 404, "does not exist; not stored"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, 503, "not stored"),
        (KafkaError._PURGE_QUEUE, 408, "may or may not be stored"),  # it may have been sent, and queued again
    ],
)
def test_a_failed_delivery_says_whether_the_record_may_be_stored(error: int, status: int, says: str) -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post())

    rig.kafka.fail(error)

    assert wire.statuses == [status]
    assert says in answer(wire)["message"]
    assert answer(wire)["error"].get("kafka_error_code") == (error if error > 0 else None)
    assert rig.tally.records_failed == 1


def test_a_key_works_from_the_moment_it_is_in_the_keyring_until_it_is_not() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post())
    rig.kafka.confirm()
    rig.keys.replace(0, Shard(2, ()))
    connection.data_received(post())

    assert wire.statuses == [200, 401]


def test_neither_key_nor_body_is_in_the_log_or_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rig = Rig()
    requests = [
        post(key=OTHER_KEY.reveal(), body=b"body-secret"),
        post("/topics/secret/records", body=b"body-secret"),
        post("/topics/gone/records?key=key-secret", body=b"body-secret"),
    ]

    written = b"".join(bytes(rig.talk([request]).written) for request in requests).decode()

    for text in (written, *(str(record.__dict__) for record in caplog.records)):
        assert not any(secret in text for secret in ("body-secret", "key-secret", OTHER_KEY.reveal(), KEY.reveal()))


def test_a_key_in_the_place_of_the_topic_is_neither_in_the_log_nor_in_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    wire = Rig().talk([post(f"/topics/{OTHER_KEY.reveal()}/records")])

    for text in (bytes(wire.written).decode(), *(str(record.__dict__) for record in caplog.records)):
        assert OTHER_KEY.reveal() not in text


@pytest.mark.parametrize(
    ("missing", "draining", "status"), [([], False, 200), (["keyring shards 3"], False, 503), ([], True, 503)]
)
def test_ready_says_what_is_lacking(missing: list[str], *, draining: bool, status: int) -> None:
    rig = Rig()
    rig.process.missing = missing
    rig.endpoint.is_draining = draining

    wire = rig.talk([b"GET /ready HTTP/1.1\r\nHost: es\r\n\r\n"])

    assert wire.statuses == [status]
    assert answer(wire)["ready"] is (status == 200)
    assert not rig.tally.requests, "no client's request"


def test_alive_fails_when_a_thread_hangs() -> None:
    rig = Rig()
    rig.process.stuck = True

    assert rig.talk([b"GET /alive HTTP/1.1\r\nHost: es\r\n\r\n"]).statuses == [500]
