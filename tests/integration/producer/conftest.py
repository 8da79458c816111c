"""A REST producer process before a real broker with TLS, SCRAM and ACLs."""

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from eventstreams.core.apikey import ApiKey, mint
from eventstreams.core.keyring import KeyGrant
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import PASSWORD, USER, make_topic, make_user
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate, self_signed


def grant_of(key: ApiKey, *topics: str) -> KeyGrant:
    return KeyGrant(key.id, key.digest, "apps/tests", topics)


@pytest.fixture(scope="session")
def key() -> ApiKey:
    """Return an API key."""
    return mint(secrets.token_bytes)


def settings_for(kafka: LocalKafka, credentials: Path) -> Mapping[str, str]:
    """Return the producer's settings for Kafka: SASL_SSL, its own user, which is made, and `credentials` filled."""
    make_user(kafka)
    (credentials / "username").write_text(USER)
    (credentials / "password").write_text(PASSWORD)
    return {
        "bootstrap_servers": kafka.bootstrap_sasl,
        "kafka_credentials_dir": str(credentials),
        "kafka_ca_file": str(kafka.ca_file),
    }


@pytest.fixture(scope="session")
def kafka_settings(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the producer's settings for the broker that all share."""
    return settings_for(kafka, tmp_path_factory.mktemp("credentials"))


@pytest.fixture
def fragile_kafka(kafka: LocalKafka) -> Iterator[LocalKafka]:
    """Return the broker that all share, for a test that stops it or changes its user: it is as before afterwards."""
    yield kafka
    kafka.up()
    make_user(kafka)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return the endpoint's certificate."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def topic(kafka: LocalKafka) -> str:
    """Return a topic of three partitions."""
    return make_topic(kafka)


@pytest.fixture(scope="module")
def shared_process(
    tmp_path_factory: pytest.TempPathFactory,
    kafka_settings: Mapping[str, str],
    certificate: Certificate,
    key: ApiKey,
) -> Iterator[ProducerProcess]:
    """Return a producer that lets `key` produce to every `topic` and to what begins with `free-`."""
    process = ProducerProcess(tmp_path_factory.mktemp("producer"), kafka_settings, certificate.directory)
    process.grant(grant_of(key, "t-*", "free-*"))
    with process:
        yield process


@pytest.fixture
async def producer(shared_process: ProducerProcess) -> AsyncIterator[ProducerProcess]:
    """Return the ready producer that a module's tests share: they change neither its keys nor its life."""
    async with shared_process.visit():
        yield shared_process


@pytest.fixture
async def own_producer(
    tmp_path: Path, kafka_settings: Mapping[str, str], certificate: Certificate, key: ApiKey, topic: str
) -> AsyncIterator[ProducerProcess]:
    """Return a ready producer of the test's own that lets `key` produce to `topic` and what begins with `free-`.

    For tests that change its keys, or count what it logs and tells.
    """
    process = ProducerProcess(tmp_path, kafka_settings, certificate.directory)
    process.grant(grant_of(key, topic, "free-*"))
    async with process:
        yield process
