"""Bodies of many lines: what becomes a record, what is refused, and what the whole is answered with."""

import json
from typing import Any

import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.answers import RefusalError, unavailable
from eventstreams.producer.delivery import refusal_of
from eventstreams.producer.formats import Bounds, Outcome
from eventstreams.producer.limits import Limits
from eventstreams.producer.ndjson import NDJSON
from eventstreams.producer.record import Attributes, Record, Stored

BOUNDS = Bounds(Limits(message_bytes=100, request_records=5), 3)
STORED = Stored(2, 41, 1_795_424_000_045)
UNKNOWN = refusal_of(KafkaError(KafkaError._MSG_TIMED_OUT))
TOO_LARGE = refusal_of(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
AWAY = unavailable("Kafka does not answer")


def values(body: bytes) -> list[bytes | None]:
    return [record.value for record in NDJSON().records(body, Attributes(), BOUNDS)]


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2), min_size=1, max_size=5), st.booleans()
)
def test_each_line_is_stored_byte_for_byte_as_one_record(written: list[dict[str, int]], crlf: bool) -> None:
    lines = [json.dumps(one, ensure_ascii=False).encode() for one in written]

    for end in (b"", b"\n"):
        assert values((b"\r\n" if crlf else b"\n").join(lines) + end) == lines


def test_a_line_keeps_the_spaces_digits_and_escapes_that_it_has() -> None:
    assert values(b' {"a":  1.10}\t\n"\\ud800"\r\n') == [b' {"a":  1.10}\t', b'"\\ud800"']


def test_empty_lines_are_left_out() -> None:
    assert values(b"\n\r\n1\n \t\n\n2") == [b"1", b"2"]


def test_key_headers_partition_and_timestamp_of_the_query_are_those_of_each_record() -> None:
    like = Attributes(b"k", [("a", b"b")], 2, 7)

    assert NDJSON().records(b"1\n2", like, BOUNDS) == [
        Record(b"k", [("a", b"b")], 2, 7, value=b"1"),
        Record(b"k", [("a", b"b")], 2, 7, value=b"2"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"1\n\n{x}\n2", 400, "line 3: it is not JSON: Expecting property name .* at character 1; no record was sent"),
        (b"1\n" + b'"%b"' % (b"x" * 99), 400, "line 2: it has 101 bytes, the limit of a record is 100"),
        (b"1\n1 2", 400, "line 2: it is not JSON: Extra data"),
        (b'1\n"\xff"', 400, "line 2: it is not JSON: not UTF-8"),
        (b"1\n" * 6, 400, "more than 5 records"),
        (b"1\r2", 400, "line 1"),
        (b"\n \r\n", 411, "no data"),
    ],
)
def test_one_bad_line_refuses_them_all_and_is_named(body: bytes, status: int, says: str) -> None:
    with pytest.raises(RefusalError, match=says) as refusal:
        values(body)

    assert refusal.value.status == status


def test_a_partition_that_the_topic_does_not_have_refuses_all() -> None:
    with pytest.raises(RefusalError, match="no partition 3"):
        NDJSON().records(b"1", Attributes(partition=3), BOUNDS)


def test_the_body_of_a_success_has_the_metadata_of_each_record_in_order() -> None:
    metadata = {"topic": "orders", "timestamp": "2026-11-23T08:53:20.045Z", "partition": 2}

    assert NDJSON().answer("orders", [STORED, STORED._replace(offset=42)]) == {
        "results": [{"metadata": metadata | {"offset": 41}}, {"metadata": metadata | {"offset": 42}}]
    }


@pytest.mark.parametrize(
    ("outcomes", "status", "says"),
    [
        ([STORED, UNKNOWN, TOO_LARGE], 408, "did not confirm 1 of 3 records: they may or may not be stored"),
        ([UNKNOWN, UNKNOWN], 408, "did not confirm 2 of 2"),
        ([STORED, TOO_LARGE, AWAY], 500, "2 of 3 records are not stored, the others are"),
        ([TOO_LARGE, AWAY], 503, "no record is stored: Kafka does not answer"),
        ([TOO_LARGE, TOO_LARGE], 400, "no record is stored: the message is larger"),
    ],
)
def test_200_is_for_all_408_as_soon_as_one_is_unknown_500_for_a_part_and_else_why_none_is_stored(
    outcomes: list[Outcome], status: int, says: str
) -> None:
    with pytest.raises(RefusalError, match=says) as refusal:
        NDJSON().answer("orders", outcomes)

    assert refusal.value.status == status
    assert ("Retry-After" in refusal.value.headers) is (status == 503)
    assert len(refusal.value.details["results"]) == len(outcomes)


def test_an_error_after_sending_has_the_contracts_shape_and_the_result_of_each_record() -> None:
    with pytest.raises(RefusalError) as refusal:
        NDJSON().answer("orders", [STORED, TOO_LARGE])

    body: Any = NDJSON().error(refusal.value, "f00d")
    message = refusal.value.message
    assert body == {
        "error_code": 500,
        "message": message,
        "error": {"error_code": 500, "message": message, "incident": "f00d"},
        "results": [
            {
                "metadata": {
                    "topic": "orders",
                    "timestamp": "2026-11-23T08:53:20.045Z",
                    "partition": 2,
                    "offset": 41,
                }
            },
            {"error": {"error_code": 400, "message": TOO_LARGE.message, "kafka_error_code": 10}},
        ],
    }
