"""Topics and what Kafka shows, with what a test does not care about filled in."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from eventstreams.api.topic import DeletionPolicy, Topic, TopicSpec
from eventstreams.topic.plan import Seen, Standing

ID = "vJs3e1pRQK2wCkcFZm1p2g"
OTHER_ID = "AAAAe1pRQK2wCkcFZm1p2g"
T0 = datetime(2026, 11, 1, tzinfo=UTC)


def spec(**fields: Any) -> TopicSpec:
    return TopicSpec.model_validate({"instanceRef": {"name": "demo"}, **fields})


def seen(**fields: Any) -> Seen:
    return replace(Seen(ID, partitions=3, replication_factor=1), **fields)


def standing(**fields: Any) -> Standing:
    return replace(Standing("orders", recorded_id=ID), **fields)


def topic(*, ready: bool = True, status: dict[str, Any] | None = None, **spec_fields: Any) -> Topic:
    """Return a Topic whose status fits `seen()`."""
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "reason": "Ready",
        "lastTransitionTime": T0.isoformat(),
    }
    recorded = {"topicName": "orders", "topicId": ID, "partitions": 3, "replicationFactor": 1}
    return Topic.model_validate(
        {
            "metadata": {"name": "orders", "namespace": "shop", "uid": "u1", "creationTimestamp": T0.isoformat()},
            "spec": {"instanceRef": {"name": "demo"}, **spec_fields},
            "status": {"conditions": [condition], **recorded, **(status or {})},
        }
    )


DELETE = DeletionPolicy.DELETE.value
RETAIN = DeletionPolicy.RETAIN.value
