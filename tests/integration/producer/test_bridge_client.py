"""A client of Strimzi's HTTP Bridge produces here as it does there."""

import asyncio
import importlib
import warnings
from types import ModuleType
from typing import Any

import pytest

from eventstreams.core.apikey import ApiKey
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import records
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
def bridge_client() -> ModuleType:
    """Return PyPI's client of Strimzi's bridge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what it imports
        return importlib.import_module("kafka_bridge_client")


@pytest.fixture
def bridge(
    bridge_client: ModuleType,
    producer: ProducerProcess,
    certificate: Certificate,
    key: ApiKey,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Return a producer of that client. It knows no authentication: the key is in its URL, which makes it Basic."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    return bridge_client.KafkaBridgeProducer(
        producer.url.replace("https://", f"https://token:{key.reveal()}@"), timeout=10
    )


async def test_a_client_of_strimzis_bridge_produces_json_and_bytes(bridge: Any, kafka: LocalKafka, topic: str) -> None:
    json_messages = [{"key": "1", "value": "a"}, {"key": None, "value": {"b": [1]}}]
    binary = [{"key": "1", "value": b"\0\xff"}]

    assert await asyncio.to_thread(bridge.sends, topic, json_messages)
    assert await asyncio.to_thread(bridge.sends, topic, binary, binary=True)

    assert {(one.key(), one.value()) for one in records(kafka, topic)} == {
        (b'"1"', b'"a"'),
        (None, b'{"b":[1]}'),
        (b"1", b"\0\xff"),
    }


async def test_a_client_of_strimzis_bridge_understands_what_is_refused(
    bridge_client: ModuleType, bridge: Any, topic: str
) -> None:
    with pytest.raises(bridge_client.exceptions.KafkaBridgeTopicNotFoundError):
        await asyncio.to_thread(bridge.send, "free-missing", {"key": "1", "value": "a"})
    with pytest.raises(bridge_client.exceptions.ValidationError):
        await asyncio.to_thread(bridge.send, topic, {"key": "1", "velue": "a"})
