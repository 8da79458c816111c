"""A key that floods is told to come later, by 429 or 503, and another key is served as if it were alone."""

import asyncio
import secrets
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eventstreams.core.apikey import ApiKey, mint
from eventstreams.core.keyring import KeyGrant, KeyLimits
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import records
from integration.waiting import eventually
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

CONNECTIONS, PIPELINED = 16, 32
QUIET_REQUESTS = 50


async def flood(port: int, certificate: Certificate, key: ApiKey, topic: str, answers: Counter[bytes]) -> None:
    """Send as fast as it goes over one connection, many requests at a time, and count the answers by status."""
    request = (
        f"POST /topics/{topic}/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key.reveal()}\r\n"
        "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nflood"
    ).encode()
    context = ssl.create_default_context(cafile=certificate.file)
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    try:
        while True:
            writer.write(request * PIPELINED)
            for _ in range(PIPELINED):
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
                answers[head[9:12]] += 1
    finally:
        writer.close()


@asynccontextmanager
async def flooding(
    producer: ProducerProcess, certificate: Certificate, key: ApiKey, topic: str
) -> AsyncIterator[Counter[bytes]]:
    """Flood over many connections inside the block."""
    answers: Counter[bytes] = Counter()
    async with asyncio.TaskGroup() as group:
        floods = [group.create_task(flood(producer.port, certificate, key, topic, answers)) for _ in range(CONNECTIONS)]
        yield answers
        for one in floods:
            one.cancel()


async def told(answers: Counter[bytes], status: bytes) -> bool:
    return min(answers[b"200"], answers[status]) > 0


@pytest.mark.parametrize(
    ("limits", "window_records", "status", "reason"),
    [
        pytest.param(KeyLimits(requests_per_second=20), 5000, b"429", "requests_per_second", id="requests a second"),
        pytest.param(KeyLimits(bytes_per_second=100), 5000, b"429", "bytes_per_second", id="bytes a second"),
        pytest.param(None, 8, b"503", "share", id="in flight"),
    ],
)
async def test_a_key_that_floods_is_told_to_come_later_and_another_keys_requests_are_all_stored(  # noqa: PLR0913, PLR0917
    tmp_path: Path,
    kafka: LocalKafka,
    kafka_settings: Mapping[str, str],
    certificate: Certificate,
    key: ApiKey,
    topic: str,
    limits: KeyLimits | None,
    window_records: int,
    status: bytes,
    reason: str,
) -> None:
    greedy = mint(secrets.token_bytes)
    producer = ProducerProcess(
        tmp_path, kafka_settings, certificate.directory, in_flight_records=str(window_records), log_level="INFO"
    )
    producer.grant(
        KeyGrant(key.id, key.digest, "apps/quiet", (topic,)),
        KeyGrant(greedy.id, greedy.digest, "apps/greedy", (topic,), limits=limits),
    )
    async with producer:
        async with flooding(producer, certificate, greedy, topic) as answers:
            await eventually(lambda: told(answers, status), "the flood is served, and told to come later")
            replies = [await producer.produce(topic, b"quiet", key) for _ in range(QUIET_REQUESTS)]
        shown = await producer.metrics()

    assert {reply.status for reply in replies} == {200}
    assert set(answers) == {b"200", status}
    assert f'told_later_total{{reason="{reason}"}} 0.0' not in shown
    stored = Counter(record.value() for record in records(kafka, topic))
    assert stored[b"quiet"] == QUIET_REQUESTS
    assert stored[b"flood"] >= answers[b"200"]
