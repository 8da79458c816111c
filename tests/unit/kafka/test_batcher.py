"""The batcher's invariants, on futures that the test ends by hand."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest

from eventstreams.kafka.batcher import Batcher, Bounds, when_all


@dataclass
class Backend:
    """Takes batches and leaves their futures open."""

    batches: list[Sequence[str]] = field(default_factory=list)
    futures: list[list["Future[str]"]] = field(default_factory=list)
    error: Exception | None = None
    sent: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self, items: Sequence[str]) -> Sequence["Future[str]"]:
        self.batches.append(items)
        self.sent.set()
        if self.error is not None:
            raise self.error
        self.futures.append([Future() for _ in items])
        return self.futures[-1]

    def answer(self, number: int) -> None:
        for item, future in zip(self.batches[number], self.futures[number], strict=True):
            future.set_result(f"{item}!")


@pytest.fixture
def backend() -> Backend:
    return Backend()


def batcher(backend: Backend, *, limit: int = 500, room: int = 10_000) -> Batcher[str, str]:
    return Batcher(backend.start, key=str, linger_seconds=0.0, bounds=Bounds(items=limit, room=room))


async def until_sent(backend: Backend, batches: int) -> None:
    async with asyncio.timeout(5):
        while len(backend.batches) < batches:
            backend.sent.clear()
            await backend.sent.wait()


async def settled() -> None:
    """Let everything that can happen now happen."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_batch_is_under_way(backend: Backend) -> None:
    lane = batcher(backend)
    async with asyncio.TaskGroup() as group:
        group.create_task(lane.call("a"))
        await until_sent(backend, 1)
        group.create_task(lane.call("b"))
        group.create_task(lane.call("c"))
        await settled()
        assert backend.batches == [["a"]]
        backend.answer(0)
        await until_sent(backend, 2)
        assert backend.batches[1] == ["b", "c"]
        backend.answer(1)


async def test_answer_i_belongs_to_item_i(backend: Backend) -> None:
    lane = batcher(backend)
    async with asyncio.TaskGroup() as group:
        calls = {item: group.create_task(lane.call(item)) for item in "abc"}
        await until_sent(backend, 1)
        for item, future in reversed([*zip(*backend.batches, *backend.futures, strict=True)]):
            future.set_result(f"{item}!")
    assert {item: call.result() for item, call in calls.items()} == {"a": "a!", "b": "b!", "c": "c!"}


async def test_a_bad_item_never_fails_its_batch(backend: Backend) -> None:
    lane = batcher(backend)
    async with asyncio.TaskGroup() as group:
        outcomes = group.create_task(lane.outcomes(["good", "bad"]))
        await until_sent(backend, 1)
        backend.futures[0][0].set_result("fine")
        backend.futures[0][1].set_exception(ValueError("no"))
    good, bad = outcomes.result()
    assert good == "fine"
    assert isinstance(bad, ValueError)


async def test_an_error_of_the_start_goes_to_every_call_and_the_next_batch_leaves(backend: Backend) -> None:
    lane = batcher(backend)
    backend.error = RuntimeError("fenced")
    outcomes = await lane.outcomes(["a", "b"])
    backend.error = None
    async with asyncio.TaskGroup() as group:
        later = group.create_task(lane.call("c"))
        await until_sent(backend, 2)
        backend.futures[0][0].set_result("c!")
    assert [str(one) for one in outcomes] == ["fenced", "fenced"]
    assert later.result() == "c!"


async def test_a_cancelled_call_is_left_out_of_the_next_batch(backend: Backend) -> None:
    lane = batcher(backend)
    async with asyncio.TaskGroup() as group:
        group.create_task(lane.call("first"))
        await until_sent(backend, 1)
        leaver = group.create_task(lane.call("leaver"))
        group.create_task(lane.call("stayer"))
        await settled()
        leaver.cancel()
        await settled()
        backend.answer(0)
        await until_sent(backend, 2)
        assert backend.batches[1] == ["stayer"]
        backend.answer(1)


