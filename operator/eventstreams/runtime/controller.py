"""One controller per kind: store, queue, workers, and the writing of status.

    watch event -> store -> key -> queue -> reconcile (observe, plan, act) -> status, skipped when unchanged

A reconcile that raises says by the class of its error whose turn it is; here, and only here, that becomes
conditions, back-off, log lines and metrics. One bad object never delays another.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

from eventstreams.api import conditions
from eventstreams.api.conditions import Finding
from eventstreams.api.model import Metadata, Resource, Status
from eventstreams.core.clock import Clock
from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.kube import events
from eventstreams.kube.apis import API, Manifest
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import ChangedError, NotFoundError
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.queue import Backoff, Lane, Queue, QueueClosedError
from eventstreams.runtime.status import difference, settled
from eventstreams.runtime.store import Store, key_of

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Resource)
S = TypeVar("S", bound=Status)
T_contra = TypeVar("T_contra", bound=Resource, contravariant=True)

STATUS_ATTEMPTS: Final = 3
"""Times that a status is written anew after somebody changed labels or annotations at the same moment."""
ANNOUNCED_SECONDS: Final = (10, 60, 300)
"""What conditions say of the next attempt, in steps: a wait that doubles is not worth a status write each time."""
SILENT_CONFLICTS: Final = 3
"""Conflicts in a row that no condition mentions: the next attempt nearly always succeeds."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """What a reconcile came to.

    `status` is the new status; its conditions and observedGeneration are ignored: the controller fills them from
    `findings`. `again_after`: seconds until the object is looked at again unasked.
    """

    status: S
    findings: tuple[Finding, ...]
    again_after: float | None = None


class Reconciler(Protocol[T_contra, S]):
    """What a room does for one object of its kind."""

    async def reconcile(self, resource: T_contra) -> Outcome[S] | None:
        """Bring the world to what `resource` declares; called for one being deleted too, until its finalizer is gone.

        None: nothing to write, the object is gone or about to be. Raises RefusedError or NotYetError when it is the
        user's or the world's turn; anything else is our bug.
        """
        ...


@runtime_checkable
class Forgets(Protocol):
    """A reconciler that wants to know of keys whose object is gone."""

    async def gone(self, key: Key) -> None:
        """Clean up what is kept in memory for `key`; called again after an error."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one controller: objects in work at a time, seconds for one of them, waits after failures.

    A refused object waits for a change, and is looked at again after `refused_seconds` should none be told.
    """

    workers: int = 32
    reconcile_seconds: float = 120.0
    backoff: Backoff = field(default_factory=Backoff)
    refused_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class _Verdict(Generic[S]):
    """One reconcile, judged. `status` None: as it is. `findings` empty: nothing to write. `retry`: longest wait."""

    result: str
    status: S | None = None
    findings: tuple[Finding, ...] = ()
    retry: float | None = None
    again_after: float | None = None


class Controller(Generic[T, S]):
    """Everything about one kind but the decisions, which are its reconciler's."""

    def __init__(
        self,
        api: API,
        parse: Callable[[Manifest], T],
        *,
        kube: Kube,
        clock: Clock,
        metrics: Metrics,
        limits: Limits = Limits(),
    ) -> None:
        self.api = api
        self.store: Store[T] = Store(parse)
        self.queue = Queue(clock, backoff=limits.backoff)
        self._kube = kube
        self._clock = clock
        self._metrics = metrics
        self._limits = limits
        self._unworked: set[Key] = set()  # found by the first list and not worked on yet
        self._caught_up = asyncio.Event()
        self._bugs: dict[Key, str] = {}  # the bug last logged for a key, until it succeeds
        metrics.queue_depth.labels(api.kind).set_function(lambda: len(self.queue))
        metrics.queue_oldest_seconds.labels(api.kind).set_function(self.queue.oldest_seconds)
        for status in ("True", "False", "Unknown"):
            metrics.resources.labels(api.kind, status).set_function(partial(self._count, status))

    def seen(self, event: Mapping[str, Any]) -> None:
        """Take in a watch event (Kopf's RawEvent): keep the newest copy and wake its key. Never raises on content."""
        known = self.store.has(key_of(event["object"]))
        key = self.store.note(event)
        if key is not None:
            self.queue.wake(key, lane=Lane.EDITED if known else Lane.NORMAL)

    def found(self, manifest: Manifest) -> None:
        """Take in an object of a list and have it looked at after what people just changed."""
        key = self.store.note({"type": "ADDED", "object": manifest})
        if key is not None:
            self._unworked.add(key)
            self.queue.wake(key, lane=Lane.RESYNC)

    async def caught_up(self) -> None:
        """Return once all that was found before `run` has been worked on once, whatever came of it."""
        await self._caught_up.wait()

    def wake(self, key: Key) -> None:
        """Have one object looked at now."""
        self.queue.wake(key)

    def wake_where(self, predicate: Callable[[T], bool]) -> None:
        """Have all objects looked at that `predicate` holds for, after what people just changed."""
        for resource in self.store.values():
            if predicate(resource):
                self.queue.wake(key_of_resource(resource), lane=Lane.RESYNC)

    async def run(self, reconciler: Reconciler[T, S]) -> None:
        """Work on keys until the queue is closed, then finish what is in work and return."""
        slots = asyncio.Semaphore(self._limits.workers)
        self._tick_off(None)

        async def work(key: Key) -> None:
            try:
                await self._work(key, reconciler)
            finally:
                self._tick_off(key)
                slots.release()

        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()  # before the key is taken: a more urgent one may come meanwhile
                try:
                    key = await self.queue.next()
                except QueueClosedError:
                    return
                group.create_task(work(key), name=f"{self.api.kind} {key}")

    async def write_status(self, resource: T, status: S, findings: Sequence[Finding] = ()) -> T:
        """Write a status in the middle of a reconcile and return the object as stored, to go on with.

        The write holds only if `resource` is still the newest state: otherwise ChangedError, and the reconcile is
        to end and begin anew. Skipped when nothing would change. Raises NotFoundError when the object is gone.
        """
        before = status_of(resource)
        metadata = resource.metadata
        wanted = settled(before, status, findings, generation=metadata.generation, now=self._clock.now())
        return await self._patch_status(resource, wanted)

    def _tick_off(self, key: Key | None) -> None:
        self._unworked -= {key}
        if not self._unworked:
            self._caught_up.set()

    async def _work(self, key: Key, reconciler: Reconciler[T, S]) -> None:
        """Reconcile one key and write what came of it. Never raises: an outermost loop."""
        self._kube.check()
        started = self._clock.monotonic()
        resource = self.store.get(key)
        verdict = await self._judge(key, resource, reconciler)
        result, retry = verdict.result, verdict.retry
        try:
            if resource is not None and verdict.findings:
                await self._settle(key, resource, verdict)
        except NotYetError as error:
            logger.info(
                "Status not written yet", extra={"kind": self.api.kind, "object": str(key), "error": str(error)}
            )
            result, retry = "not_yet", retry or self.queue.backoff(key)
        except Exception as error:  # noqa: BLE001  # an outermost loop: a bug in one object's status must not stop the others
            self._log_bug(key, error)
            result, retry = "bug", self._limits.backoff.cap_seconds
        self._metrics.reconciliations.labels(self.api.kind, result).inc()
        self._metrics.reconciliation_seconds.labels(self.api.kind).observe(self._clock.monotonic() - started)
        self._finish(key, retry, verdict.again_after)

    def _finish(self, key: Key, retry: float | None, again_after: float | None) -> None:
        if retry is not None:
            self.queue.failed(key, delay=retry)
            return
        self._bugs.pop(key, None)
        self.queue.done(key)
        if again_after is not None:
            self.queue.wake(key, after=again_after, lane=Lane.RESYNC)

    async def _judge(self, key: Key, resource: T | None, reconciler: Reconciler[T, S]) -> _Verdict[S]:
        """Run the reconcile and turn its end into a verdict. Never raises: an outermost loop."""
        try:
            async with asyncio.timeout(self._limits.reconcile_seconds):
                return await self._reconcile(key, resource, reconciler)
        except Exception as raised:  # noqa: BLE001  # an outermost loop: what is not foreseen is our bug
            match plain(raised):
                case RefusedError() as error:
                    return _Verdict("refused", findings=conditions.refused(error), again_after=self._seldom())
                case ChangedError() as error:
                    return await self._conflict(key, resource, error)
                case NotYetError() as error:
                    return self._not_yet(key, error)
                case error:
                    self._log_bug(key, error)
                    return _Verdict("bug", findings=conditions.bug(), retry=self._limits.backoff.cap_seconds)

    async def _reconcile(self, key: Key, resource: T | None, reconciler: Reconciler[T, S]) -> _Verdict[S]:
        if resource is None:
            if self.store.has(key):
                return _Verdict("unreadable")
            if isinstance(reconciler, Forgets):
                await reconciler.gone(key)
            return _Verdict("gone")
        outcome = await reconciler.reconcile(resource)
        if outcome is None:
            return _Verdict("done")
        return _Verdict("done", outcome.status, outcome.findings, again_after=outcome.again_after)

    def _not_yet(self, key: Key, error: NotYetError) -> _Verdict[S]:
        longest = self.queue.backoff(key) if error.delay is None else error.delay
        announced = next((step for step in ANNOUNCED_SECONDS if longest <= step), longest)
        findings = conditions.not_yet(error, f"next attempt within {announced:.0f} s")
        return _Verdict("not_yet", findings=findings, retry=longest)

    def _seldom(self) -> float:
        return self._limits.refused_seconds * (0.9 + random.random() / 5)  # noqa: S311  # jitter, no secret

    async def _conflict(self, key: Key, resource: T | None, error: ChangedError) -> _Verdict[S]:
        """Somebody was faster: read the object again, so that the next attempt starts from its newest state."""
        if resource is not None:
            try:
                await self._reread(key, resource)
            except NotYetError as unread:
                return self._not_yet(key, unread)
        if self.queue.attempts(key) < SILENT_CONFLICTS:
            return _Verdict("conflict", retry=self.queue.backoff(key))
        return self._not_yet(key, error)

    async def _settle(self, key: Key, judged: T, verdict: _Verdict[S]) -> None:
        """Write a verdict onto the newest copy of the object it was judged on; one that is gone needs none.

        Raises ChangedError when somebody else wrote the status: then the verdict may be wrong.
        """
        for attempt in range(1, STATUS_ATTEMPTS + 1):
            current = self.store.get(key)
            if current is None or current.metadata.uid != judged.metadata.uid:
                return
            before = status_of(current)
            status: Status = before if verdict.status is None else verdict.status
            wanted = settled(
                before, status, verdict.findings, generation=judged.metadata.generation, now=self._clock.now()
            )
            try:
                await self._patch_status(current, wanted)
            except NotFoundError:
                self.store.forget(key, judged.metadata.uid)
                return
            except ChangedError:
                live = await self._reread(key, current)
                if live is not None and (attempt == STATUS_ATTEMPTS or status_of(live) != before):
                    raise
            else:
                await self._announce(current, verdict)
                return

    async def _reread(self, key: Key, resource: T) -> T | None:
        """Fetch an object into the store; a newer state wakes its key, as its watch event will be old news by then."""
        manifest = await self._kube.get(self.api, *key)
        if manifest is None:
            self.store.forget(key, resource.metadata.uid)
            return None
        self.seen({"type": "MODIFIED", "object": manifest})
        return self.store.get(key)

    async def _patch_status(self, resource: T, wanted: Status) -> T:
        patch = difference(status_of(resource), wanted)
        if not patch:
            return resource
        metadata = resource.metadata
        body = {"metadata": {"resourceVersion": metadata.resource_version}, "status": patch}
        stored = await self._kube.patch(self.api, metadata.namespace, metadata.name, body, subresource="status")
        self._metrics.status_writes.labels(self.api.kind).inc()
        return self.store.put(stored)

    async def _announce(self, before: T, verdict: _Verdict[S]) -> None:
        """Log and post what a person should know, once when it changes, not at every attempt.

        Events are for whose turn it is: when Kafka is away, the instance says so, not each of its thousands of topics.
        """
        ready = next((finding for finding in verdict.findings if finding.type == conditions.READY), None)
        if ready is None or verdict.result not in ("refused", "not_yet"):
            return
        old = next((one for one in status_of(before).conditions if one.type == conditions.READY), None)
        if old is not None and old.reason == str(ready.reason):
            return
        extra = {"kind": self.api.kind, "object": str(key_of_resource(before)), "reason": str(ready.reason)}
        if verdict.result == "not_yet":
            logger.info("Not ready yet", extra=extra | {"why": ready.message})
            return
        logger.warning("Refused", extra=extra | {"why": ready.message})
        await events.emit(self._kube, before, type="Warning", reason=str(ready.reason), message=ready.message)

    def _log_bug(self, key: Key, error: Exception) -> None:
        """Log a traceback once for each key and text, until the key succeeds."""
        text = f"{type(error).__name__}: {error}"
        if self._bugs.get(key) != text:
            self._bugs[key] = text
            logger.error("Reconcile met a bug", exc_info=error, extra={"kind": self.api.kind, "object": str(key)})

    def _count(self, status: str) -> int:
        return sum(_ready_status(status_of(resource)) == status for resource in self.store.values())


def plain(error: Exception) -> Exception:
    """Return what an error comes down to: of a group, our bug if there is one, else a refusal, else the first."""
    if not isinstance(error, ExceptionGroup):
        return error
    causes = [plain(inner) for inner in error.exceptions]
    bugs = [cause for cause in causes if not isinstance(cause, EventStreamsError)]
    refusals = [cause for cause in causes if isinstance(cause, RefusedError)]
    return (bugs + refusals + causes)[0]


def key_of_resource(resource: Resource) -> Key:
    """Return the key of a parsed object."""
    metadata: Metadata = resource.metadata
    return Key(metadata.namespace, metadata.name)


def status_of(resource: Resource) -> Status:
    """Return an object's status: every kind has one, the shared base does not name it."""
    status: Status = resource.status  # type: ignore[attr-defined]  # each kind narrows it to its own model
    return status


def _ready_status(status: Status) -> str:
    return next((one.status for one in status.conditions if one.type == conditions.READY), "Unknown")
