"""The work queue: who is next, and that nobody is lost or worked on twice."""

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from eventstreams.core.clock import SystemClock
from eventstreams.core.key import Key
from eventstreams.runtime.queue import LONGEST_WAITING_EVERY, Backoff, Lane, Queue, QueueClosedError
from unit.runtime.clocks import StandingClock

A, B, C = (Key("shop", name) for name in "abc")


def queue_with(clock: StandingClock, **lanes: str) -> Queue:
    """Return a queue whose lanes hold keys with these letters, in this order."""
    queue = Queue(clock, jitter=lambda: 0.0)
    for lane, letters in lanes.items():
        for letter in letters:
            queue.wake(Key("shop", letter), lane=Lane[lane.upper()])
    return queue


def drained(queue: Queue) -> str:
    """Take and finish all that is due; return the letters in the order taken."""
    letters = ""
    while (key := queue.take()) is not None:
        letters += key.name
        queue.done(key)
    return letters


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


def test_a_key_woken_twice_comes_once(clock: StandingClock) -> None:
    assert drained(queue_with(clock, edited="aba")) == "ab"


def test_what_a_person_edited_overtakes_new_objects_and_both_overtake_a_resync(clock: StandingClock) -> None:
    assert drained(queue_with(clock, resync="xyz", normal="mn", edited="ab")) == "abmnxyz"


def test_an_edit_moves_a_key_up_from_the_resync_and_a_resync_moves_none_down(clock: StandingClock) -> None:
    queue = queue_with(clock, resync="xyz", edited="a")
    queue.wake(Key("shop", "z"), lane=Lane.EDITED)
    queue.wake(Key("shop", "a"), lane=Lane.RESYNC)

    assert drained(queue) == "azxy"


def test_a_stream_of_edits_does_not_starve_a_resync(clock: StandingClock) -> None:
    queue = queue_with(clock, resync="x")
    turns = 0
    taken = None
    while taken != Key("shop", "x"):
        clock.advance(1)
        queue.wake(Key("shop", f"edit-{turns}"))
        taken = queue.take()
        turns += 1

    assert turns <= LONGEST_WAITING_EVERY


def test_a_key_woken_while_in_work_comes_again_after_and_not_before(clock: StandingClock) -> None:
    queue = queue_with(clock, edited="a")
    assert queue.take() == A
    queue.wake(A)

    assert queue.take() is None
    queue.done(A)
    assert queue.take() == A


def test_a_failed_key_comes_back_after_a_wait_that_doubles_up_to_the_cap(clock: StandingClock) -> None:
    queue = Queue(clock, backoff=Backoff(base_seconds=1, cap_seconds=5), jitter=lambda: 0.0)
    queue.wake(A)
    waits = []
    for _ in range(5):
        assert queue.take() == A
        waits.append(queue.failed(A))
        clock.advance(waits[-1] - 0.01)
        assert queue.take() is None
        clock.advance(0.02)

    assert waits == [1, 2, 4, 5, 5]


def test_keys_that_failed_together_come_back_apart_and_never_later_than_announced(clock: StandingClock) -> None:
    draws = iter([0.0, 0.5, 1.0])
    queue = Queue(clock, jitter=lambda: next(draws))
    for key in (A, B, C):
        queue.wake(key)
        queue.take()

    announced = queue.backoff(A)
    assert [queue.failed(key) for key in (A, B, C)] == [announced, announced * 0.75, announced * 0.5]


def test_a_success_forgets_the_failures(clock: StandingClock) -> None:
    queue = queue_with(clock, edited="a")
    queue.take()
    queue.failed(A)
    queue.wake(A)
    queue.take()
    queue.done(A)

    assert queue.backoff(A) == 1


def test_an_edit_ends_the_wait_of_a_failed_key(clock: StandingClock) -> None:
    queue = queue_with(clock, edited="a")
    queue.take()
    queue.failed(A, delay=100)
    queue.wake(A)

    assert drained(queue) == "a"
    clock.advance(200)
    assert queue.take() is None


