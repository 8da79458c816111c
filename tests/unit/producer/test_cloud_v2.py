"""The cloud's version 2: one record in an envelope with types."""

import json
from base64 import b64encode
from typing import Any

import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.cloud_v2 import CloudV2
from eventstreams.producer.delivery import refusal_of
from eventstreams.producer.formats import Bounds
from eventstreams.producer.limits import Limits
from eventstreams.producer.record import Attributes, Record, Stored

BOUNDS = Bounds(Limits(key_bytes=10, message_bytes=100, record_headers_bytes=20), 3)
TEXT = {"type": "text", "data": "x"}


def record(body: bytes | object) -> Record:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    (found,) = CloudV2().records(data, Attributes(), BOUNDS)
    return found


def test_the_documented_example_is_taken() -> None:
    body = {
        "headers": [{"name": "colour", "value": "YmxhY2s="}],
        "key": {"type": "text", "data": "Test Key"},
        "value": {"type": "text", "data": "test value"},
    }

    assert record(body) == Record(b"Test Key", [("colour", b"black")], value=b"test value")


@given(st.binary(max_size=100))
def test_binary_is_base64(data: bytes) -> None:
    assert record({"value": {"type": "binary", "data": b64encode(data).decode()}}) == Record(value=data)


@pytest.mark.parametrize("name", ["JSON", "json", "Json"])
def test_json_is_any_value_and_stored_compact_with_all_its_digits(name: str) -> None:
    body = b'{"value": {"data": {"a": [1.10, "\\u00e9 "]}, "type": "%b"}, "key": {"type": "json", "data": null}}'

    assert record(body % name.encode()) == Record(b"null", value=b'{"a":[1.10,"\\u00e9 "]}')


def test_a_null_key_is_none() -> None:
    assert record({"value": TEXT, "key": None}).key is None


@pytest.mark.parametrize(
    ("body", "code", "target"),
    [
        ([], "invalid_field", "the body"),
        ({}, "invalid_field", "value"),
        ({"value": None}, "invalid_field", "value"),
        ({"value": "x"}, "invalid_field", "value"),
        ({"value": TEXT, "values": TEXT}, "invalid_field", "the body"),
        ({"value": {"data": "x"}}, "invalid_type", "type"),
        ({"value": {"type": 1, "data": "x"}}, "invalid_type", "type"),
        ({"value": {"type": "string", "data": "x"}}, "invalid_type", "type"),
        ({"value": {"type": "avro", "data": {}, "schema": "{}"}}, "invalid_type", "type"),
        ({"value": {"type": "text"}}, "invalid_field", "data"),
        ({"value": {"type": "text", "data": 1}}, "invalid_field", "data"),
        ({"value": {"type": "text", "data": "\ud800"}}, "invalid_field", "data"),
        ({"value": {"type": "binary", "data": "?"}}, "invalid_field", "data"),
        ({"value": TEXT, "headers": [{"name": "a", "value": "?"}]}, "invalid_field", "headers.value"),
        ({"value": TEXT, "headers": [{"key": "a", "value": ""}]}, "invalid_field", "headers"),
        ({"value": TEXT, "headers": [{"name": "a" * 20, "value": ""}]}, "too_large", "headers"),
        ({"value": {"type": "text", "data": "x" * 101}}, "too_large", "value"),
        ({"value": TEXT, "key": {"type": "text", "data": "x" * 11}}, "too_large", "key"),
    ],
)
def test_what_is_not_well_formed_is_400_and_points_at_the_field(body: object, code: str, target: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        record(body)

    error: Any = CloudV2().error(refusal.value, "f00d")
    assert refusal.value.status == 400
    assert error == {
        "trace": "f00d",
        "error": {
            "code": code,
            "message": refusal.value.message,
            "more_info": "/openapi.json",
            "target": {"type": "field", "name": target},
        },
    }


@pytest.mark.parametrize(
    ("body", "says", "code"),
    [
        (b'{"value": ', "not JSON", "invalid_request"),
        (b'{"value": "x" {"type": "text", "data": "x"}}', "is no object", "invalid_field"),
        (b'{"value": {"type": "text", "data": "x"}, "key": 1 {"type": "text"}}', "is no object", "invalid_field"),
    ],
)
def test_what_is_not_json_is_400(body: bytes, says: str, code: str) -> None:
    with pytest.raises(RefusalError, match=says) as refusal:
        record(body)

    assert CloudV2().error(refusal.value, "f00d")["error"]["code"] == code


def test_the_answer_is_version_1s() -> None:
    assert CloudV2().answer("orders", [Stored(2, 41, 1_795_424_000_045)]) == {
        "metadata": {"topic": "orders", "timestamp": "2026-11-23T08:53:20.045Z", "partition": 2, "offset": 41}
    }


def test_a_failed_delivery_is_an_error() -> None:
    with pytest.raises(RefusalError) as refusal:
        CloudV2().answer("orders", [refusal_of(KafkaError(KafkaError._MSG_TIMED_OUT))])

    assert CloudV2().error(refusal.value, "f00d")["error"]["code"] == "timeout"
