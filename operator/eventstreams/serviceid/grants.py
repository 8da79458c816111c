"""From service IDs to the grants of an instance's keyring. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

from eventstreams.api.serviceid import Role, ServiceID
from eventstreams.core.apikey import Digest, KeyId
from eventstreams.core.consent import InstanceRef, Request, consent
from eventstreams.core.errors import RefusedError
from eventstreams.core.keyring import SHARDS, KeyGrant, KeyLimits, shard_of

MAY_PRODUCE = frozenset({Role.EDITOR, Role.OPERATOR})
"""The roles whose topics may be written to. A viewer's key is known, and refused with 403 instead of 401."""

Shards = tuple[frozenset[KeyGrant], ...]
"""What each of the 16 shards holds, in order."""


def instance_of(resource: ServiceID) -> InstanceRef:
    """Return the instance that a service ID names, as consent is asked for."""
    return InstanceRef(*resource.instance_key)


def granted_topics(resource: ServiceID) -> tuple[str, ...]:
    """Return the topic patterns that the instance grants, whatever the role.

    Raises RefusedError when it grants none to this namespace, or the spec names a topic that is never granted.
    """
    request = Request(resource.metadata.namespace, resource.spec.topics)
    return consent(instance_of(resource), request).topics


def owner_of(resource: ServiceID) -> str:
    """Return `namespace/name`, the owner that a grant names."""
    return f"{resource.metadata.namespace}/{resource.metadata.name}"


def limits_of(resource: ServiceID) -> KeyLimits | None:
    """Return the limits of a service ID's keys, None without any."""
    if resource.spec.limits is None:
        return None
    given = resource.spec.limits.per_replica
    return KeyLimits(given.requests_per_second, given.bytes_per_second)


def grants_of(resource: ServiceID) -> frozenset[KeyGrant]:
    """Return the grants of one service ID: none while it is being deleted or its instance refuses it."""
    if resource.metadata.deletion_timestamp is not None:
        return frozenset()
    try:
        topics = granted_topics(resource)
    except RefusedError:
        return frozenset()
    patterns = tuple(sorted(topics)) if resource.spec.role in MAY_PRODUCE else ()
    limits = limits_of(resource)
    return frozenset(
        KeyGrant(
            id=KeyId(key.id),
            sha256=Digest(key.sha256),
            owner=owner_of(resource),
            topics=patterns,
            expires_at=key.expires_at,
            limits=limits,
        )
        for key in resource.status.keys  # a Pending one too: it is learnt before anybody can hold it
    )


def compiled(instance: InstanceRef, service_ids: Iterable[ServiceID]) -> Shards:
    """Return the keyring of `instance`: the grants of all service IDs that name it, in 16 shards.

    An id belongs to the oldest service ID that has it: ids are public, and a forged Secret whose key carries somebody
    else's id must not take that key's place.
    """
    shards: list[dict[KeyId, KeyGrant]] = [{} for _ in range(SHARDS)]
    for resource in sorted((one for one in service_ids if instance_of(one) == instance), key=_age):
        for grant in grants_of(resource):
            shards[shard_of(grant.id)].setdefault(grant.id, grant)
    return tuple(frozenset(shard.values()) for shard in shards)


def _age(resource: ServiceID) -> tuple[datetime, str]:
    return resource.metadata.creation_timestamp or datetime.min.replace(tzinfo=UTC), resource.metadata.uid
