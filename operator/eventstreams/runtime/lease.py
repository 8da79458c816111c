"""One replica acts at a time: the Lease, and the fence that holds the process to it.

A Lease does not fence by itself: a process that was paused may wake up after another one took over. So whatever
changes the world asks `Fence.check` first, which ends the process once the Lease could not be renewed in time, and
the timeouts of single calls are shorter than what is left of the Lease after that (settings hold them to it). What
remains, a call that reaches the server late, is caught by resourceVersion preconditions where keys are at stake.

How long a foreign Lease is valid is measured on our own monotonic clock, from when we saw it change: clocks of two
machines are never compared.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from eventstreams.core.clock import Clock
from eventstreams.core.errors import NotYetError
from eventstreams.kube.apis import LEASES, Manifest
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import AlreadyExistsError, ChangedError

logger = logging.getLogger(__name__)

LOST_EXIT_CODE: Final = 3


def exit_now() -> None:
    """End the process without any clean-up: nothing that runs here may touch the world any more."""
    os._exit(LOST_EXIT_CODE)


class Fence:
    """The moment until which this process may act. `check` is called before every act; it is cheap."""

    def __init__(self, clock: Clock, *, abort: Callable[[], None] = exit_now) -> None:
        self._clock = clock
        self._abort = abort
        self._until: float | None = None  # on the monotonic clock; None: not the holder

    def extend(self, until: float) -> None:
        """Allow acts until a moment on the monotonic clock."""
        self._until = until

    def release(self) -> None:
        """Allow no act any more: the Lease is about to be given back."""
        self._until = None

    def check(self) -> None:
        """Return if this process may act; otherwise end it."""
        if self._until is None or self._clock.monotonic() >= self._until:
            self.lost("its deadline passed" if self._until is not None else "it is not held")

    def lost(self, why: str) -> None:
        """End the process: another replica may act from now on."""
        logger.error("Lost the Lease, this process ends at once", extra={"why": why})
        self._abort()


@dataclass(frozen=True, slots=True)
class Terms:
    """Which Lease, who we are, and its times in seconds."""

    namespace: str
    name: str
    holder: str
    duration_seconds: int
    renew_deadline_seconds: float
    retry_seconds: float


class Lease:
    """The Lease as this process sees it. `acquire`, then `keep` beside the work, then `release`."""

    def __init__(self, kube: Kube, terms: Terms, clock: Clock, fence: Fence) -> None:
        self._kube = kube
        self._terms = terms
        self._clock = clock
        self._fence = fence
        self._held: Manifest | None = None
        self._seen: tuple[Any, float] = (None, 0.0)  # the foreign Lease's version, and since when we know it

    async def acquire(self) -> None:
        """Wait until this process holds the Lease. Errors of the API are logged and tried again."""
        told = ""
        while True:
            holder = await self._try()
            if holder is None:
                logger.info("Took the Lease", extra={"lease": self._terms.name, "holder": self._terms.holder})
                return
            if holder != told:
                logger.info("On standby", extra={"lease": self._terms.name, "held_by": holder})
                told = holder
            await asyncio.sleep(self._terms.retry_seconds)

    async def keep(self) -> None:
        """Renew for ever; ends the process when the Lease is lost or could not be renewed in time."""
        while True:
            await asyncio.sleep(self._terms.retry_seconds)
            try:
                await self._renew()
            except ChangedError:
                await self._look_again()
            except NotYetError as error:
                logger.warning("Lease not renewed", extra={"error": error.message})
            self._fence.check()

    async def release(self) -> None:
        """Give the Lease back, so that a standby takes over at once. To be called when nothing acts any more."""
        self._fence.release()
        if self._held is None:
            return
        lease, self._held = self._held, None
        lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._kube.replace(lease)
            logger.info("Released the Lease", extra={"lease": self._terms.name})
        except NotYetError as error:  # it ends by itself
            logger.warning("Lease not released", extra={"error": error.message})

    async def _try(self) -> str | None:
        """Try to take the Lease once. Returns None when it is ours, else who stands in the way."""
        try:
            lease = await self._kube.get(LEASES, self._terms.namespace, self._terms.name)
            if lease is None:
                await self._write(self._kube.create, self._new())
                return None
            holder = self._valid_holder(lease)
            if holder not in ("", self._terms.holder):
                return holder
            lease["spec"] = self._spec(lease.get("spec", {}))
            await self._write(self._kube.replace, lease)
        except (ChangedError, AlreadyExistsError):
            return "another replica, just now"
        except NotYetError as error:
            logger.warning("Lease not readable", extra={"error": error.message})
            return "unknown"
        return None

    async def _renew(self) -> None:
        if self._held is None:
            self._fence.lost("it is not held")
            return
        lease = {**self._held, "spec": self._spec(self._held["spec"])}
        await self._write(self._kube.replace, lease)

    async def _write(self, write: Callable[[Manifest], Any], lease: Manifest) -> None:
        """Write the Lease; the deadline counts from before the call: the server may have stored it as early as that."""
        asked = self._clock.monotonic()
        self._held = await write(lease)
        self._fence.extend(asked + self._terms.renew_deadline_seconds)

    async def _look_again(self) -> None:
        """Somebody wrote the Lease: ours still (an answer of ours was lost, or a label was edited), or lost."""
        try:
            lease = await self._kube.get(LEASES, self._terms.namespace, self._terms.name)
        except NotYetError as error:
            logger.warning("Lease not readable", extra={"error": error.message})
            return
        holder = None if lease is None else lease.get("spec", {}).get("holderIdentity")
        if lease is None or holder != self._terms.holder:
            self._fence.lost(f"it is held by {holder or 'nobody'}")
        self._held = lease

    def _valid_holder(self, lease: Manifest) -> str:
        """Return who holds a Lease that we found, empty when nobody does or it ran out while we watched it."""
        spec = lease.get("spec", {})
        version, now = lease["metadata"]["resourceVersion"], self._clock.monotonic()
        if self._seen[0] != version:
            self._seen = (version, now)
        ran_out = now >= self._seen[1] + float(spec.get("leaseDurationSeconds") or 0)
        return "" if ran_out else str(spec.get("holderIdentity") or "")

    def _new(self) -> Manifest:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"namespace": self._terms.namespace, "name": self._terms.name},
            "spec": self._spec({}),
        }

    def _spec(self, before: Manifest) -> Manifest:
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = before.get("holderIdentity") == self._terms.holder
        turns = int(before.get("leaseTransitions") or 0)
        return {
            "holderIdentity": self._terms.holder,
            "leaseDurationSeconds": self._terms.duration_seconds,
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "renewTime": now,
            "leaseTransitions": turns if ours or not before else turns + 1,
        }
