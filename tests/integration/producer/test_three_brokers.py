"""One broker of three dies, comes back, leads again, or hangs while records arrive: they go on being stored."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import PartitionMetadata

from eventstreams.core.apikey import ApiKey
from integration.conftest import SOON
from integration.producer.conftest import grant_of, settings_for
from integration.producer.load import Load
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import admin, hanging, make_topic
from integration.waiting import eventually
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

SECONDS = 5.0
PARTITIONS = 6  # each broker leads some
LEADERS_MOVE_BACK = {"leader.imbalance.check.interval.seconds": "3"}  # by themselves, and not after 5 minutes only


@pytest.fixture(scope="module")
def kafka() -> Iterator[LocalKafka]:
    """Return three brokers."""
    with LocalKafka(nodes=3, properties=SOON | LEADERS_MOVE_BACK) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def settings(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the producer's settings for them."""
    return dict(settings_for(kafka, tmp_path_factory.mktemp("credentials")))


@pytest.fixture
def topic(kafka: LocalKafka) -> str:
    """Return a topic with three replicas, two of which must have a record."""
    return make_topic(kafka, partitions=PARTITIONS, replicas=3, min_insync_replicas="2")


@pytest.fixture
async def producer(
    tmp_path: Path, settings: dict[str, str], certificate: Certificate, key: ApiKey
) -> AsyncIterator[ProducerProcess]:
    """Return a ready producer that lets `key` produce everywhere."""
    process = ProducerProcess(tmp_path, settings, certificate.directory, request_timeout_seconds=str(SECONDS))
    process.grant(grant_of(key, "*"))
    async with process:
        yield process


async def all_partitions(kafka: LocalKafka, topic: str, holds: Callable[[PartitionMetadata], bool], what: str) -> None:
    """Return when something holds for each partition."""
    client = admin(kafka)

    def look() -> bool:
        partitions = client.list_topics(topic, timeout=10).topics[topic].partitions.values()
        return len(partitions) == PARTITIONS and all(map(holds, partitions))

    await eventually(lambda: asyncio.to_thread(look), what, seconds=60)


async def in_sync(kafka: LocalKafka, topic: str) -> None:
    await all_partitions(kafka, topic, lambda one: len(one.isrs) == 3, "three replicas in sync")


async def led_as_before(kafka: LocalKafka, topic: str) -> None:
    await all_partitions(kafka, topic, lambda one: one.leader == one.replicas[0], "each first replica leads")


async def test_one_broker_of_three_is_killed_under_load_and_records_go_on_being_stored(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    await in_sync(kafka, topic)
    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        await asyncio.to_thread(kafka.stop_node, 1, kill=True)
        await load.goes_on()
        await asyncio.to_thread(kafka.start_node, 1)
        await in_sync(kafka, topic)
        await load.goes_on()
        before = load.statuses

        await led_as_before(kafka, topic)
        await load.goes_on()
        assert set(load.statuses - before) == {200}, "a leader that moves costs nothing"

    load.check(kafka, allowed={200, 408})


async def test_one_broker_of_three_hangs_under_load_and_records_go_on_being_stored(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    await in_sync(kafka, topic)
    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        with hanging(kafka, 2):
            await load.goes_on(seconds=30)
        await load.goes_on()

    load.check(kafka, allowed={200, 408})


async def test_records_to_a_topic_whose_only_broker_died_are_503_until_it_is_back(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, brokers=[[3], [3]])
    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        await asyncio.to_thread(kafka.stop_node, 3, kill=True)
        await load.meets(503, times=500)
        await asyncio.to_thread(kafka.start_node, 3)
        await load.goes_on()

    load.check(kafka)
    assert "No partition of a topic has a leader" in producer.log
