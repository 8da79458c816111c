"""Lines and envelopes over HTTPS are in Kafka as they were sent, all of them and in order, or none."""

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import Message

from eventstreams.core.apikey import ApiKey
from integration.producer.conftest import grant_of
from integration.producer.producer_process import ProducerProcess, Reply
from integration.producer.topics import make_topic, records
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

NDJSON = "application/x-ndjson"
KAFKA_V2 = "application/vnd.kafka.v2+json"


async def post(producer: ProducerProcess, path: str, body: object, key: ApiKey, content_type: str) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {key.reveal()}"}
    async with producer.session.post(f"{producer.url}{path}", data=data, headers=headers) as answer:
        return Reply(answer.status, await answer.json(content_type=None), dict(answer.headers))


def placed(messages: list[Message]) -> dict[tuple[int | None, int | None], Message]:
    return {(one.partition(), one.offset()): one for one in messages}


async def test_lines_are_read_back_byte_for_byte_from_where_the_answer_says(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    lines = [
        b'{"a":  1.10}',
        ' "é"\t'.encode(),
        b'"\\ud800"',
        b"12345678901234567890.000",
        *(b"%d" % n for n in range(900)),
    ]

    reply = await producer.produce(topic, b"\r\n".join(lines), key, NDJSON)

    stored = placed(records(kafka, topic))
    assert reply.status == 200
    told = [one["metadata"] for one in reply.body["results"]]
    assert [stored[one["partition"], one["offset"]].value() for one in told] == lines
    assert len(stored) == len(lines)


async def test_lines_of_one_key_stay_in_order_in_one_partition(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    lines = [b"%d" % number for number in range(500)]

    reply = await producer.produce(topic, b"\n".join(lines), key, NDJSON, "key=k&headers=a:00&timestamp=1795424000045")

    stored = records(kafka, topic)
    assert reply.status == 200
    assert [one.value() for one in stored] == lines
    assert {(one.partition(), one.key(), one.timestamp()[1]) for one in stored} == {
        (stored[0].partition(), b"k", 1_795_424_000_045)
    }
    assert all(one.headers() == [("a", b"\0")] for one in stored)


async def test_a_line_that_is_no_json_keeps_all_from_kafka(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    reply = await producer.produce(topic, b"1\n2\n{\n", key, NDJSON)

    assert (reply.status, reply.body["error_code"]) == (400, 400)
    assert reply.body["message"].startswith("line 3: ")
    assert records(kafka, topic) == []


async def test_a_line_above_the_topics_own_limit_is_told_beside_those_that_are_stored(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", partitions=3, max_message_bytes="1000")
    # a batch is refused as a whole, so that the large one goes alone: to another partition
    records_of = [{"value": 1, "partition": 0}, {"value": "x" * 2000, "partition": 1}, {"value": 2, "partition": 2}]

    reply = await post(producer, f"/topics/{topic}", {"records": records_of}, key, "application/vnd.kafka.json.v2+json")
    lines = await producer.produce(topic, b'"%b"\n"%b"' % (b"x" * 2000, b"y" * 2000), key, NDJSON)

    assert reply.status == 200
    assert [one["error_code"] for one in reply.body["offsets"]] == [None, 50002, None]
    assert (lines.status, lines.body["error"]["kafka_error_code"]) == (400, 10)
    assert [one["error"]["error_code"] for one in lines.body["results"]] == [400, 400]
    assert sorted(one.value() or b"" for one in records(kafka, topic)) == [b"1", b"2"]


async def test_an_envelope_of_json_is_read_back_compact_with_all_its_digits(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    body = rb"""{ "records": [
        {"key": {"id" : 1.10}, "value": {"a" : [12345678901234567890.10, "\u00e9 "]}, "partition": 2,
         "headers": [{"key": "colour", "value": "cmRj"}], "timestamp": 1795424000045},
        {"key": "k", "value": null, "partition": 2} ] }"""

    reply = await post(producer, f"/topics/{topic}", body, key, "application/vnd.kafka.json.v2+json")

    first, tombstone = records(kafka, topic)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == KAFKA_V2
    assert reply.body == {
        "offsets": [{"partition": 2, "offset": offset, "error_code": None, "error": None} for offset in (0, 1)],
        "key_schema_id": None,
        "value_schema_id": None,
    }
    assert (first.key(), first.value()) == (b'{"id":1.10}', rb'{"a":[12345678901234567890.10,"\u00e9 "]}')
    assert (first.headers(), first.timestamp()[1]) == ([("colour", b"rdc")], 1_795_424_000_045)
    assert (tombstone.key(), tombstone.value()) == (b'"k"', None)


async def test_an_envelope_of_base64_is_read_back_byte_for_byte(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    value = bytes(range(256)) * 200
    envelope = {"records": [{"key": b64encode(b"\0\xff").decode(), "value": b64encode(value).decode()}]}

    reply = await post(producer, f"/topics/{topic}", envelope, key, "application/vnd.kafka.binary.v2+json")

    (record,) = records(kafka, topic)
    assert reply.status == 200
    assert (record.key(), record.value()) == (b"\0\xff", value)


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        ("json", b'{"records":[{"value":{"foo":"bar"}}]}', b'{"foo":"bar"}'),
        ("binary", b'{"records":[{"value":"S2Fma2E="}]}', b"Kafka"),
        ("json", b'{"records":[{"key":"my-key","value":"sales-lead-0001"}]}', b'"sales-lead-0001"'),
        ("text", b'{"records":[{"value":"text"}]}', b"text"),
    ],
)
async def test_the_examples_that_the_proxies_document_are_taken(  # noqa: PLR0913, PLR0917
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str, kind: str, sent: bytes, value: bytes
) -> None:
    reply = await post(producer, f"/topics/{topic}", sent, key, f"application/vnd.kafka.{kind}.v2+json")

    assert reply.body["offsets"][0]["error_code"] is None
    assert [one.value() for one in records(kafka, topic)] == [value]


async def test_the_clouds_envelope_is_read_back_by_its_types(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    envelope = {
        "headers": [{"name": "colour", "value": "YmxhY2s="}],
        "key": {"type": "text", "data": "Test Key"},
        "value": {"type": "binary", "data": b64encode(bytes(range(256))).decode()},
    }

    reply = await post(producer, f"/v2/topics/{topic}/records", envelope, key, "application/json")

    (record,) = records(kafka, topic)
    metadata = reply.body["metadata"]
    assert (record.key(), record.value()) == (b"Test Key", bytes(range(256)))
    assert record.headers() == [("colour", b"black")]
    assert (record.partition(), record.offset()) == (metadata["partition"], metadata["offset"])


async def test_limits_of_a_request_are_the_processs_settings(
    tmp_path: Path,
    kafka: LocalKafka,
    kafka_settings: Mapping[str, str],
    certificate: Certificate,
    key: ApiKey,
    topic: str,
) -> None:
    limits = {"max_request_bytes": "200000", "max_records_per_request": "3"}
    process = ProducerProcess(tmp_path, {**kafka_settings, **limits}, certificate.directory)
    process.grant(grant_of(key, topic))
    line = b'"' + b"x" * 65_000 + b'"\n'

    async with process:
        taken = await process.produce(topic, line * 3, key, NDJSON)
        too_many = await process.produce(topic, b"1\n" * 4, key, NDJSON)
        too_large = await process.produce(topic, line * 4, key, NDJSON)

    assert [taken.status, too_many.status, too_large.status] == [200, 400, 400]
    assert len(records(kafka, topic)) == 3


async def test_what_is_refused_on_any_route_is_not_stored_and_leaks_nothing(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    secret = f"body-{secrets.token_hex(8)}"
    v2 = "application/vnd.kafka.json.v2+json"
    replies = [
        (400, await producer.produce(topic, secret.encode(), key, NDJSON)),
        (422, await post(producer, f"/topics/{topic}", {secret: secret}, key, v2)),
        (422, await post(producer, f"/topics/{topic}", {"records": [{"value": 1, "partition": secret}]}, key, v2)),
        (404, await post(producer, "/topics/free-missing", {"records": [{"value": secret}]}, key, v2)),
        (403, await post(producer, "/topics/other", {"records": [{"value": secret}]}, key, v2)),
        (415, await post(producer, f"/topics/{topic}", secret.encode(), key, "application/vnd.kafka.avro.v2+json")),
        (413, await post(producer, f"/topics/{topic}", {"records": [{"value": secret * 5000}]}, key, v2)),
        (400, await post(producer, f"/v2/topics/{topic}/records", {"value": secret}, key, "application/json")),
    ]

    assert [reply.status for _, reply in replies] == [status for status, _ in replies]
    for hidden in (key.reveal(), secret):
        assert hidden not in producer.log
        assert hidden not in str([reply.body for _, reply in replies])
    assert records(kafka, topic) == []
