"""The envelope of Kafka's REST proxies: what becomes a record, what is refused, and the answers' shape."""

import json
from base64 import b64encode
from typing import Any

import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.answers import RefusalError, unavailable
from eventstreams.producer.delivery import refusal_of
from eventstreams.producer.formats import Bounds, Outcome
from eventstreams.producer.kafka_rest import FORMATS
from eventstreams.producer.limits import Limits
from eventstreams.producer.record import Attributes, Record, Stored

LIMITS = Limits(key_bytes=10, message_bytes=100, record_headers_bytes=20, request_records=3)
JSON, BINARY, TEXT = FORMATS.values()


def records(body: bytes | str | object, form: Any = JSON, limits: Limits = LIMITS) -> list[Record]:
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    found: list[Record] = form.records(
        body if isinstance(body, bytes) else body.encode(), Attributes(), Bounds(limits, 3)
    )
    return found


def refusal_for(body: bytes | str | object, form: Any = JSON) -> RefusalError:
    with pytest.raises(RefusalError) as refusal:
        records(body, form)
    return refusal.value


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=3), st.integers(0, 2))
def test_json_keys_and_values_are_stored_compact(written: list[tuple[object, object]], indent: int) -> None:
    body = json.dumps({"records": [{"key": key, "value": value} for key, value in written]}, indent=indent)

    found = records(body, limits=Limits())

    def compact(value: object) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    assert [(one.key, one.value) for one in found] == [(compact(key), compact(value)) for key, value in written]


def test_no_digit_of_a_number_and_no_escape_is_lost() -> None:
    (record,) = records(r'{"records": [{"key": 1.10, "value": {"a" : 12345678901234567890.10, "b": "\u00e9\ud800"}}]}')

    assert (record.key, record.value) == (b"1.10", rb'{"a":12345678901234567890.10,"b":"\u00e9\ud800"}')


def test_a_string_as_json_keeps_its_quotes_and_as_text_has_none() -> None:
    body = {"records": [{"key": "k", "value": "é"}]}

    assert records(body)[0] == Record(b'"k"', value=rb'"\u00e9"')
    assert records(body, TEXT)[0] == Record(b"k", value="é".encode())


@given(st.binary(max_size=10), st.binary(max_size=100))
def test_binary_is_base64(key: bytes, value: bytes) -> None:
    body = {"records": [{"key": b64encode(key).decode(), "value": b64encode(value).decode()}]}

    assert records(body, BINARY) == [Record(key, value=value)]


@pytest.mark.parametrize("form", [JSON, BINARY, TEXT])
def test_a_null_value_is_a_tombstone_and_a_null_key_is_none(form: Any) -> None:
    assert records({"records": [{"key": None, "value": None}]}, form) == [Record(value=None)]


