"""The keyring from Kubernetes: list and watch the instance's 16 ConfigMaps, for ever.

A watch is asked to end within a minute, and its end is the proof that it lived; one that stays silent longer is given
up. A shard that is deleted or written in a form of the future leaves the keys that were known: only a new shard
revokes. While the API server is away, known keys go on working, and `age_seconds` grows.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Final
from urllib.parse import urlencode

from eventstreams.core import names
from eventstreams.core.keyring import DATA_KEY, SHARDS, load
from eventstreams.producer.cluster import Cluster, ClusterError
from eventstreams.producer.keys import Keys

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 50
STALE_SECONDS: Final = 75.0
SILENCE_SECONDS: Final = WATCH_SECONDS + 10.0
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_LONGEST_EVENT_BYTES: Final = 8_388_608  # etcd takes objects up to 1.5 MiB; quoting may double that


class WatchBrokenError(Exception):
    """The watch cannot go on from where it was: list anew."""


class KeyringWatch:
    """Keeps `keys` as the ConfigMaps of `instance` say. `chance` gives numbers from 0 to 1, to spread retries."""

    def __init__(
        self,
        cluster: Cluster,
        keys: Keys,
        *,
        namespace: str,
        instance: str,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._keys = keys
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._selector = f"{names.INSTANCE_LABEL}={instance}"
        self._numbers = {names.keyring(instance, number): number for number in range(SHARDS)}
        self._clock = clock
        self._chance = chance
        self._current_at = clock()
        self._is_stale = False

    def age_seconds(self) -> float:
        """Return how long ago the keys were last known to be the newest."""
        return self._clock() - self._current_at

    async def keep(self) -> None:
        """List, watch, and list again whenever the watch breaks, for ever."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                version = await self._list()
                pause = _FIRST_PAUSE_SECONDS
                while True:
                    version = await self._watch(version)
                    await asyncio.sleep(pause * self._chance())  # a proxy may end each at once
            except WatchBrokenError:
                pass
            except ClusterError as error:
                self._note_trouble(error)
            await asyncio.sleep(pause * (0.5 + self._chance()))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _list(self) -> str:
        """Take every shard as it is now, and return the version to watch from."""
        query = urlencode({"labelSelector": self._selector})
        async with self._cluster.get(f"{self._path}?{query}", silence_seconds=SILENCE_SECONDS) as pieces:
            listed = _parse(b"".join([piece async for piece in pieces]))
        for config_map in listed["items"]:
            self._take(config_map)
        self._note_current()
        return str(listed["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> str:
        """Take changes until the API server ends the watch, and return the version to go on from."""
        query = urlencode(
            {
                "labelSelector": self._selector,
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": int(WATCH_SECONDS * (0.8 + 0.2 * self._chance())),
            }
        )
        async with self._cluster.get(f"{self._path}?{query}", silence_seconds=SILENCE_SECONDS) as pieces:
            async for line in _lines(pieces):
                event = _parse(line)
                if event["type"] == "ERROR":
                    raise WatchBrokenError
                version = str(event["object"]["metadata"]["resourceVersion"])
                if event["type"] in {"ADDED", "MODIFIED"}:
                    self._take(event["object"])
                elif event["type"] == "DELETED" and event["object"]["metadata"]["name"] in self._numbers:
                    name = event["object"]["metadata"]["name"]
                    logger.warning("Kept the keys of a shard that was deleted", extra={"config_map": name})
                self._note_current()
        self._note_current()
        return version

    def _take(self, config_map: dict[str, Any]) -> None:
        name = config_map["metadata"]["name"]
        number = self._numbers.get(name)
        if number is None:
            return
        try:
            shard = load(config_map["data"][DATA_KEY])
        except (KeyError, TypeError, ValueError) as error:
            extra = {"config_map": name, "error": str(error)}
            logger.warning("Kept the keys of a shard that cannot be read", extra=extra)
            return
        self._keys.replace(number, shard)
        logger.debug("Took a shard", extra={"config_map": name, "revision": shard.revision, "keys": len(shard.keys)})

    def _note_current(self) -> None:
        self._current_at = self._clock()
        if self._is_stale:
            self._is_stale = False
            logger.info("The keyring is current again")

    def _note_trouble(self, error: ClusterError) -> None:
        logger.debug("The keyring's watch broke", extra={"error": str(error)})
        if not self._is_stale and (self._keys.missing or self.age_seconds() > STALE_SECONDS):
            self._is_stale = True
            extra = {"error": str(error), "age_seconds": round(self.age_seconds())}
            logger.warning("The keyring may be out of date; known keys go on working", extra=extra)


def _parse(text: bytes) -> Any:  # noqa: ANN401  the API server's JSON
    try:
        return json.loads(text)
    except ValueError as error:
        raise ClusterError("the API server's answer is not JSON") from error


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut a watch's body into its lines, each one event. Raises ClusterError for an endless one."""
    held = b""
    async for piece in pieces:
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            if line:
                yield line
        if len(held) > _LONGEST_EVENT_BYTES:
            raise ClusterError("an event of the watch does not end")
