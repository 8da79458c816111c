"""Compares all Topics with their Kafkas from time to time: what somebody changed in Kafka wakes no watch.

One batched describe per Kafka; only what differs from the status wakes its key, so a sweep with nothing to do writes
nothing. A Kafka that does not answer delays no other.
"""

import asyncio
from collections import defaultdict

from eventstreams.api import conditions
from eventstreams.api.topic import Topic
from eventstreams.core.errors import EventStreamsError
from eventstreams.core.key import Key
from eventstreams.kafka.admin import KafkaAdmin
from eventstreams.kafka.views import TopicView
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import key_of_resource
from eventstreams.runtime.queue import Lane


async def sweep(context: Context) -> None:
    """Compare once; return when every Kafka has answered or timed out."""
    topics: dict[Key, list[Topic]] = defaultdict(list)
    for topic in context.topics.store.values():
        if topic.metadata.deletion_timestamp is None:
            topics[topic.instance_key].append(topic)
    async with asyncio.TaskGroup() as group:
        for instance, of_instance in topics.items():
            admin = context.kafkas.get(instance)
            if admin is not None:
                group.create_task(_sweep_kafka(context, admin, of_instance), name=f"sweep {instance}")


async def _sweep_kafka(context: Context, admin: KafkaAdmin, topics: list[Topic]) -> None:
    seen = await admin.describe_all([topic.topic_name for topic in topics])
    for topic in topics:
        if needs_look(topic, seen[topic.topic_name]):
            context.topics.queue.wake(key_of_resource(topic), lane=Lane.RESYNC)


def needs_look(topic: Topic, seen: TopicView | EventStreamsError | None) -> bool:
    """Tell whether a Topic is to be reconciled: Kafka shows something else than its status, or it is not Ready.

    Without an answer there is nothing to compare: the instance's own condition tells that Kafka is away.
    """
    if isinstance(seen, EventStreamsError):
        return False
    status = topic.status
    if not conditions.is_true(status.conditions, conditions.READY):
        return True
    recorded = (status.topic_id, status.partitions, status.replication_factor, 0)
    return seen is None or recorded != (seen.topic_id, seen.partitions, seen.replication_factor, seen.offline)
