"""Where a Topic's Kafka is: its instance, whether that may be used and can be, and the connection to it."""

from dataclasses import dataclass

from eventstreams.api import conditions
from eventstreams.api.topic import Topic
from eventstreams.core.consent import InstanceRef, Request, consent
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.kafka.admin import KafkaAdmin
from eventstreams.runtime.context import Context

KAFKA_AVAILABLE = "KafkaAvailable"
"""The instance's condition that a Topic needs; the others are about the REST producer and certificates."""


@dataclass(frozen=True, slots=True)
class Place:
    """A Kafka that a Topic may be kept in, with the connection to it, for one reconcile."""

    cluster_id: str
    admin: KafkaAdmin


def cluster_of(topic: Topic, context: Context) -> str | None:
    """Return the id of the Kafka that a Topic may use, None while it may use none: then it has no claim either."""
    instance = context.instances.store.get(topic.instance_key)
    if instance is None or instance.status.kafka is None or is_abandoned(topic, context):
        return None
    return instance.status.kafka.cluster_id


def is_abandoned(topic: Topic, context: Context) -> bool:
    """Tell whether the instance is gone, is going, or does not allow the topic: then Kafka is left as it is."""
    key = topic.instance_key
    instance = context.instances.store.get(key)
    if not context.instances.store.has(key) or (
        instance is not None and instance.metadata.deletion_timestamp is not None
    ):
        return True
    try:
        agree(topic)
    except RefusedError:
        return True
    return False


def agree(topic: Topic) -> None:
    """Ask for the instance's consent. Raises RefusedError without it."""
    key = topic.instance_key
    consent(InstanceRef(*key), Request(topic.metadata.namespace, (topic.topic_name,)))


def place_of(topic: Topic, context: Context) -> Place:
    """Return the Kafka to keep the topic in.

    Raises RefusedError when the instance does not allow it, NotYetError while instance or Kafka are not there.
    """
    agree(topic)
    key = topic.instance_key
    instance = context.instance(key)
    admin, kafka = context.kafkas.get(key), instance.status.kafka
    if admin is None or kafka is None or kafka.cluster_id is None:
        raise NotYetError(
            Reason.INSTANCE_NOT_READY, f"instance {key.name} has no Kafka yet, see its condition {KAFKA_AVAILABLE}"
        )
    if not conditions.is_true(instance.status.conditions, KAFKA_AVAILABLE):
        raise NotYetError(
            Reason.KAFKA_UNAVAILABLE,
            f"Kafka of instance {key.name} does not answer, see its condition {KAFKA_AVAILABLE}",
        )
    return Place(kafka.cluster_id, admin)
