"""What the tests do to Kafka itself, and what they read there."""

import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from local.kafka import LocalKafka
from local.waiting import wait_until

USER, PASSWORD = "es.test.rest", "rest-password"
_ON_TOPICS: Final = (ResourceType.TOPIC, "*", ResourcePatternType.LITERAL)


def admin(kafka: LocalKafka) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap_internal})


def make_topic(
    kafka: LocalKafka,
    name: str | None = None,
    partitions: int = 3,
    replicas: int = 1,
    brokers: list[list[int]] | None = None,
    **config: str,
) -> str:
    """Make a topic and return its name when the broker knows it: that comes a moment after the controller's word.

    `brokers` are those that are to hold each partition, in place of a number of partitions and replicas.
    """
    name = name or f"t-{secrets.token_hex(4)}"
    settings = {key.replace("_", "."): value for key, value in config.items()}
    if brokers is None:
        topic = NewTopic(name, partitions, replicas, config=settings)
    else:
        topic = NewTopic(name, len(brokers), replica_assignment=brokers, config=settings)
    client = admin(kafka)  # held: one that is dropped takes its calls with it
    client.create_topics([topic])[name].result(20)
    wait_until(lambda: client.list_topics(name, 20).topics[name].error is None, f"topic {name}", seconds=20)
    return name


def delete_topic(kafka: LocalKafka, name: str) -> None:
    client = admin(kafka)
    client.delete_topics([name])[name].result(20)


def grow_topic(kafka: LocalKafka, name: str, partitions: int) -> None:
    client = admin(kafka)
    client.create_partitions([NewPartitions(name, partitions)])[name].result(20)


def make_user(kafka: LocalKafka) -> None:
    """Make the REST producer's own Kafka user, with exactly the rights that the operator gives it."""
    set_password(kafka, PASSWORD)
    give_rights(kafka)


def set_password(kafka: LocalKafka, password: str) -> None:
    client = admin(kafka)
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    upsertion = UserScramCredentialUpsertion(USER, info, password.encode(), b"salt-of-a-test")
    client.alter_user_scram_credentials([upsertion])[USER].result(20)


def give_rights(kafka: LocalKafka) -> None:
    client = admin(kafka)
    rights = [
        AclBinding(*_ON_TOPICS, f"User:{USER}", "*", operation, AclPermissionType.ALLOW)
        for operation in (AclOperation.WRITE, AclOperation.DESCRIBE)
    ]
    for future in client.create_acls(rights).values():
        future.result(20)


def withdraw_right(kafka: LocalKafka, operation: AclOperation) -> None:
    """Withdraw one of the user's rights; ANY: all of them."""
    client = admin(kafka)
    which = AclBindingFilter(*_ON_TOPICS, f"User:{USER}", "*", operation, AclPermissionType.ALLOW)
    client.delete_acls([which])[which].result(20)


@contextmanager
def hanging(kafka: LocalKafka, node: int) -> Iterator[None]:
    """Stop a broker's process inside the block: its connections stay open, and nothing answers."""
    running = kafka.running()[node]
    assert running is not None
    os.kill(running.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(running.pid, signal.SIGCONT)


def records(kafka: LocalKafka, topic: str) -> list[Message]:
    """Read a topic from its beginning to its end, with a real consumer."""
    settings: Mapping[str, str | bool] = {
        "bootstrap.servers": kafka.bootstrap_internal,
        "group.id": "tests",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(dict(settings))
    try:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found, ended = [], 0
        while ended < len(partitions):
            message = consumer.poll(20)
            assert message is not None, f"{topic} cannot be read to its end"
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended += 1
        return found
    finally:
        consumer.close()
