"""The Kubernetes API in memory: what the operator relies on of it, and a crash at any change.

Kept of the real one: resourceVersion and UID preconditions, status apart from spec, generation, finalizers, 409 and
404. tests/integration/serviceid runs the room against the real API server.
"""

import asyncio
import copy
from collections.abc import Callable
from itertools import count
from typing import Any

from typing_extensions import override

from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import API, Manifest, api_of
from eventstreams.kube.client import Kube, Listed
from eventstreams.kube.errors import AlreadyExistsError, ChangedError, NotFoundError


class Crash(BaseException):  # no error that any code may handle: the process is gone
    """The operator's process ended here."""


Place = tuple[API, Key]


class MemoryKube(Kube):
    """Objects by API, namespace and name. `changed` hears of every change, as a watch would."""

    def __init__(self) -> None:
        self.objects: dict[Place, Manifest] = {}
        self.changed: Callable[[API, str, Manifest], None] = lambda _api, _type, _object: None
        self.on_change: Callable[[Manifest], None] = lambda _manifest: None
        """Hears of what is about to be created or replaced; what it raises is the answer."""
        self.on_stored: Callable[[], None] = lambda: None
        """Hears that something was stored."""
        self.lists = 0
        """Lists until now."""
        self.changes = 0
        """Changing calls until now."""
        self.crash_at: int | None = None
        """The changing call at which the process ends, counted from 0; None: it lives."""
        self.answer_is_lost = False
        """Whether that call still happens before the process ends."""
        self._numbers = count(1)

    @override
    def check(self) -> None:
        pass

    @override
    async def close(self) -> None:
        pass

    @override
    async def get(self, api: API, namespace: str | None, name: str) -> Manifest | None:
        await asyncio.sleep(0)
        return copy.deepcopy(self.objects.get((api, Key(namespace or "", name))))

    @override
    async def list(self, api: API, namespace: str | None, *, labels: str = "", metadata_only: bool = False) -> Listed:
        await asyncio.sleep(0)
        self.lists += 1
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        items = [
            copy.deepcopy(one)
            for (kind, key), one in sorted(self.objects.items(), key=lambda item: item[0][1])
            if kind == api
            and namespace in {None, key.namespace}
            and wanted.items() <= (one["metadata"].get("labels") or {}).items()
        ]
        return Listed(tuple(items), str(next(self._numbers)))

    @override
    async def create(self, manifest: Manifest) -> Manifest:
        return await self._change(lambda: self._create(manifest))

    @override
    async def replace(self, manifest: Manifest) -> Manifest:
        return await self._change(lambda: self._replace(manifest))

    @override
    async def patch(
        self, api: API, namespace: str | None, name: str, body: Manifest, *, subresource: str = ""
    ) -> Manifest:
        return await self._change(lambda: self._patch((api, Key(namespace or "", name)), body, subresource))

    @override
    async def delete(
        self, api: API, namespace: str | None, name: str, *, uid: str = "", resource_version: str = ""
    ) -> None:
        metadata = {key: value for key, value in {"uid": uid, "resourceVersion": resource_version}.items() if value}
        await self._change(lambda: self._delete((api, Key(namespace or "", name)), metadata))

    async def _change(self, act: Callable[[], Manifest]) -> Manifest:
        await asyncio.sleep(0)
        number, self.changes = self.changes, self.changes + 1
        if self.crash_at is not None and number >= self.crash_at:
            if number == self.crash_at and self.answer_is_lost:
                act()
            raise Crash
        return copy.deepcopy(act())

    def _create(self, manifest: Manifest) -> Manifest:
        self.on_change(manifest)
        new = copy.deepcopy(manifest)
        place = _place(new)
        if place in self.objects:
            raise AlreadyExistsError(Reason.API_CONFLICT, f"{place[1]} exists")
        new["metadata"] |= {
            "uid": f"uid-{next(self._numbers)}",
            "generation": 1,
            "creationTimestamp": "2026-11-01T12:00:00Z",
        }
        return self._keep(place, new, "ADDED")

    def _replace(self, manifest: Manifest) -> Manifest:
        self.on_change(manifest)
        place = _place(manifest)
        self._at(place, manifest["metadata"])
        return self._keep(place, copy.deepcopy(manifest), "MODIFIED")

    def _patch(self, place: Place, body: Manifest, subresource: str) -> Manifest:
        old = self._at(place, body.get("metadata", {}))
        change = {"status": body["status"]} if subresource == "status" else {**body, "status": {}}
        new: Manifest = merged(old, change)
        new["metadata"]["generation"] += new.get("spec") != old.get("spec")
        if new == old:
            return old
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self._drop(place)
        return self._keep(place, new, "MODIFIED")

    def _delete(self, place: Place, preconditions: Manifest) -> Manifest:
        if place not in self.objects:
            return {}
        old = self._at(place, preconditions)
        if not old["metadata"].get("finalizers"):
            return self._drop(place)
        return self._keep(place, merged(old, {"metadata": {"deletionTimestamp": "2026-11-01T13:00:00Z"}}), "MODIFIED")

    def _at(self, place: Place, preconditions: Manifest) -> Manifest:
        old = self.objects.get(place)
        if old is None:
            raise NotFoundError(Reason.API_UNAVAILABLE, f"there is no {place[1]}")
        for name in ("uid", "resourceVersion"):
            if name in preconditions and preconditions[name] != old["metadata"][name]:
                raise ChangedError(Reason.API_CONFLICT, f"{place[1]} has changed")
        return old

    def _keep(self, place: Place, manifest: Manifest, event: str) -> Manifest:
        manifest["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[place] = manifest
        self.on_stored()
        self.changed(place[0], event, copy.deepcopy(manifest))
        return manifest

    def _drop(self, place: Place) -> Manifest:
        old = self.objects.pop(place)
        old["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.changed(place[0], "DELETED", copy.deepcopy(old))
        return old


def merged(old: Any, change: Any) -> Any:
    """Return `old` with the JSON merge patch `change` (RFC 7386)."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    new = dict(old) if isinstance(old, dict) else {}
    for name, value in change.items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = merged(new.get(name), value)
    return new


def _place(manifest: Manifest) -> Place:
    metadata = manifest["metadata"]
    return api_of(manifest), Key(metadata.get("namespace", ""), metadata["name"])
