"""A cache of the objects that the operator made: listed, then watched, so that a change wakes their owner.

The caches are hints to look again, and save reads; what is decided on them must hold when they lag behind.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final

from eventstreams.core.errors import NotYetError
from eventstreams.core.key import Key
from eventstreams.core.names import INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_VALUE
from eventstreams.kube.apis import API, Manifest
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import ExpiredError

logger = logging.getLogger(__name__)

OWNED: Final = f"{MANAGED_BY}={MANAGED_BY_VALUE}"
"""Label selector of what the operator made."""
RETRY_SECONDS: Final = 1.0
RETRY_CAP_SECONDS: Final = 30.0


class Reflector:
    """Objects of one API with the operator's label, kept current while `run` runs. Reading never awaits."""

    def __init__(
        self,
        kube: Kube,
        api: API,
        *,
        namespaces: Sequence[str | None] = (None,),
        labels: str = OWNED,
        on_change: Callable[[Key], None] = lambda _: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._kube = kube
        self.api = api
        self._namespaces = namespaces
        self._labels = labels
        self._on_change = on_change
        self._beat = beat
        self._objects: dict[Key, Manifest] = {}
        self._listed: set[str | None] = set()
        self.synced = asyncio.Event()
        """Set once everything was listed."""

    def get(self, namespace: str, name: str) -> Manifest | None:
        """Return an object as last seen, or None."""
        return self._objects.get(Key(namespace, name))

    def of(self, owner: Key) -> tuple[Manifest, ...]:
        """Return the objects that belong to an instance, in name order."""
        mine = [(key, one) for key, one in self._objects.items() if owner_of(one) == owner]
        return tuple(one for _, one in sorted(mine, key=lambda pair: pair[0]))

    def put(self, manifest: Manifest) -> None:
        """Take in the answer to a write of ours, unless the watch was faster."""
        key = _key(manifest)
        known = self._objects.get(key)
        if known is None or _version(known) < _version(manifest):
            self._objects[key] = manifest

    async def run(self) -> None:
        """List and watch for ever; errors of the API are logged and tried again."""
        async with asyncio.TaskGroup() as group:
            for namespace in self._namespaces:
                group.create_task(self._follow(namespace), name=f"reflector {self.api.plural} {namespace or '*'}")

    async def _follow(self, namespace: str | None) -> None:
        wait = RETRY_SECONDS
        while True:
            try:
                version = await self._list(namespace)
                wait = RETRY_SECONDS
                await self._watch(namespace, version)
            except ExpiredError:
                continue  # watched too long ago: list again
            except NotYetError as error:
                extra = {"api": self.api.plural, "namespace": namespace or "*", "error": str(error)}
                logger.warning("Watch interrupted", extra=extra)
                await asyncio.sleep(wait * (0.5 + random.random() / 2))  # noqa: S311  # jitter, no secret
                wait = min(wait * 2, RETRY_CAP_SECONDS)

    async def _list(self, namespace: str | None) -> str:
        listed = await self._kube.list(self.api, namespace, labels=self._labels)
        self._beat()
        seen = {_key(item): item for item in listed.items}
        for key in [key for key in self._objects if (namespace in (None, key.namespace)) and key not in seen]:
            if _version(self._objects[key]) <= int(listed.resource_version):
                self._change(self._objects.pop(key))
        for item in seen.values():
            self._keep(item)
        self._listed.add(namespace)
        if self._listed.issuperset(self._namespaces):
            self.synced.set()
        return listed.resource_version

    async def _watch(self, namespace: str | None, version: str) -> None:
        while True:
            async for event in self._kube.watch(self.api, namespace, labels=self._labels, resource_version=version):
                version = event.resource_version
                self._beat()
                if event.type == "DELETED":
                    self._objects.pop(_key(event.object), None)
                    self._change(event.object)
                elif event.type != "BOOKMARK":
                    self._keep(event.object)

    def _keep(self, manifest: Manifest) -> None:
        key = _key(manifest)
        known = self._objects.get(key)
        if known is None or _version(known) < _version(manifest):
            self._objects[key] = manifest
            self._change(manifest)

    def _change(self, manifest: Manifest) -> None:
        owner = owner_of(manifest)
        if owner is not None:
            self._on_change(owner)


def owner_of(manifest: Manifest) -> Key | None:
    """Return the instance that an object belongs to by its label, or None."""
    metadata = manifest["metadata"]
    name = metadata.get("labels", {}).get(INSTANCE_LABEL)
    return None if name is None else Key(metadata.get("namespace", ""), name)


def _key(manifest: Manifest) -> Key:
    return Key(manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])


def _version(manifest: Manifest) -> int:
    return int(manifest["metadata"]["resourceVersion"])
