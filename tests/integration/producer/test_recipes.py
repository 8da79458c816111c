"""What docs/how-to/send-records.md tells clients to do: as it stands there, it gets through while Kafka is away."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from eventstreams.core.apikey import ApiKey
from integration.producer.conftest import grant_of
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import make_topic, records
from integration.waiting import eventually
from local import packages
from local.kafka import LocalKafka
from local.progress import Progress
from unit.docs.pages import blocks
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

PAGE: Final = "docs/how-to/send-records.md"
GIVEN: Final = """import os
endpoint, topic, api_key, ca_file = (os.environ[name] for name in ("API_ENDPOINT", "TOPIC", "API_KEY", "CA"))
"""
RECIPE_SECONDS: Final = 60


@pytest.fixture
async def producer(
    tmp_path: Path, fragile_kafka: LocalKafka, certificate: Certificate, key: ApiKey
) -> AsyncIterator[ProducerProcess]:
    """Return a producer before a broker that may be stopped."""
    settings = {"bootstrap_servers": fragile_kafka.bootstrap_internal, "kafka_security_protocol": "PLAINTEXT"}
    process = ProducerProcess(tmp_path, settings, certificate.directory)
    process.grant(grant_of(key, "*"))
    async with process:
        yield process


def shown(*languages: str) -> str:
    """Return the page's only block of code in one of these languages."""
    (text,) = (block.text for block in blocks(*languages) if block.place.startswith(f"{PAGE}:"))
    return text


def command(name: str, topic: str) -> list[str]:
    if name == "python":
        return [sys.executable, "-c", GIVEN + shown("python")]
    packages.ensure({"curl": "curl"}, Progress())
    return ["bash", "-c", shown("sh").replace("/orders/", f"/{topic}/")]


@pytest.mark.parametrize("name", ["curl", "python"])
async def test_a_client_that_retries_as_the_page_says_has_its_record_stored_though_kafka_is_away(
    producer: ProducerProcess,
    fragile_kafka: LocalKafka,
    key: ApiKey,
    certificate: Certificate,
    tmp_path: Path,
    name: str,
) -> None:
    topic = make_topic(fragile_kafka)
    (tmp_path / "es-cert.pem").write_bytes(certificate.file.read_bytes())
    environment = {
        "PATH": os.environ["PATH"],
        "API_ENDPOINT": producer.url,
        "API_KEY": key.reveal(),
        "TOPIC": topic,
        "CA": str(certificate.file),
    }
    await asyncio.to_thread(fragile_kafka.stop_node, 1)

    async def refuses() -> bool:
        return (await producer.produce(topic, b"x", key)).status == 503

    await eventually(refuses, "a refusal")
    client = await asyncio.create_subprocess_exec(*command(name, topic), env=environment, cwd=tmp_path)
    told = await refusals(producer)

    async def has_tried() -> bool:
        return await refusals(producer) > told

    await eventually(has_tried, "a refused attempt")
    await asyncio.to_thread(fragile_kafka.start_node, 1)
    async with asyncio.timeout(RECIPE_SECONDS):
        code = await client.wait()

    assert code == 0
    assert [record.value() for record in records(fragile_kafka, topic)] == [b"test message"]


async def refusals(producer: ProducerProcess) -> float:
    """Return how many requests were refused with 503 so far."""
    name = 'eventstreams_producer_requests_total{code="503"} '
    return next(
        float(line.removeprefix(name)) for line in (await producer.metrics()).splitlines() if line.startswith(name)
    )
