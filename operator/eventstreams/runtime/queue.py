"""The work queue of one kind: which key is to be looked at next.

A key waits at most once, and is never worked on twice at a time; woken while in work, it comes again after. Three
lanes: what a person just changed overtakes new objects, and both overtake a resync of everything; every eighth turn
goes to whoever waited longest, so that no lane starves. A key that failed comes back after an exponential back-off.
The queue is bounded by the number of objects: a wake-up of a key that waits already adds nothing.
"""

import asyncio
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from eventstreams.core.clock import Clock
from eventstreams.core.key import Key

LONGEST_WAITING_EVERY: Final = 8
"""One turn in so many goes to the key that waited longest, whatever its lane."""


class Lane(IntEnum):
    """How urgent a wake-up is; the smaller number goes first."""

    EDITED = 0
    NORMAL = 1
    RESYNC = 2


class QueueClosedError(Exception):
    """The queue was closed: no more keys come."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait after failures: `base_seconds`, doubled with each, up to `cap_seconds`."""

    base_seconds: float = 1.0
    cap_seconds: float = 300.0

    def seconds(self, attempt: int) -> float:
        """Return the longest wait after the attempt with this number, 1 for the first. Never raises."""
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 60))


class Queue:
    """Keys to work on, for one consumer. All methods but `next` return at once; one event loop uses it."""

    def __init__(
        self,
        clock: Clock,
        *,
        backoff: Backoff = Backoff(),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._backoff = backoff
        self._jitter = jitter
        self._lanes: dict[Lane, dict[Key, float]] = {lane: {} for lane in Lane}  # key -> waiting since, oldest first
        self._due: dict[Key, tuple[float, Lane]] = {}  # delayed wake-ups
        self._timeline: list[tuple[float, Key]] = []  # heap over `_due`; entries that moved are skipped
        self._working: set[Key] = set()
        self._again: dict[Key, Lane] = {}  # woken while in work
        self._attempts: dict[Key, int] = {}
        self._turn = 0
        self._stirred = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Return the number of keys that wait for their turn, without delayed ones."""
        return sum(len(lane) for lane in self._lanes.values())

    def oldest_seconds(self) -> float:
        """Return how long the key that waited longest has waited."""
        since = [next(iter(lane.values())) for lane in self._lanes.values() if lane]
        return self._clock.monotonic() - min(since) if since else 0.0

    def wake(self, key: Key, *, after: float = 0.0, lane: Lane = Lane.EDITED) -> None:
        """Have `key` looked at, now or after so many seconds. The earlier of two wake-ups wins."""
        if after > 0:
            self._delay(key, self._clock.monotonic() + after, lane)
        elif key in self._working:
            self._again[key] = min(lane, self._again.get(key, lane))
        else:
            self._due.pop(key, None)
            self._line_up(key, lane)
        self._stirred.set()

    def take(self) -> Key | None:
        """Return the next key and mark it as in work, or None when none is due."""
        self._promote()
        lane = self._next_lane()
        if lane is None:
            return None
        key = next(iter(self._lanes[lane]))
        del self._lanes[lane][key]
        self._working.add(key)
        return key

    async def next(self) -> Key:
        """Wait for the next key and mark it as in work: `done` or `failed` must follow.

        Raises QueueClosedError once the queue is closed. Cancelled, it takes nothing.
        """
        while not self._closed:
            if (key := self.take()) is not None:
                return key
            self._stirred.clear()
            try:
                async with asyncio.timeout(self._seconds_to_wait()):
                    await self._stirred.wait()
            except TimeoutError:
                continue  # a delayed key is due
        raise QueueClosedError

    def done(self, key: Key) -> None:
        """End the work on a key that came to an end, good or refused: its failures are forgotten."""
        self._attempts.pop(key, None)
        self._finish(key)

    def attempts(self, key: Key) -> int:
        """Return how often in a row the key has failed."""
        return self._attempts.get(key, 0)

    def backoff(self, key: Key) -> float:
        """Return the longest wait, in seconds, that `failed` would give now: what a condition announces."""
        return self._backoff.seconds(self.attempts(key) + 1)

    def failed(self, key: Key, *, delay: float | None = None) -> float:
        """End the work on a key that is to be tried again, and return the seconds until then.

        They are `delay` or else the back-off, less up to half of it at random, so that keys which failed together do
        not come back together. A key woken meanwhile comes at once.
        """
        longest = self.backoff(key) if delay is None else delay
        self._attempts[key] = self.attempts(key) + 1
        seconds = longest * (1 - self._jitter() / 2)
        self._finish(key)
        if not self._is_waiting(key):
            self.wake(key, after=seconds, lane=Lane.NORMAL)
        return seconds

    def close(self) -> None:
        """Stop giving out keys."""
        self._closed = True
        self._stirred.set()

    def _finish(self, key: Key) -> None:
        self._working.discard(key)
        lane = self._again.pop(key, None)
        if lane is not None:
            self.wake(key, lane=lane)

    def _is_waiting(self, key: Key) -> bool:
        return any(key in lane for lane in self._lanes.values())

    def _line_up(self, key: Key, lane: Lane) -> None:
        for other in Lane:
            if key in self._lanes[other]:
                if other <= lane:
                    return
                del self._lanes[other][key]
        self._lanes[lane][key] = self._clock.monotonic()

    def _delay(self, key: Key, when: float, lane: Lane) -> None:
        if self._is_waiting(key) or (key in self._due and self._due[key][0] <= when):
            return
        self._due[key] = (when, lane)
        heapq.heappush(self._timeline, (when, key))

    def _promote(self) -> None:
        """Move delayed keys whose time has come into their lanes."""
        now = self._clock.monotonic()
        while self._timeline and self._timeline[0][0] <= now:
            when, key = heapq.heappop(self._timeline)
            due = self._due.get(key)
            if due is not None and due[0] == when:
                del self._due[key]
                self.wake(key, lane=due[1])

    def _next_lane(self) -> Lane | None:
        filled = [lane for lane in Lane if self._lanes[lane]]
        if not filled:
            return None
        self._turn += 1
        if self._turn % LONGEST_WAITING_EVERY == 0:
            return min(filled, key=lambda lane: next(iter(self._lanes[lane].values())))
        return filled[0]

    def _seconds_to_wait(self) -> float | None:
        return max(0.0, self._timeline[0][0] - self._clock.monotonic()) if self._timeline else None
