"""Whom an instance's changes concern: the topics and service IDs that name it. Pure but for what it remembers."""

from collections.abc import Hashable

from eventstreams.api.conditions import is_true
from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.serviceid import ServiceID
from eventstreams.api.topic import Topic
from eventstreams.core.key import Key
from eventstreams.instance.plan import CERTIFICATES_READY, KAFKA_AVAILABLE


class Dependents:
    """Tells whether what others rely on has changed since it was last asked.

    The store cannot tell: it has the answer to our own status write before the event of it comes.
    """

    def __init__(self) -> None:
        self._relied_on: dict[Key, Hashable] = {}

    def are_concerned(self, key: Key, instance: EventStreamsInstance | None) -> bool:
        """Compare with the last call for `key`, and remember; None: the instance is gone."""
        now = None if instance is None else _relied_on(instance)
        if self._relied_on.get(key) == now:
            return False
        if now is None:
            del self._relied_on[key]
        else:
            self._relied_on[key] = now
        return True


def instance_of(resource: Topic | ServiceID) -> Key:
    """Return the key of the instance that a resource names."""
    ref = resource.spec.instance_ref
    return Key(ref.namespace or resource.metadata.namespace, ref.name)


def _relied_on(instance: EventStreamsInstance) -> Hashable:
    status = instance.status
    return (
        instance.metadata.uid,
        instance.metadata.deletion_timestamp,
        status.endpoints,
        status.ca_bundle,
        None if status.kafka is None else (status.kafka.cluster_id, status.kafka.brokers),
        is_true(status.conditions, KAFKA_AVAILABLE),
        is_true(status.conditions, CERTIFICATES_READY),
    )
