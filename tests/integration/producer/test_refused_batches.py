"""Kafka refuses whole batches; who only shared one with a bad record is stored nevertheless."""

import asyncio
import secrets
from collections import Counter

import pytest

from eventstreams.core.apikey import ApiKey
from integration.producer.producer_process import ProducerProcess
from integration.producer.test_formats import NDJSON, post
from integration.producer.topics import make_topic, records
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration

FAR_FUTURE = "timestamp=2100-01-01T00:00:00Z"
HEADERS = "key=k&headers=colour:726463&timestamp=1700000000000"


async def test_lines_that_are_too_large_only_together_are_stored_in_order(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", max_message_bytes="4096")
    lines = [b'"%03d%b"' % (number, b"x" * 1000) for number in range(100)]

    reply = await producer.produce(topic, b"\n".join(lines), key, NDJSON, HEADERS)

    stored = records(kafka, topic)
    assert reply.status == 200
    assert [one.value() for one in stored] == lines
    assert {one.key() for one in stored} == {b"k"}
    assert {one.timestamp()[1] for one in stored} == {1_700_000_000_000}
    assert all(one.headers() == [("colour", b"rdc")] for one in stored)


async def test_a_record_that_kafka_refuses_costs_others_nothing(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", partitions=1)

    async def send(count: int, query: str) -> Counter[int]:
        return Counter([(await producer.produce(topic, b"x", key, query=query)).status for _ in range(count)])

    *good, bad = await asyncio.gather(*(send(50, "") for _ in range(20)), send(30, FAR_FUTURE))

    assert sum(good, Counter()) == {200: 1000}
    assert bad == {400: 30}
    assert len(records(kafka, topic)) == 1000


async def test_one_record_without_a_key_among_those_with_one_is_the_only_one_that_a_compacted_topic_refuses(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", partitions=1, cleanup_policy="compact")
    values = [{"key": f"k{number}", "value": number} for number in range(9)]

    reply = await post(
        producer,
        f"/topics/{topic}",
        {"records": [*values[:4], {"value": "no key"}, *values[4:]]},
        key,
        "application/vnd.kafka.json.v2+json",
    )

    assert [one["error_code"] for one in reply.body["offsets"]] == [*[None] * 4, 50002, *[None] * 5]
    assert [one.key() for one in records(kafka, topic)] == [b'"k%d"' % number for number in range(9)]