def test_a_key_woken_while_it_was_failing_comes_at_once(clock: StandingClock) -> None:
    queue = queue_with(clock, edited="a")
    queue.take()
    queue.wake(A)
    queue.failed(A, delay=100)

    assert queue.take() == A


def test_the_earlier_of_two_delayed_wake_ups_wins(clock: StandingClock) -> None:
    queue = Queue(clock)
    queue.wake(A, after=10)
    queue.wake(A, after=5)
    queue.wake(A, after=20)
    clock.advance(5)

    assert drained(queue) == "a"
    clock.advance(100)
    assert queue.take() is None


def test_depth_and_age_count_what_waits_and_not_what_is_delayed_or_in_work(clock: StandingClock) -> None:
    queue = queue_with(clock, edited="ab")
    queue.wake(C, after=50)
    clock.advance(3)
    assert (len(queue), queue.oldest_seconds()) == (2, 3)

    queue.take()
    queue.take()
    assert (len(queue), queue.oldest_seconds()) == (0, 0)


async def test_next_waits_for_a_wake_up() -> None:
    queue = Queue(SystemClock())
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(queue.next())
        await asyncio.sleep(0)
        queue.wake(A)

    assert waiting.result() == A


async def test_next_waits_for_a_delayed_wake_up_and_a_sooner_one_is_not_slept_through() -> None:
    queue = Queue(SystemClock())
    queue.wake(A, after=60)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(queue.next())
        await asyncio.sleep(0)
        queue.wake(B, after=0.01)

    assert waiting.result() == B


async def test_next_takes_nothing_when_it_is_cancelled() -> None:
    queue = Queue(SystemClock())
    waiting = asyncio.ensure_future(queue.next())
    await asyncio.sleep(0)
    queue.wake(A)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert queue.take() == A


async def test_a_closed_queue_gives_out_no_more() -> None:
    queue = Queue(SystemClock())
    queue.wake(A)
    queue.close()

    with pytest.raises(QueueClosedError):
        await queue.next()


class QueueMachine(RuleBasedStateMachine):
    """Any order of calls: no wake-up is lost, no key is in work twice, none comes before its time."""

    keys = st.sampled_from([A, B, C])

    def __init__(self) -> None:
        super().__init__()
        self.clock = StandingClock()
        self.queue = Queue(self.clock, jitter=lambda: 0.5)
        self.working: set[Key] = set()
        self.owed: dict[Key, float] = {}  # key -> the earliest moment at which it may come

    def owe(self, key: Key, when: float) -> None:
        self.owed[key] = min(when, self.owed.get(key, when))

    @rule(key=keys, lane=st.sampled_from(list(Lane)), after=st.sampled_from([0.0, 0.0, 1.0, 7.0]))
    def wake(self, key: Key, lane: Lane, after: float) -> None:
        self.queue.wake(key, lane=lane, after=after)
        self.owe(key, self.clock.seconds + after)

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def take(self) -> None:
        key = self.queue.take()
        if key is None:
            due = [one for one, when in self.owed.items() if when <= self.clock.seconds and one not in self.working]
            assert not due
            return
        assert key not in self.working
        assert self.owed.pop(key) <= self.clock.seconds
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data(), failing=st.booleans())
    def finish(self, data: st.DataObject, failing: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.working.remove(key)
        if failing:
            self.owe(key, self.clock.seconds + self.queue.failed(key))
        else:
            self.queue.done(key)

    @invariant()
    def it_is_bounded_by_the_number_of_keys(self) -> None:
        assert len(self.queue) <= len(self.owed)

    @override
    def teardown(self) -> None:
        for key in self.working:
            self.queue.done(key)
        self.working.clear()
        self.clock.advance(10_000)
        drained_keys = {key.name for key in self.owed}
        assert set(drained(self.queue)) == drained_keys


TestQueue = QueueMachine.TestCase
