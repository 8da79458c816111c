"""Writes the keyrings: the grants of an instance's service IDs as 16 ConfigMaps that the REST producer watches.

The truth is the store of service IDs, complete before any worker starts; the ConfigMaps only follow. What was last
written is remembered per service ID, so that a resync of thousands that are all written already costs nothing; the
ConfigMaps themselves are read on every `sync`, so that a damaged one is repaired when its instance is reconciled.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from itertools import groupby
from typing import Final

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.serviceid import ServiceID
from eventstreams.core import names
from eventstreams.core.consent import InstanceRef
from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.core.keyring import DATA_KEY, SHARDS, KeyGrant, Shard, dump, load
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import CONFIG_MAPS, Manifest
from eventstreams.runtime.context import Context
from eventstreams.serviceid.grants import compiled, grants_of, instance_of, owner_of

logger = logging.getLogger(__name__)

LINGER_SECONDS: Final = 0.03
"""How long a call waits for company before it writes: one write then serves every call of a burst."""

COMPONENT: Final = "keyring"

_ByOwner = dict[str, frozenset[KeyGrant] | None]
"""The grants of each service ID, by `namespace/name`; None: a write that changes them is under way or broke off."""


@dataclass(slots=True)
class _Line:
    """The calls for one instance. Calls are numbered; `served` is the last one that a finished write covers."""

    asked: int = 0
    served: int = 0
    error: EventStreamsError | None = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Keyrings:
    """All keyrings that this operator writes.

    Invariants: one write at a time per instance; a call returns only after a write that began after the call, so that
    it covers the caller's change; a call that is cancelled leaves its write to the next in line.
    """

    def __init__(self, context: Context, *, linger_seconds: float = LINGER_SECONDS) -> None:
        self._context = context
        self._linger_seconds = linger_seconds
        self._lines: dict[Key, _Line] = {}
        self._written: dict[Key, _ByOwner] = {}

    async def ensure(self, resource: ServiceID) -> None:
        """Return when the written keyring says of one service ID what its copy `resource` says.

        The store must hold that copy. Raises NotYetError where it cannot be written.
        """
        instance = Key(*astuple(instance_of(resource)))
        written = self._written.get(instance)
        if written is None or written.get(owner_of(resource), frozenset()) != grants_of(resource):
            await self._follow(instance)

    async def release(self, owner: str) -> None:
        """Write every keyring that has grants of `owner` (`namespace/name`) yet. Raises as `ensure` does."""
        for instance in [one for one, written in self._written.items() if owner in written]:
            await self._follow(instance)

    async def _follow(self, instance: Key) -> None:
        """Write the keyring for a service ID: what is refused is the turn of whoever runs the instance."""
        try:
            await self.sync(instance)
        except RefusedError as error:
            raise NotYetError(
                Reason.INSTANCE_NOT_READY, f"the keyring of instance {instance.name} is not whole: {error.message}"
            ) from error

    async def sync(self, instance: Key) -> None:
        """Make the keyring of `instance` what the store of service IDs says; nothing when the instance is gone.

        Raises NotYetError when the API server does not take it or the instance cannot be read, RefusedError where
        somebody else's ConfigMap has a shard's name. What can be written is written all the same.
        """
        line = self._lines.setdefault(instance, _Line())
        line.asked = ticket = line.asked + 1
        await asyncio.sleep(self._linger_seconds)
        async with line.writing:
            if line.served < ticket:
                await self._serve(instance, line)
        if line.error is not None:
            raise _again(line.error) from line.error

    async def _serve(self, instance: Key, line: _Line) -> None:
        """Write once for every call that has been made until now."""
        covers = line.asked
        line.error = None
        try:
            await self._write(instance)
        except EventStreamsError as error:
            line.error = error
        line.served = covers
        if line.asked == covers:
            self._lines.pop(instance, None)  # nobody waits; the next call starts a new line

    async def _write(self, instance: Key) -> None:
        instances = self._context.instances.store
        owner = instances.get(instance)
        if owner is None and instances.has(instance):
            raise NotYetError(
                Reason.INSTANCE_NOT_READY,
                f"EventStreamsInstance {instance.name} does not fit the operator's version, see the operator's log: "
                "update the operator or correct the instance",
            )
        if owner is None or owner.metadata.deletion_timestamp is not None:
            self._written.pop(instance, None)
            return
        live = await self._read(instance)
        granted = compiled(InstanceRef(*instance), self._context.service_ids.store.values())
        shards = [
            _joined(grants, self._kept(live.get(name)))
            for name, grants in zip(_shard_names(instance), granted, strict=True)
        ]
        by_owner = _by_owner(shards)
        if instance in self._written:
            self._written[instance] = _settled(self._written[instance], by_owner)
        async with asyncio.TaskGroup() as group:
            tries = [
                group.create_task(self._try_shard(owner, name, grants, live.get(name)))
                for name, grants in zip(_shard_names(instance), shards, strict=True)
            ]
        if errors := [error for one in tries if (error := one.result()) is not None]:
            raise errors[0]
        self._written[instance] = by_owner

    async def _read(self, instance: Key) -> dict[str, Manifest]:
        labels = f"{names.INSTANCE_LABEL}={instance.name},{names.COMPONENT}={COMPONENT}"
        listed = await self._context.kube.list(CONFIG_MAPS, instance.namespace, labels=labels)
        found = {manifest["metadata"]["name"]: manifest for manifest in listed.items}
        for name in _shard_names(instance):  # one that lost its labels, or is somebody else's
            if name not in found and (one := await self._context.kube.get(CONFIG_MAPS, instance.namespace, name)):
                found[name] = one
        return found

    def _kept(self, live: Manifest | None) -> frozenset[KeyGrant]:
        """Return what a shard grants to service IDs that exist and cannot be read: nobody acts on them."""
        shard, store = _shard(live), self._context.service_ids.store
        owners = {grant: Key(*grant.owner.split("/", 1)) for grant in (() if shard is None else shard.keys)}
        return frozenset(grant for grant, key in owners.items() if store.has(key) and store.get(key) is None)

    async def _try_shard(
        self, owner: EventStreamsInstance, name: str, grants: frozenset[KeyGrant], live: Manifest | None
    ) -> EventStreamsError | None:
        """Write a shard and return what went wrong: one that cannot be written shall not keep a key in the others."""
        try:
            await self._write_shard(owner, name, grants, live)
        except EventStreamsError as error:
            return error
        return None

    async def _write_shard(
        self, owner: EventStreamsInstance, name: str, grants: frozenset[KeyGrant], live: Manifest | None
    ) -> None:
        kube = self._context.kube
        if live is not None and not _is_ours(live, owner):
            raise RefusedError(
                Reason.OBJECT_CONFLICT,
                f"ConfigMap {name} exists and does not belong to this instance, it is not touched: delete or rename it",
            )
        found = _shard(live)
        if live is not None and found is not None and frozenset(found.keys) == grants and _is_in_order(live, owner):
            return
        # a shard made anew starts at the time, so that it is newer than any copy that a producer still has
        revision = int(self._context.clock.now().timestamp()) if found is None else found.revision + 1
        wanted = shard_config_map(owner, name, Shard(revision, tuple(grants)))
        if live is None:
            await kube.create(wanted)
        else:
            await kube.replace(_onto(live, wanted))
        logger.info(
            "Wrote keyring shard",
            extra={"namespace": owner.metadata.namespace, "config_map": name, "keys": len(grants)},
        )


def shard_config_map(owner: EventStreamsInstance, name: str, shard: Shard) -> Manifest:
    """Return the ConfigMap of one shard, owned by its instance; same arguments, same bytes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "namespace": owner.metadata.namespace,
            "name": name,
            "labels": {
                names.NAME: names.NAME_VALUE,
                names.MANAGED_BY: names.MANAGED_BY_VALUE,
                names.INSTANCE_LABEL: owner.metadata.name,
                names.COMPONENT: COMPONENT,
            },
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": "EventStreamsInstance",
                    "name": owner.metadata.name,
                    "uid": owner.metadata.uid,
                    "controller": True,
                }
            ],
        },
        "data": {DATA_KEY: dump(shard)},
    }


