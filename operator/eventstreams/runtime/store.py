"""The operator's own copy of every object of one kind: what all decisions are read from.

Watch events, lists and the answers to our own writes all come in here, in any order; the newest resourceVersion
wins. A deletion leaves its version behind for a while, so that a late answer or event cannot bring the object back.
resourceVersions are compared as numbers: the API server documents them as such for all objects of one kind.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from eventstreams.api.model import Resource
from eventstreams.core.key import Key
from eventstreams.kube.apis import Manifest

logger = logging.getLogger(__name__)

__all__ = ["Entry", "Key", "Store", "Swept", "key_of", "version_of"]

T = TypeVar("T", bound=Resource)

Listener = Callable[[Key, T | None, T | None], None]

TOMBSTONES: Final = 10_000
"""Deletions remembered. Older ones are safe to forget: answers to our writes come within seconds."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One object as last seen. `resource` is None when it does not fit the model: then nobody acts on it."""

    uid: str
    version: int
    resource: T | None


@dataclass(frozen=True, slots=True)
class Swept:
    """What a complete list said about the store: keys dropped, and the versions that the store lacks."""

    gone: tuple[Key, ...]
    missed: dict[Key, int]


class Store(Generic[T]):
    """Objects of one kind by namespace and name. One event loop uses it; nothing here awaits."""

    def __init__(self, parse: Callable[[Manifest], T]) -> None:
        self._parse = parse
        self._entries: dict[Key, Entry[T]] = {}
        self._tombstones: OrderedDict[Key, int] = OrderedDict()
        self._listeners: list[Listener[T]] = []

    def subscribe(self, listener: Listener[T]) -> None:
        """Have `listener` told of every change, with the object before and after it (None: not there).

        Called at once from whatever brought the change, our own writes included: it may wake keys and nothing more.
        """
        self._listeners.append(listener)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> T | None:
        """Return the newest copy of an object; None when it does not exist or does not fit the model."""
        entry = self._entries.get(key)
        return None if entry is None else entry.resource

    def values(self) -> Iterable[T]:
        """Return all objects, as they are at this moment."""
        return [entry.resource for entry in self._entries.values() if entry.resource is not None]

    def has(self, key: Key) -> bool:
        """Tell whether an object exists, also one that does not fit the model."""
        return key in self._entries

    def note(self, event: Mapping[str, Any]) -> Key | None:
        """Take in a watch event (`type`, `object`) and return its key, or None when it tells nothing new."""
        manifest: Manifest = event["object"]
        key, version = key_of(manifest), version_of(manifest)
        if version <= self.version(key):
            return None
        if event.get("type") == "DELETED":
            self._bury(key, version)
        else:
            self._keep(key, version, manifest)
        return key

    def put(self, manifest: Manifest) -> T:
        """Take in an object that the API server answered, and return it parsed, whether or not it is the newest.

        Raises ValueError when it does not fit the model.
        """
        key, version = key_of(manifest), version_of(manifest)
        if version > self.version(key):
            self._keep(key, version, manifest)
            entry = self._entries[key]
            if entry.resource is not None:
                return entry.resource
        return self._parse(manifest)

    def forget(self, key: Key, uid: str) -> None:
        """Drop an object that the API server answered not to have, unless another one took its name since."""
        entry = self._entries.get(key)
        if entry is not None and entry.uid == uid:
            self._bury(key, entry.version)

    def version(self, key: Key) -> int:
        """Return the newest resourceVersion known under a name, that of a deletion included; 0 for none."""
        entry = self._entries.get(key)
        return self._tombstones.get(key, 0) if entry is None else entry.version

    def sweep(self, listed: Iterable[Manifest], version: str, *, namespace: str | None = None) -> Swept:
        """Compare with a complete list of one namespace (None: all), true at `version`; metadata is enough.

        Drops what is gone, and names what the store lacks. What is newer than the list stays: the list cannot know.
        """
        seen = {key_of(item): item for item in listed}
        gone = [
            key
            for key, entry in self._entries.items()
            if namespace in (None, key.namespace)
            and entry.version <= int(version)
            and (key not in seen or seen[key]["metadata"]["uid"] != entry.uid)
        ]
        for key in gone:
            # not at the list's version: another object of that name may be older than the list and unknown here
            self._bury(key, self._entries[key].version)
        missed = {key: version_of(item) for key, item in seen.items() if version_of(item) > self.version(key)}
        return Swept(tuple(gone), missed)

    def _keep(self, key: Key, version: int, manifest: Manifest) -> None:
        self._tombstones.pop(key, None)
        try:
            resource = self._parse(manifest)
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]
            logger.error(  # noqa: TRY400  # a traceback would quote the object
                "Object does not fit the model, nobody acts on it: update the CRDs or correct it",
                extra={"kind": manifest.get("kind"), "object": str(key), "version": version, "problems": problems},
            )
            resource = None
        before = self.get(key)
        self._entries[key] = Entry(manifest["metadata"]["uid"], version, resource)
        self._tell(key, before)

    def _bury(self, key: Key, version: int) -> None:
        before = self.get(key)
        self._entries.pop(key, None)
        self._tombstones[key] = version
        self._tombstones.move_to_end(key)
        if len(self._tombstones) > TOMBSTONES:
            self._tombstones.popitem(last=False)
        self._tell(key, before)

    def _tell(self, key: Key, before: T | None) -> None:
        after = self.get(key)
        for listener in self._listeners:
            listener(key, before, after)


def key_of(manifest: Mapping[str, Any]) -> Key:
    """Return the key of an object."""
    metadata = manifest["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def version_of(manifest: Mapping[str, Any]) -> int:
    """Return an object's resourceVersion as a number."""
    return int(manifest["metadata"]["resourceVersion"])
