"""Which changes of an instance concern the topics and service IDs that name it. Pure."""

from collections.abc import Hashable

from eventstreams.api.conditions import is_true
from eventstreams.api.instance import EventStreamsInstance
from eventstreams.instance.plan import CERTIFICATES_READY, KAFKA_AVAILABLE


def relied_on(instance: EventStreamsInstance | None) -> Hashable:
    """Return what topics and service IDs read of their instance; equal values concern none of them."""
    if instance is None:
        return None
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
