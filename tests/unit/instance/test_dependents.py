"""Whom an instance's changes concern."""

from typing import Any

import pytest

from eventstreams.core.key import Key
from eventstreams.instance.dependents import Dependents
from unit.instance.samples import instance

KEY = Key("shop", "demo")


def available(status: str) -> dict[str, Any]:
    return {
        "conditions": [
            {
                "type": "KafkaAvailable",
                "status": status,
                "reason": "Ready",
                "lastTransitionTime": "2026-11-23T12:00:00Z",
            }
        ]
    }


def test_dependents_are_concerned_once_by_each_change_they_rely_on() -> None:
    dependents = Dependents()

    heard = [
        dependents.are_concerned(KEY, one)
        for one in (
            instance(),
            instance(replicas=5),
            instance(status=available("True")),
            instance(status=available("True")),
            instance(status=available("False")),
            None,
            None,
        )
    ]

    assert heard == [True, False, True, False, True, True, False]


@pytest.mark.parametrize(
    "status",
    [
        {"endpoints": [{"name": "kafka", "uri": "k:1", "scope": "internal"}]},
        {"caBundle": {"configMap": "demo-ca-bundle", "fingerprints": ["ab"]}},
        {"kafka": {"mode": "managed", "clusterId": "c"}},
    ],
    ids=["endpoints", "CA", "cluster"],
)
def test_what_goes_into_credentials_concerns_dependents(status: dict[str, Any]) -> None:
    dependents = Dependents()
    dependents.are_concerned(KEY, instance())

    assert dependents.are_concerned(KEY, instance(status=status))