def test_partition_timestamp_and_headers_are_taken_in_any_order_of_members() -> None:
    body = {
        "records": [
            {
                "timestamp": 1_795_424_000_045,
                "headers": [{"value": "YQ==", "key": "x"}, {"key": "x", "value": ""}],
                "value": 1,
                "partition": 2,
            },
            {"value": 2, "partition": None, "timestamp": None, "headers": None, "key": None},
        ],
        "value_schema": None,
    }

    assert records(body) == [
        Record(None, [("x", b"a"), ("x", b"")], 2, 1_795_424_000_045, value=b"1"),
        Record(value=b"2"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 422, "the body is no object"),
        (b'{"records": [{"value": x}]}', 400, "not JSON: Expecting value at character 23"),
        (b'{"records": [{"value": NaN}]}', 400, "NaN"),
        (b'{"records": [{"value": 1}]} {}', 400, "Expecting the end"),
        (b'{"records": [{"value": ' + b"[" * 100_000, 400, "nested too deeply"),
        ([], 422, "the body is no object"),
        ({}, 422, "has no records"),
        ({"records": []}, 422, "has no records"),
        ({"records": {}}, 422, "records is no array"),
        ({"recods": []}, 422, "the body has a member that is none of records, key_schema"),
        (b'{"records": [{"value": 1}], "records": [{"value": 2}]}', 422, "records is given twice"),
        ({"records": [{"value": 1}], "value_schema": "{}"}, 422, "value_schema needs a schema registry"),
        ({"records": [{"value": 1}], "key_schema_id": 1}, 422, "key_schema_id needs a schema registry"),
        ({"records": [{"value": 1}, 2]}, 422, r"records\[1\]: the record is no object; no record was sent"),
        ({"records": [{"key": 1}]}, 422, "value is missing: write null for a tombstone"),
        ({"records": [{"velue": 1}]}, 422, "the record has a member that is none of key, value"),
        (b'{"records": [{"value": 1, "value": 2}]}', 422, "value is given twice"),
        ({"records": [{"value": 1, "partition": "0"}]}, 422, "partition is no number"),
        ({"records": [{"value": 1, "partition": -1}]}, 422, "partition is no number"),
        ({"records": [{"value": 1, "partition": 1.0}]}, 422, "partition is no number"),
        ({"records": [{"value": 1, "partition": True}]}, 422, "partition is no number"),
        ({"records": [{"value": 1, "partition": 3}]}, 404, r"records\[0\]: the topic has no such partition"),
        ({"records": [{"value": 1, "timestamp": 0}]}, 422, "timestamp is no number"),
        ({"records": [{"value": 1, "timestamp": 10**15}]}, 422, "timestamp is no number"),
        ({"records": [{"value": 1, "headers": {}}]}, 422, "headers is no array"),
        ({"records": [{"value": 1, "headers": [1]}]}, 422, "headers is no object"),
        ({"records": [{"value": 1, "headers": [{"key": "", "value": ""}]}]}, 422, "headers.key is empty"),
        ({"records": [{"value": 1, "headers": [{"key": "a\0b", "value": ""}]}]}, 422, "headers.key has a NUL"),
        ({"records": [{"value": 1, "headers": [{"key": "a"}]}]}, 422, "headers.value is no string"),
        ({"records": [{"value": 1, "headers": [{"key": "\ud800", "value": ""}]}]}, 422, "surrogate"),
        ({"records": [{"value": 1, "headers": [{"key": "a", "value": "?"}]}]}, 422, "headers.value is not base64"),
        ({"records": [{"value": 1, "headers": [{"key": "a" * 17, "value": ""}]}]}, 413, "headers are longer than 20"),
        ({"records": [{"value": 1}] * 4}, 413, "records are more than the limit of 3"),
        ({"records": [{"value": 1, "key": 10**10}]}, 413, "key has 11 bytes, the limit is 10"),
        ({"records": [{"value": "x" * 99}]}, 413, "value has 101 bytes, the limit is 100"),
    ],
)
def test_a_bad_envelope_is_refused_whole_and_the_place_is_named(body: Any, status: int, says: str) -> None:
    refusal = refusal_for(body)

    with pytest.raises(RefusalError, match=says):
        raise refusal
    assert refusal.status == status


@pytest.mark.parametrize("data", ["a", "YQ", "YQ= =", "Y Q==", "_w==", "YWJj=", "YWJj====", "é", 1, {}, ["YQ=="]])
def test_what_is_not_base64_is_422(data: object) -> None:
    assert refusal_for({"records": [{"value": data}]}, BINARY).status == 422


@pytest.mark.parametrize("data", [1, {}, "\ud800"])
def test_what_is_no_text_is_422(data: object) -> None:
    assert refusal_for({"records": [{"value": data}]}, TEXT).status == 422


@given(st.text(min_size=3, max_size=6, alphabet="XYZ"))
def test_a_refusal_repeats_nothing_of_the_body(secret: str) -> None:
    bodies: list[Any] = [
        {secret: 1},
        {"records": [{secret: 1}]},
        {"records": [{"value": 1, "partition": secret}]},
        {"records": [{"value": 1, "headers": [{"key": secret, "value": secret + "?"}]}]},
        b'{"records": [{"value": ' + secret.encode(),
    ]

    assert not any(secret in refusal_for(body).message for body in bodies)


def test_the_answer_has_an_offset_or_an_error_for_each_record_in_order() -> None:
    outcomes: list[Outcome] = [
        Stored(2, 41, 0),
        refusal_of(KafkaError(KafkaError._MSG_TIMED_OUT)),
        refusal_of(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)),
        unavailable("Kafka's client is being renewed"),
        refusal_of(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)),
    ]

    found = JSON.answer("orders", outcomes)

    assert found["offsets"][0] == {"partition": 2, "offset": 41, "error_code": None, "error": None}
    assert [one["error_code"] for one in found["offsets"]] == [None, 50003, 50002, 50003, 40401]
    assert "may or may not be stored" in found["offsets"][1]["error"]
    assert all(one["partition"] is one["offset"] is None for one in found["offsets"][1:])
    assert (found["key_schema_id"], found["value_schema_id"]) == (None, None)


@pytest.mark.parametrize(
    ("status", "code"), [(400, 400), (401, 40101), (403, 40301), (404, 40401), (408, 408), (422, 422), (503, 50003)]
)
def test_an_error_has_the_conventions_code_where_it_has_one(status: int, code: int) -> None:
    assert JSON.error(RefusalError(status, "so"), "f00d") == {"error_code": code, "message": "so"}


def test_a_missing_partition_has_its_own_code() -> None:
    refusal = refusal_for({"records": [{"value": 1, "partition": 3}]})

    assert JSON.error(refusal, "f00d")["error_code"] == 40402
