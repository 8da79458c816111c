"""Follows the objects that the operator made: listed, then watched, so that a change wakes their owner.

Of each object only its version and owner are kept, to tell after a gap what came, changed and went. A wake is a hint to
look again: what is decided is decided on what is read then.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

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


class _Seen(NamedTuple):
    version: int
    owner: Key | None


class Reflector:
    """Tells `on_change` the owner of each object of one API with the operator's label that comes, changes or goes."""

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
        self._known: dict[Key, _Seen] = {}
        self._listed: set[str | None] = set()
        self.synced = asyncio.Event()
        """Set once everything was listed."""

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
        seen = {_key(item): _seen(item) for item in listed.items}
        for key in [key for key in self._known if (namespace in (None, key.namespace)) and key not in seen]:
            if self._known[key].version <= int(listed.resource_version):
                self._wake(self._known.pop(key))
        for key, one in seen.items():
            self._keep(key, one)
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
                    self._known.pop(_key(event.object), None)
                    self._wake(_seen(event.object))
                elif event.type != "BOOKMARK":
                    self._keep(_key(event.object), _seen(event.object))

    def _keep(self, key: Key, seen: _Seen) -> None:
        known = self._known.get(key)
        if known is None or known.version < seen.version:
            self._known[key] = seen
            self._wake(seen)

    def _wake(self, seen: _Seen) -> None:
        if seen.owner is not None:
            self._on_change(seen.owner)


def _seen(manifest: Manifest) -> _Seen:
    return _Seen(int(manifest["metadata"]["resourceVersion"]), _owner_of(manifest))


def _owner_of(manifest: Manifest) -> Key | None:
    """Return the instance that an object belongs to by its label, or None."""
    metadata = manifest["metadata"]
    name = metadata.get("labels", {}).get(INSTANCE_LABEL)
    return None if name is None else Key(metadata.get("namespace", ""), name)


def _key(manifest: Manifest) -> Key:
    return Key(manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
