"""The sweep of one kind: from time to time the whole list is compared with the store, as watches can lose events.

After a gap a watch lists again and tells nothing of what was deleted meanwhile; and a connection may look alive and
be dead. The list holds metadata only; what is gone is dropped, what the store lacks is fetched, and nothing else is
woken: a sweep that finds nothing writes nothing.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from eventstreams.core.errors import NotYetError
from eventstreams.core.key import Key
from eventstreams.kube.client import Kube
from eventstreams.runtime.controller import Controller
from eventstreams.runtime.metrics import Metrics

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 5.0
"""What the list has and the store lacks may be on its way through the watch: it gets so long."""


class Sweep:
    """Lists one kind in the namespaces served, into its controller's store."""

    def __init__(
        self,
        kube: Kube,
        controller: Controller[Any, Any],
        metrics: Metrics,
        *,
        namespaces: Sequence[str | None],
        watch_beat: Callable[[], None] = lambda: None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._kube = kube
        self._controller = controller
        self._metrics = metrics
        self._namespaces = namespaces
        self._watch_beat = watch_beat
        self._grace_seconds = grace_seconds
        metrics.missed_events.labels(controller.api.kind)  # 0 from the start, so that a first loss is a rise

    async def fill(self) -> None:
        """Put every object into the store and wake it: the start. Raises NotYetError."""
        for namespace in self._namespaces:
            listed = await self._kube.list(self._controller.api, namespace)
            for manifest in listed.items:
                self._controller.found(manifest)

    async def run(self) -> None:
        """Compare once. Raises NotYetError when the list cannot be had."""
        missed = [await self._compare(namespace) for namespace in self._namespaces]
        if not any(missed):
            self._watch_beat()  # the watchdog of a watch: without it for several sweeps, the watch is broken

    async def _compare(self, namespace: str | None) -> int:
        """Return how many changes and deletions no watch had told."""
        kind = self._controller.api.kind
        listed = await self._kube.list(self._controller.api, namespace, metadata_only=True)
        swept = self._controller.store.sweep(listed.items, listed.resource_version, namespace=namespace)
        for key in swept.gone:
            self._controller.wake(key)
        missed = await self._still_missed(swept.missed)
        for key in missed:
            manifest = await self._kube.get(self._controller.api, *key)
            if manifest is not None:
                self._controller.seen({"type": "MODIFIED", "object": manifest})
        if swept.gone or missed:
            self._metrics.missed_events.labels(kind).inc(len(swept.gone) + len(missed))
            logger.warning(
                "Sweep found what no watch had told",
                extra={"kind": kind, "gone": len(swept.gone), "missed": len(missed)},
            )
        return len(swept.gone) + len(missed)

    async def _still_missed(self, missed: dict[Key, int]) -> list[Key]:
        if not missed:
            return []
        await asyncio.sleep(self._grace_seconds)
        return [key for key, version in missed.items() if self._controller.store.version(key) < version]


async def periodically(
    name: str,
    call: Callable[[], Awaitable[None]],
    *,
    seconds: float,
    beat: Callable[[], None] = lambda: None,
    done: Callable[[str], None] = lambda _: None,
) -> None:
    """Call for ever, every `seconds` less up to a fifth at random, so that loops do not march in step.

    A NotYetError is logged and tried at the next turn; anything else ends the loop, and with it the process.
    `beat` is called after every success; `done` with `ok` or `not_yet` after every turn.
    """
    while True:
        await asyncio.sleep(seconds * (1 - random.random() / 5))  # noqa: S311  # jitter, no secret
        try:
            await call()
        except NotYetError as error:
            logger.warning("Periodic work put off", extra={"loop": name, "error": error.message})
            done("not_yet")
        else:
            beat()
            done("ok")
