"""The producer's own Kafka user loses its rights and gets them back, and changes its password."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from eventstreams.core.apikey import ApiKey
from integration.producer.conftest import grant_of, settings_for
from integration.producer.load import Load
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import give_rights, make_topic, set_password, withdraw_right
from integration.waiting import eventually
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

SECONDS = 3.0


@pytest.fixture
async def producer(
    tmp_path: Path, fragile_kafka: LocalKafka, certificate: Certificate, key: ApiKey
) -> AsyncIterator[ProducerProcess]:
    """Return a ready producer with a Kafka user of its own, that lets `key` produce everywhere."""
    settings = settings_for(fragile_kafka, tmp_path)
    process = ProducerProcess(tmp_path, settings, certificate.directory, request_timeout_seconds=str(SECONDS))
    process.grant(grant_of(key, "*"))
    async with process:
        yield process


@pytest.mark.parametrize("right", [AclOperation.WRITE, AclOperation.ANY], ids=["write", "all"])
async def test_without_its_own_right_to_write_records_are_503_and_stored_again_when_it_is_back(
    producer: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey, right: AclOperation
) -> None:
    topic = make_topic(fragile_kafka)
    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        withdraw_right(fragile_kafka, right)
        try:
            await load.meets(503, times=500)
        finally:
            give_rights(fragile_kafka)
        await load.goes_on(seconds=10)

    load.check(fragile_kafka)


async def test_a_fatal_error_of_kafkas_client_is_unready_and_healed_by_a_new_one(
    producer: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(fragile_kafka)

    async def unready() -> bool:
        return bool((await producer.get("/ready")).body["lacks"] == ["Kafka"])

    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        withdraw_right(fragile_kafka, AclOperation.ANY)
        fragile_kafka.ca_file.touch()  # renews the clients; who may write nowhere gets no producer id: that is fatal
        try:
            await eventually(unready, "unreadiness", seconds=10)
            await load.meets(503, times=500)
        finally:
            give_rights(fragile_kafka)
        await producer.ready()
        await load.goes_on()

    assert "Replaced Kafka's client after a fatal error" in producer.log
    load.check(fragile_kafka)


async def test_a_new_password_is_taken_without_a_restart_and_without_a_dropped_connection(
    producer: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey, tmp_path: Path
) -> None:
    topic = make_topic(fragile_kafka)

    async def reloaded() -> bool:
        return "Reloaded Kafka's credentials" in producer.log

    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        set_password(fragile_kafka, "another-password")
        (tmp_path / "password").write_text("another-password")
        await eventually(reloaded, "the reload", seconds=5)
        await load.goes_on()
        assert set(load.statuses) == {200}, "connections that exist go on"

        await asyncio.to_thread(fragile_kafka.stop_node, 1)  # and new ones log in with the new password
        await asyncio.to_thread(fragile_kafka.start_node, 1)
        await load.goes_on()

    load.check(fragile_kafka)
    assert "another-password" not in producer.log
