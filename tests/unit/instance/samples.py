"""Instances to test with."""

from datetime import UTC, datetime
from typing import Any

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.instance.builders.common import Images

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IMAGES = Images("registry.example.com/eventstreams:1", "registry.example.com/kafka:1", pull_secrets=("pull",))

EXTERNAL: dict[str, Any] = {
    "external": {"bootstrapServers": "kafka:9093", "authentication": {"secretRef": {"name": "kafka-admin"}}}
}
EPHEMERAL: dict[str, Any] = {"managed": {"storage": {"ephemeral": {}}}}


def persistent(**storage: Any) -> dict[str, Any]:
    """Return `spec.kafka` of a managed Kafka with a volume."""
    return {"managed": {"storage": {"persistent": {"size": "10Gi", **storage}}}}


def instance(
    kafka: dict[str, Any] | None = None, *, status: dict[str, Any] | None = None, **rest_producer: Any
) -> EventStreamsInstance:
    """Return the instance `demo` in namespace `shop`."""
    return EventStreamsInstance.model_validate(
        {
            "metadata": {"name": "demo", "namespace": "shop", "uid": "u-1"},
            "spec": {"kafka": EPHEMERAL if kafka is None else kafka, "restProducer": rest_producer},
            "status": status or {},
        }
    )


def counting(size: int) -> bytes:
    """Return entropy that is none."""
    return bytes(range(size))
