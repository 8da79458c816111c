"""The Kafka on loopback takes records over TLS from a SCRAM user, and survives its nodes' ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from local.kafka import LocalKafka, fast_root

pytestmark = pytest.mark.integration

TOPIC = "orders"


@pytest.fixture(scope="module")
def kafka() -> Iterator[LocalKafka]:
    with LocalKafka() as kafka:
        admin = AdminClient(kafka.sasl_settings())
        for created in admin.create_topics([NewTopic(TOPIC, 1)]).values():
            created.result(10)
        yield kafka


def produce(kafka: LocalKafka, value: bytes) -> None:
    reports: list[KafkaError | None] = []

    def report(error: KafkaError | None, message: Message) -> None:
        reports.append(error)

    producer = Producer(kafka.sasl_settings())
    producer.produce(TOPIC, value, on_delivery=report)
    assert producer.flush(20) == 0
    assert reports == [None]


def read_all(kafka: LocalKafka, count: int) -> list[bytes | None]:
    settings = kafka.sasl_settings() | {"group.id": f"readers-{count}", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    try:
        consumer.subscribe([TOPIC])
        return [message.value() for message in consumer.consume(count, timeout=20)]
    finally:
        consumer.close()


def test_a_record_written_over_tls_is_read_back_after_a_restart(kafka: LocalKafka) -> None:
    produce(kafka, b"before")
    kafka.stop_node(1)
    assert kafka.running() == {1: None}
    kafka.start_node(1)
    produce(kafka, b"after")
    assert read_all(kafka, 2) == [b"before", b"after"]


def test_a_wrong_password_is_refused(kafka: LocalKafka) -> None:
    errors: list[KafkaError] = []
    settings: dict[str, Any] = {**kafka.sasl_settings(password="wrong"), "error_cb": errors.append}
    client = AdminClient(settings)
    client.poll(5)
    assert KafkaError._AUTHENTICATION in {error.code() for error in errors}


def test_nothing_is_left_after_the_block() -> None:
    with LocalKafka() as kafka:
        process = kafka.running()[1]
        directory = kafka.directory
        assert directory.is_relative_to(fast_root())
    assert process is not None
    assert not process.is_alive()
    assert not directory.exists()
