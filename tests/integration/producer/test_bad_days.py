"""Kafka stopped, Kafka hanging, the process told to stop, certificates replaced: honest answers, nothing lost."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from eventstreams.core.apikey import ApiKey
from integration.producer.conftest import grant_of
from integration.producer.load import REFUSED, Load
from integration.producer.producer_process import ProducerProcess
from integration.producer.senders import Senders
from integration.producer.topics import hanging, make_topic, records
from integration.waiting import eventually
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate, self_signed

pytestmark = pytest.mark.integration

SECONDS, DRAIN_SECONDS = 3, 4


@pytest.fixture
async def hasty(
    tmp_path: Path, fragile_kafka: LocalKafka, certificate: Certificate, key: ApiKey
) -> AsyncIterator[ProducerProcess]:
    """Return a producer whose requests time out after three seconds."""
    settings = {"bootstrap_servers": fragile_kafka.bootstrap_internal, "kafka_security_protocol": "PLAINTEXT"}
    haste = {"request_timeout_seconds": str(SECONDS), "drain_seconds": str(DRAIN_SECONDS)}
    process = ProducerProcess(tmp_path, settings | haste, certificate.directory)
    process.grant(grant_of(key, "*"))
    async with process:
        yield process


async def produced(producer: ProducerProcess, topic: str, key: ApiKey, body: bytes = b"x") -> int:
    return (await producer.produce(topic, body, key)).status


async def test_a_broker_stopped_under_load_is_answered_honestly_and_forgotten_when_it_is_back(
    hasty: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(fragile_kafka)
    async with Load(hasty, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        await asyncio.to_thread(fragile_kafka.stop_node, 1)
        await load.meets(503, times=100)
        await asyncio.to_thread(fragile_kafka.start_node, 1)
        await load.goes_on()

    load.check(fragile_kafka)


async def test_a_broker_that_hangs_is_408_and_every_request_is_answered_in_time(
    hasty: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(fragile_kafka)
    assert await produced(hasty, topic, key) == 200

    with hanging(fragile_kafka, 1):
        async with asyncio.timeout(5):
            statuses = await asyncio.gather(*(produced(hasty, topic, key) for _ in range(20)))

    assert set(statuses) == {408}


async def test_a_record_under_way_while_another_times_out_may_be_stored_twice_by_kafkas_client(
    hasty: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(fragile_kafka, partitions=1)

    async def is_connected() -> bool:
        return await produced(hasty, topic, key) == 200

    async def is_stored_twice(body: bytes) -> bool:
        await eventually(is_connected, "a stored record")
        with hanging(fragile_kafka, 1):
            other = asyncio.create_task(produced(hasty, topic, key))
            await asyncio.sleep(1.3)  # of the 1.5 s that Kafka's client has for it
            one = asyncio.create_task(produced(hasty, topic, key, body))
            assert await other == 408
        assert await one in {200, 408}
        copies = [record for record in records(fragile_kafka, topic) if record.value() == body]
        assert len(copies) < 2 or Senders(fragile_kafka, topic).are_repetitions(copies)
        return len(copies) > 1

    for number in range(5):  # it depends on when Kafka's client looks at its clock
        if await is_stored_twice(b"%d" % number):
            return
    pytest.fail("never: docs/reference/rest-api.md need not warn any more")


async def test_sigterm_under_load_loses_no_acknowledged_record_and_refuses_none(
    hasty: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(fragile_kafka)
    async with Load(hasty, topic, key, seconds=SECONDS, clients=16) as load:
        await load.goes_on()
        hasty.terminate()
        code = await hasty.ended()

    assert code == 0
    load.check(fragile_kafka, allowed={200, REFUSED})


async def test_sigterm_while_kafka_hangs_answers_every_request_and_ends_in_time(
    hasty: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(fragile_kafka)
    async with Load(hasty, topic, key, seconds=SECONDS, clients=16) as load:
        await load.goes_on()
        with hanging(fragile_kafka, 1):
            hasty.terminate()
            async with asyncio.timeout(DRAIN_SECONDS + 10):
                code = await hasty.ended()

    assert code == 0
    load.check(fragile_kafka, allowed={200, 408, REFUSED})


async def test_a_draining_producer_is_unready_but_still_takes_records(
    hasty: ProducerProcess, fragile_kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(fragile_kafka)
    hasty.terminate()

    async def unready() -> bool:
        return (await hasty.get("/ready")).status == 503

    await eventually(unready, "unreadiness", seconds=0.8)
    reply = await hasty.produce(topic, b"x", key)

    assert (reply.status, reply.headers["Connection"]) == (200, "close")
    assert await hasty.ended() == 0


@pytest.mark.parametrize("is_rsa", [False, True])
async def test_a_new_certificate_is_served_without_a_restart(
    tmp_path: Path, fragile_kafka: LocalKafka, key: ApiKey, is_rsa: bool
) -> None:
    directory, other = tmp_path / "tls", tmp_path / "other"
    directory.mkdir()
    other.mkdir()
    old = self_signed(directory)
    settings = {"bootstrap_servers": fragile_kafka.bootstrap_internal, "kafka_security_protocol": "PLAINTEXT"}
    process = ProducerProcess(tmp_path, settings, directory)
    process.grant(grant_of(key, "*"))
    async with process:
        topic = make_topic(fragile_kafka)
        assert await produced(process, topic, key) == 200

        async def served() -> int:
            pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", process.port))
            return x509.load_pem_x509_certificate(pem.encode()).serial_number

        async def kept() -> bool:
            return "Kept the certificate" in process.log

        (directory / "tls.key").write_bytes((self_signed(other).directory / "tls.key").read_bytes())
        await eventually(kept, "a line in the log", seconds=5)
        assert await served() == old.serial, "what is no pair changes nothing"

        new = self_signed(directory, is_rsa=is_rsa)

        async def renewed() -> bool:
            return await served() == new.serial

        await eventually(renewed, "the new certificate", seconds=5)
        assert await produced(process, topic, key) == 200, "the old connection goes on"