def _onto(live: Manifest, wanted: Manifest) -> Manifest:
    metadata = live["metadata"]
    return wanted | {
        "metadata": metadata
        | {"labels": (metadata.get("labels") or {}) | wanted["metadata"]["labels"]}
        | {"ownerReferences": wanted["metadata"]["ownerReferences"]}
    }


def _shard(live: Manifest | None) -> Shard | None:
    """Return what a ConfigMap holds, None when it holds nothing that this version can read."""
    try:
        return load((live or {})["data"][DATA_KEY])
    except (KeyError, TypeError, ValueError):
        return None


def _is_ours(live: Manifest, owner: EventStreamsInstance) -> bool:
    """Tell whether the operator made a ConfigMap for an instance of this name; one without its labels may still."""
    metadata = live["metadata"]
    labels = metadata.get("labels") or {}
    is_labelled = (
        labels.get(names.MANAGED_BY) == names.MANAGED_BY_VALUE
        and labels.get(names.INSTANCE_LABEL) == owner.metadata.name
    )
    return is_labelled or owner.metadata.uid in {one["uid"] for one in metadata.get("ownerReferences") or ()}


def _is_in_order(live: Manifest, owner: EventStreamsInstance) -> bool:
    """Tell whether a ConfigMap has our labels and owner: an instance made again owns its keyring anew."""
    expected = shard_config_map(owner, "", Shard())["metadata"]
    metadata = live["metadata"]
    return bool(
        expected["labels"].items() <= (metadata.get("labels") or {}).items()
        and metadata.get("ownerReferences") == expected["ownerReferences"]
    )


def _shard_names(instance: Key) -> list[str]:
    return [names.keyring(instance.name, number) for number in range(SHARDS)]


def _again(error: EventStreamsError) -> EventStreamsError:
    """Return an error of the same kind: each caller raises one of its own."""
    kind = RefusedError if isinstance(error, RefusedError) else NotYetError
    return kind(error.reason, error.message)


def _joined(grants: frozenset[KeyGrant], kept: frozenset[KeyGrant]) -> frozenset[KeyGrant]:
    """Return the grants and the kept ones; an id stays with who had it."""
    ids = {grant.id for grant in kept}
    return kept | {grant for grant in grants if grant.id not in ids}


def _by_owner(shards: Iterable[frozenset[KeyGrant]]) -> _ByOwner:
    grants = sorted((grant for shard in shards for grant in shard), key=_owner)
    return {owner: frozenset(each) for owner, each in groupby(grants, key=_owner)}


def _owner(grant: KeyGrant) -> str:
    return grant.owner


def _settled(old: _ByOwner, new: _ByOwner) -> _ByOwner:
    """Return what can be relied on while `new` is being written over `old`: an owner that changes is None."""
    return {owner: new.get(owner) if old.get(owner) == new.get(owner) else None for owner in old.keys() | new.keys()}
