"""The Secret with a service ID's credentials: how it looks, whose it is, what it holds. Pure.

It has the type and the keys of a Service Binding of type `kafka`, so that what can mount one can mount this. A key of
the Secret appears when it works: user name and password of native clients come with native access.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from eventstreams.api.instance import EventStreamsInstance, Scope
from eventstreams.api.serviceid import KeyStatus, ServiceID
from eventstreams.core import apikey, names
from eventstreams.core.apikey import ApiKey
from eventstreams.core.errors import NotYetError
from eventstreams.core.reasons import Reason
from eventstreams.serviceid.keys import Held

SECRET_TYPE: Final = "servicebinding.io/kafka"  # noqa: S105  # a type, no secret
API_KEY: Final = "api-key"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_GENERATION: Final = re.compile(r"[1-9][0-9]{0,8}")

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a key can be used. `external` is empty where the instance has no endpoint outside its cluster."""

    internal: str
    external: str


def endpoints_of(instance: EventStreamsInstance) -> Endpoints:
    """Return the REST producer's endpoints.

    Raises NotYetError while the instance has none.
    """
    internal, external = (_producer_uri(instance, scope) for scope in (Scope.INTERNAL, Scope.EXTERNAL))
    if not internal:
        raise NotYetError(
            Reason.INSTANCE_NOT_READY,
            f"instance {instance.metadata.name} has no endpoint yet: the key is minted when it has one",
        )
    return Endpoints(internal, external)


def credentials_secret(
    resource: ServiceID, status: KeyStatus, key: ApiKey, *, endpoints: Endpoints, ca_pem: str
) -> Manifest:
    """Return the Secret for `key`; same arguments, same bytes."""
    texts = {
        "type": "kafka",
        "provider": "eventstreams",
        API_KEY: key.reveal(),
        "api-endpoint": endpoints.internal,
        "api-endpoint-external": endpoints.external,
        "ca.crt": ca_pem,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": SECRET_TYPE,
        "metadata": {
            "namespace": resource.metadata.namespace,
            "name": resource.secret_name,
            "labels": _owner_labels(resource)
            | {
                names.NAME: names.NAME_VALUE,
                names.COMPONENT: "credentials",
                names.INSTANCE_LABEL: resource.spec.instance_ref.name,
            },
            "annotations": {
                names.KEY_ID_ANNOTATION: key.id,
                names.KEY_GENERATION_ANNOTATION: str(status.generation),
                names.KEY_CREATED_ANNOTATION: status.created_at.astimezone(UTC).strftime(_TIME),
            },
            "ownerReferences": [_owner_reference(resource)],
        },
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in texts.items() if text},
    }


def updated(live: Manifest, wanted: Manifest) -> Manifest | None:
    """Return `live` with what `wanted` says, None when it says it already. Labels and annotations of others stay."""
    metadata = live["metadata"]
    new = live | {
        "data": wanted["data"],
        "metadata": metadata
        | {part: (metadata.get(part) or {}) | wanted["metadata"][part] for part in ("labels", "annotations")}
        | {"ownerReferences": wanted["metadata"]["ownerReferences"]},
    }
    return None if new == live else new


def is_ours(secret: Manifest, resource: ServiceID) -> bool:
    """Tell whether the operator made `secret` for this very service ID.

    It has our labels and type, and its owner is this service ID by UID; or nobody, as after a restore from a backup,
    which drops owner references. A Secret of an earlier service ID of the same name is not ours: the cluster's garbage
    collector removes it, and its key was revoked.
    """
    metadata = secret["metadata"]
    labels = metadata.get("labels") or {}
    owners = [owner.get("uid") for owner in metadata.get("ownerReferences") or ()]
    return (
        secret.get("type") == SECRET_TYPE
        and _owner_labels(resource).items() <= labels.items()
        and (not owners or owners == [resource.metadata.uid])
    )


def held_by(secret: Manifest, now: datetime) -> Held | None:
    """Return the key that `secret` holds, None when it is missing or damaged; damaged annotations count as absent."""
    try:
        text = base64.b64decode((secret.get("data") or {}).get(API_KEY, ""), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    key = apikey.parse(text)
    if key is None:
        return None
    annotations = secret["metadata"].get("annotations") or {}
    generation = annotations.get(names.KEY_GENERATION_ANNOTATION, "")
    created = annotations.get(names.KEY_CREATED_ANNOTATION, "")
    return Held(
        key,
        generation=int(generation) if _GENERATION.fullmatch(generation) else 1,
        created_at=_moment(created) or now,
    )


def label_value(service_id: str) -> str:
    """Return the value of the label that names a service ID: the first 16 hexadecimal digits of its name's SHA-256."""
    return hashlib.sha256(service_id.encode()).hexdigest()[:16]


def _producer_uri(instance: EventStreamsInstance, scope: Scope) -> str:
    endpoints = instance.status.endpoints
    return next((one.uri for one in endpoints if one.name == "producer-api" and one.scope is scope), "")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _owner_labels(resource: ServiceID) -> dict[str, str]:
    return {
        names.MANAGED_BY: names.MANAGED_BY_VALUE,
        names.SERVICE_ID_LABEL: label_value(resource.metadata.name),
    }


def _owner_reference(resource: ServiceID) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ServiceID",
        "name": resource.metadata.name,
        "uid": resource.metadata.uid,
        "controller": True,
    }
