"""Gathers single admin calls into few big ones.

Why: at a default broker a single create or alter costs 29 ms (`controller.quorum.append.linger.ms` is 25) and one
connection handles one call at a time, while a thousand items in one call take under a second.
"""

import asyncio
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Start = Callable[[Sequence[Item]], Sequence["Future[Result]"]]
"""Begins one admin call without blocking; future i belongs to item i and always ends, at the latest by time-out."""

LINGER_SECONDS: Final = 0.005  # a fifth of the broker's own 25 ms: company arrives, a lone call hardly waits
LIMIT: Final = 500  # items a call: 500 new topics answer in under half a second, well within one request's time-out
ROOM: Final = 10_000  # calls waiting or under way; more wait outside


def weightless(_: object) -> int:
    """Weigh nothing: a batch is bounded by the number of its items alone."""
    return 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a batch may hold: so many items, together no heavier than `capacity`; and how many calls may wait."""

    items: int = LIMIT
    weight: Callable[[Any], int] = weightless
    capacity: int = 0
    room: int = ROOM


USUAL: Final = Bounds()


@dataclass(eq=False, slots=True)
class _Call(Generic[Item, Result]):
    """One caller's item and where its answer goes."""

    item: Item
    answer: "asyncio.Future[Result]"


class Batcher(Generic[Item, Result]):
    """Gather single calls into batches: up to `bounds.items` of them, after `linger_seconds` of waiting for company.

    Needs no task of its own: timers and the admin client's futures drive it, in the event loop of the first call.

    Invariants, each with a test of the same name:
    1. One batch is under way.
    2. Answer i belongs to item i.
    3. Every call ends in exactly one of result, error or cancellation.
    4. A cancelled call is left out of the next batch; one that is under way goes on, its answer is dropped.
    5. A batch holds no two items of one key: the second waits for the next batch, and so sees what the first did.
    6. A full queue makes `call` wait.
    7. A batch weighs at most its capacity, unless it holds a single item: one that is too heavy goes alone.
    """

    def __init__(
        self,
        start: "Start[Item, Result]",
        key: Callable[[Item], Hashable],
        *,
        linger_seconds: float = LINGER_SECONDS,
        bounds: Bounds = USUAL,
    ) -> None:
        self._start = start
        self._key = key
        self._linger_seconds = linger_seconds
        self._bounds = bounds
        self._room = asyncio.Semaphore(bounds.room)
        self._waiting: list[_Call[Item, Result]] = []
        self._timer: asyncio.Handle | None = None
        self._is_leaving = False
        self._under_way = False
        self._calls = 0
        self._on_idle: Callable[[], None] | None = None

    async def call(self, item: Item) -> Result:
        """Return the answer to `item`; raises what `start` or its future raised."""
        [outcome] = await self.outcomes([item])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def outcomes(self, items: Sequence[Item]) -> "list[Result | BaseException]":
        """Return the answer to each item, errors as values. The items take one place in the queue together."""
        self._calls += 1
        calls: list[_Call[Item, Result]] = []
        try:
            async with self._room:
                loop = asyncio.get_running_loop()
                calls += (_Call(item, loop.create_future()) for item in items)
                self._waiting += calls
                self._arm()
                if calls:
                    await asyncio.wait([call.answer for call in calls])
                return [call.answer.exception() or call.answer.result() for call in calls]
        finally:
            for call in calls:
                if not call.answer.cancel() and not call.answer.cancelled():
                    call.answer.exception()  # looked at: asyncio logs errors that nobody looked at
            self._calls -= 1
            self._settle()

    def when_idle(self, then: Callable[[], None]) -> None:
        """Call `then` once, as soon as no call waits and no batch is under way; perhaps at once."""
        self._on_idle = then
        self._settle()

    def _arm(self) -> None:
        """See to it that the next batch leaves: now when it is full, else after the linger, never beside another."""
        if self._under_way or not self._waiting:
            return
        loop = asyncio.get_running_loop()
        is_full = len(self._waiting) >= self._bounds.items
        if self._timer is None and not is_full:
            self._timer = loop.call_later(self._linger_seconds, self._send)
        elif is_full and not self._is_leaving:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_soon(self._send)
            self._is_leaving = True  # else each further call would put the departure off

    def _send(self) -> None:
        self._timer, self._is_leaving = None, False
        batch = self._next_batch()
        if not batch:
            self._settle()
            return
        self._under_way = True
        try:
            futures = self._start([call.item for call in batch])
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the callers
            self._failed(batch, error)
            return
        loop = asyncio.get_running_loop()
        when_all(futures, lambda: _wake(loop, lambda: self._landed(batch, futures)))

    def _next_batch(self) -> list[_Call[Item, Result]]:
        """Take what is due: in order, within the bounds, each key once, nobody who has left."""
        batch: dict[Hashable, _Call[Item, Result]] = {}
        later: list[_Call[Item, Result]] = []
        load = 0
        for call in self._waiting:
            if call.answer.done():
                continue
            key, weight = self._key(call.item), self._bounds.weight(call.item)
            is_too_much = len(batch) == self._bounds.items or load + weight > self._bounds.capacity
            if key in batch or (batch and is_too_much):
                later.append(call)
            else:
                batch[key] = call
                load += weight
        self._waiting = later
        return list(batch.values())

    def _landed(self, batch: Sequence[_Call[Item, Result]], futures: Sequence["Future[Result]"]) -> None:
        for call, future in zip(batch, futures, strict=True):
            if call.answer.done():
                continue
            error = future.exception()
            if error is None:
                call.answer.set_result(future.result())
            else:
                call.answer.set_exception(error)
        self._next()

    def _failed(self, batch: Sequence[_Call[Item, Result]], error: Exception) -> None:
        for call in batch:
            if not call.answer.done():
                call.answer.set_exception(error)
        self._next()

    def _next(self) -> None:
        self._under_way = False
        self._arm()
        self._settle()

    def _settle(self) -> None:
        if self._on_idle is not None and not self._under_way and not self._calls:
            then, self._on_idle = self._on_idle, None
            then()


def when_all(futures: Sequence["Future[Result]"], then: Callable[[], None]) -> None:
    """Call `then` once when all futures are done, in the thread that ends the last one (at once for none)."""
    lock = threading.Lock()
    left = len(futures) + 1

    def one_down(_: object) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            then()

    for future in futures:
        future.add_done_callback(one_down)
    one_down(None)


def _wake(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    if not loop.is_closed():  # a loop that is gone has no callers left
        loop.call_soon_threadsafe(then)