async def test_a_call_cancelled_under_way_does_not_disturb_its_batch(backend: Backend) -> None:
    lane = batcher(backend)
    async with asyncio.TaskGroup() as group:
        leaver = group.create_task(lane.call("leaver"))
        stayer = group.create_task(lane.call("stayer"))
        await until_sent(backend, 1)
        leaver.cancel()
        await settled()
        backend.answer(0)
    assert stayer.result() == "stayer!"


async def test_a_batch_holds_no_two_items_of_one_key(backend: Backend) -> None:
    lane = batcher(backend)
    async with asyncio.TaskGroup() as group:
        for item in ("a", "a", "b"):
            group.create_task(lane.call(item))
        await until_sent(backend, 1)
        backend.answer(0)
        await until_sent(backend, 2)
        backend.answer(1)
    assert backend.batches == [["a", "b"], ["a"]]


async def test_a_full_batch_leaves_and_the_rest_follows(backend: Backend) -> None:
    lane = batcher(backend, limit=2)
    async with asyncio.TaskGroup() as group:
        for item in "abcde":
            group.create_task(lane.call(item))
        for number in range(3):
            await until_sent(backend, number + 1)
            backend.answer(number)
    assert backend.batches == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_batch_weighs_at_most_its_capacity_and_what_is_too_heavy_goes_alone(backend: Backend) -> None:
    lane = Batcher(backend.start, key=str, linger_seconds=0.0, bounds=Bounds(weight=len, capacity=4))
    async with asyncio.TaskGroup() as group:
        for item in ("aaa", "bbbbbbb", "c", "dd", "ee"):
            group.create_task(lane.call(item))
        for number in range(3):
            await until_sent(backend, number + 1)
            backend.answer(number)
    assert backend.batches == [["aaa", "c"], ["bbbbbbb"], ["dd", "ee"]]


async def test_calls_that_keep_coming_do_not_put_a_full_batch_off(backend: Backend) -> None:
    lane = batcher(backend, limit=2)
    async with asyncio.TaskGroup() as group:
        for item in "abcdef":
            group.create_task(lane.call(item))
            await asyncio.sleep(0)
        assert backend.batches == [["a", "b"]]
        for number in range(3):
            await until_sent(backend, number + 1)
            backend.answer(number)


async def test_a_full_queue_makes_call_wait(backend: Backend) -> None:
    lane = batcher(backend, room=2)
    async with asyncio.TaskGroup() as group:
        for item in "abc":
            group.create_task(lane.call(item))
        await until_sent(backend, 1)
        backend.answer(0)
        await until_sent(backend, 2)
        backend.answer(1)
    assert backend.batches == [["a", "b"], ["c"]]


async def test_idle_is_told_once_the_last_answer_is_delivered(backend: Backend) -> None:
    lane = batcher(backend)
    told: list[str] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(lane.call("a"))
        await until_sent(backend, 1)
        lane.when_idle(lambda: told.append("idle"))
        await settled()
        assert told == []
        backend.answer(0)
    assert told == ["idle"]


async def test_a_batch_whose_callers_have_all_left_still_counts_as_under_way(backend: Backend) -> None:
    lane = batcher(backend)
    told: list[str] = []
    async with asyncio.TaskGroup() as group:
        leaver = group.create_task(lane.call("a"))
        await until_sent(backend, 1)
        leaver.cancel()
        await settled()
        lane.when_idle(lambda: told.append("idle"))
        assert told == []
        backend.answer(0)
        await settled()
    assert told == ["idle"]


async def test_an_idle_batcher_tells_so_at_once(backend: Backend) -> None:
    told: list[str] = []
    batcher(backend).when_idle(lambda: told.append("idle"))
    assert told == ["idle"]


def test_nothing_to_wait_for_is_done_at_once() -> None:
    told: list[str] = []
    when_all([], lambda: told.append("done"))
    assert told == ["done"]
