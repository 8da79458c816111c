"""Service IDs, keys and Secrets for the tests of the room."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.serviceid import KeyState, KeyStatus, ServiceID
from eventstreams.core import apikey
from eventstreams.core.apikey import ApiKey

NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
CA_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


class Counting:
    """Entropy that never repeats: the n-th call gives n."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self, size: int, /) -> bytes:
        return next(self._numbers).to_bytes(size)


def some_key(number: int = 1) -> ApiKey:
    """Return the key that `number` stands for, always the same."""
    return apikey.mint(number.to_bytes)


def key_status(
    number: int = 1,
    state: KeyState = KeyState.ACTIVE,
    *,
    generation: int = 1,
    created_at: datetime = NOW,
    expires_at: datetime | None = None,
) -> KeyStatus:
    """Return the status of the key that `number` stands for."""
    key = some_key(number)
    return KeyStatus(
        id=key.id,
        generation=generation,
        sha256=key.digest,
        created_at=created_at,
        expires_at=expires_at,
        state=state,
    )


def service_id(
    name: str = "app",
    *keys: KeyStatus,
    namespace: str = "team",
    topics: tuple[str, ...] = ("orders",),
    role: str = "editor",
    **metadata: Any,
) -> ServiceID:
    """Return a service ID of the instance `es`."""
    return ServiceID.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{name}",
                "generation": 1,
                "resourceVersion": "1",
                "creationTimestamp": NOW,
            }
            | metadata,
            "spec": {"instanceRef": {"name": "es", "namespace": "team"}, "role": role, "topics": topics},
            "status": {"keys": [key.model_dump(mode="json", by_alias=True, exclude_none=True) for key in keys]},
        }
    )


def instance_manifest(**status: Any) -> dict[str, Any]:
    """Return a ready instance `es`."""
    endpoints = [
        {"name": "producer-api", "uri": "https://es-rest.team.svc:443", "scope": "internal"},
        {"name": "producer-api", "uri": "https://203.0.113.7:32443", "scope": "external"},
    ]
    return {
        "apiVersion": "eventstreams.dev/v1beta1",
        "kind": "EventStreamsInstance",
        "metadata": {"name": "es", "namespace": "team", "uid": "uid-es", "generation": 1},
        "spec": {"kafka": {"managed": {"storage": {"ephemeral": {}}}}},
        "status": {
            "endpoints": endpoints,
            "caBundle": {"configMap": "es-ca-bundle", "fingerprints": ["f1"]},
        }
        | status,
    }


def instance(**status: Any) -> EventStreamsInstance:
    """Return a ready instance `es`, parsed."""
    return EventStreamsInstance.model_validate(instance_manifest(**status))
