"""Whom an instance's changes concern."""

from typing import Any

import pytest

from eventstreams.instance.dependents import relied_on
from unit.instance.samples import EXTERNAL, instance

AVAILABLE = {
    "type": "KafkaAvailable",
    "status": "True",
    "reason": "Ready",
    "lastTransitionTime": "2026-11-23T12:00:00Z",
}


@pytest.mark.parametrize(
    "status",
    [
        {"endpoints": [{"name": "kafka", "uri": "k:1", "scope": "internal"}]},
        {"caBundle": {"configMap": "demo-ca-bundle", "fingerprints": ["ab"]}},
        {"kafka": {"mode": "managed", "clusterId": "c"}},
        {"kafka": {"mode": "managed", "brokers": 3}},
        {"conditions": [AVAILABLE]},
        {"conditions": [AVAILABLE | {"type": "CertificatesReady"}]},
    ],
    ids=["endpoints", "CA", "cluster", "brokers", "Kafka's answer", "certificates"],
)
def test_what_topics_and_service_ids_read_concerns_them(status: dict[str, Any]) -> None:
    assert relied_on(instance(status=status)) != relied_on(instance())


def test_what_they_do_not_read_does_not() -> None:
    condition = AVAILABLE | {"type": "ProducerAvailable"}

    assert relied_on(instance(EXTERNAL, replicas=5, status={"conditions": [condition]})) == relied_on(instance())


def test_the_end_of_an_instance_concerns_them() -> None:
    assert relied_on(None) != relied_on(instance())
