"""Records that arrive over HTTPS are in Kafka as they were sent; what is refused is not, and nothing leaks."""

import asyncio
import json
import secrets
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from eventstreams.core.apikey import ApiKey, mint
from eventstreams.core.keyring import KeyGrant
from integration.producer.conftest import grant_of
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import admin, delete_topic, make_topic, records
from integration.waiting import eventually
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

CURL = """curl -X POST -H "Authorization: Bearer {key}" -H "Content-Type: text/plain" -H "Accept: application/json" \
-d 'test message' --cacert {ca} "{endpoint}/topics/{topic}/records\""""


async def test_the_documented_curl_letter_for_letter(
    producer: ProducerProcess, kafka: LocalKafka, certificate: Certificate, key: ApiKey, topic: str
) -> None:
    command = CURL.format(key=key.reveal(), ca=certificate.file, endpoint=producer.url, topic=topic)

    curl = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    shown, _ = await curl.communicate()

    metadata = json.loads(shown)["metadata"]
    (record,) = records(kafka, topic)
    assert record.value() == b"test message"
    assert (record.partition(), record.offset()) == (metadata["partition"], metadata["offset"])
    assert (record.key(), record.headers()) == (None, None)


async def test_value_key_and_headers_are_read_back_byte_for_byte(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    value = bytes(range(256)) * 200
    query = "key=00ff0a&keyType=binary&headers=colour:726463,colour:,%C3%A9+x:0001"

    reply = await producer.produce(topic, value, key, "application/octet-stream", query)

    (record,) = records(kafka, topic)
    assert reply.status == 200
    assert (record.value(), record.key()) == (value, b"\x00\xff\n")
    assert record.headers() == [("colour", b"rdc"), ("colour", b""), ("é x", b"\0\1")]
    assert reply.body["metadata"]["timestamp"].endswith("Z")


async def test_partition_and_timestamp_are_read_back(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    query = "key=21&partition=2&timestamp=2026-11-23T08:53:20.045Z"

    reply = await producer.produce(topic, b"x", key, query=query)

    (record,) = records(kafka, topic)
    assert (record.partition(), record.timestamp()[1]) == (2, 1_795_424_000_045)
    assert (reply.body["metadata"]["partition"], reply.body["metadata"]["timestamp"]) == (2, "2026-11-23T08:53:20.045Z")


async def test_a_timestamp_that_the_topic_refuses_is_400(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", message_timestamp_before_max_ms="1000")

    reply = await producer.produce(topic, b"x", key, query="timestamp=1")

    assert (reply.status, reply.body["error"]["kafka_error_code"]) == (400, 32)
    assert records(kafka, topic) == []


async def test_an_empty_key_is_not_a_null_key(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    await producer.produce(topic, b"null", key)
    await producer.produce(topic, b"empty", key, query="key=")

    assert {record.value(): record.key() for record in records(kafka, topic)} == {b"null": None, b"empty": b""}


async def test_json_is_checked_and_stored_as_it_was_sent(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    body = b'{ "b":1.0,  "a" : "\\u00e9" }\n'

    reply = await producer.produce(topic, body, key, "application/json")

    assert reply.status == 200
    assert [record.value() for record in records(kafka, topic)] == [body]


@pytest.mark.parametrize(
    ("text", "murmur2"), [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536)]
)
async def test_a_key_goes_to_the_partition_where_a_java_client_sends_it(
    producer: ProducerProcess, key: ApiKey, topic: str, text: str, murmur2: int
) -> None:
    reply = await producer.produce(topic, b"x", key, query=f"key={text}")

    assert reply.body["metadata"]["partition"] == (murmur2 & 0x7FFFFFFF) % 3


async def test_keyless_records_are_spread_over_the_partitions(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    for _ in range(40):
        await producer.produce(topic, b"x", key)

    assert len({record.partition() for record in records(kafka, topic)}) > 1


async def test_pipelined_records_of_one_connection_stay_in_order(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, certificate: Certificate
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", partitions=1)
    await producer.produce(topic, b"first", key)
    request = (
        f"POST /topics/{topic}/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key.reveal()}\r\n"
        "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
    ).encode()
    context = ssl.create_default_context(cafile=certificate.file)
    reader, writer = await asyncio.open_connection("localhost", producer.port, ssl=context)
    writer.write(b"".join(request + b"%03d" % number for number in range(300)))
    for _ in range(300):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()

    assert [record.value() for record in records(kafka, topic)][1:] == [b"%03d" % number for number in range(300)]


async def test_what_is_refused_is_a_clear_json_error_is_not_stored_and_leaks_nothing(
    own_producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    wrong = mint(secrets.token_bytes)
    secret = b"body-" + secrets.token_hex(8).encode()
    cases = [
        (401, await own_producer.produce(topic, secret, wrong)),
        (401, await own_producer.produce(topic, secret, None)),
        (403, await own_producer.produce("other", secret, key)),
        (403, await own_producer.produce("__consumer_offsets", secret, key)),
        (404, await own_producer.produce("free-missing", secret, key)),
        (400, await own_producer.produce(topic, secret, key, "application/json")),
        (400, await own_producer.produce(topic, secret * 5000, key)),
        (400, await own_producer.produce(topic, secret, key, query="key=" + "k" * 4097)),
        (411, await own_producer.produce(topic, b"", key)),
        (415, await own_producer.produce(topic, secret, key, "application/x-www-form-urlencoded")),
    ]

    for status, reply in cases:
        assert (reply.status, reply.body["error_code"], reply.body["error"]["error_code"]) == (status,) * 3
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.body["error"]["incident"] in own_producer.log
    for hidden in (key.reveal(), wrong.reveal(), secret.decode(), "rest-password"):
        assert hidden not in own_producer.log
        assert hidden not in str([reply.body for _, reply in cases])
    assert records(kafka, topic) == []


async def test_a_topic_that_is_asked_for_is_not_made_though_the_broker_would(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    missing = f"free-{secrets.token_hex(4)}"

    assert (await producer.produce(missing, b"x", key)).status == 404

    assert missing not in admin(kafka).list_topics(timeout=20).topics
    assert (await producer.produce(missing, b"x", key)).status == 404


async def test_a_key_works_and_stops_working_within_a_second_of_the_keyrings_change(
    own_producer: ProducerProcess, key: ApiKey, topic: str
) -> None:
    new = mint(secrets.token_bytes)
    assert (await own_producer.produce(topic, b"x", new)).status == 401

    async def answers(status: int, with_key: ApiKey) -> bool:
        return (await own_producer.produce(topic, b"x", with_key)).status == status

    own_producer.grant(grant_of(new, topic))
    await eventually(lambda: answers(200, new), "the new key works", seconds=1)
    await eventually(lambda: answers(401, key), "the old key is refused", seconds=1)


async def test_a_key_that_expires_is_refused_without_any_news(
    own_producer: ProducerProcess, key: ApiKey, topic: str
) -> None:
    own_producer.grant(KeyGrant(key.id, key.digest, "apps/tests", (topic,), datetime.now(UTC) + timedelta(seconds=2)))

    async def expired() -> bool:
        return (await own_producer.produce(topic, b"x", key)).status == 401

    await eventually(expired, "the key expires", seconds=4)


async def test_a_deleted_topic_is_404_within_seconds_and_works_again_when_made_anew(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    assert (await producer.produce(topic, b"x", key)).status == 200

    async def answers(status: int) -> bool:
        return (await producer.produce(topic, b"x", key)).status == status

    delete_topic(kafka, topic)
    await eventually(lambda: answers(404), "404 for the deleted topic", seconds=10)
    make_topic(kafka, topic)
    await eventually(lambda: answers(200), "200 for the topic made anew", seconds=10)


async def test_a_record_above_the_topics_own_limit_is_400(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", max_message_bytes="1000")

    reply = await producer.produce(topic, b"x" * 2000, key)

    assert (reply.status, reply.body["error"]["kafka_error_code"]) == (400, 10)
    assert "max.message.bytes" in reply.body["message"]


async def test_metrics_tell_what_happened_and_name_no_topic_or_key(
    own_producer: ProducerProcess, key: ApiKey, topic: str
) -> None:
    await own_producer.produce(topic, b"12345", key)
    await own_producer.produce("other", b"x", key)

    shown = await own_producer.metrics()

    for line in ('requests_total{code="200"}', 'requests_total{code="403"} 1.0', "record_bytes_total 5.0", "keys 1.0"):
        assert f"eventstreams_producer_{line}" in shown
    assert topic not in shown
    assert key.id not in shown
