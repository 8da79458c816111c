"""The fence: it holds a process to its Lease. The Lease itself is tested against a real API server."""

import pytest

from eventstreams.runtime.lease import Fence
from unit.runtime.clocks import StandingClock


class Ended(BaseException):  # it stands for the end of the process
    pass


def end() -> None:
    raise Ended


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


def test_a_process_without_the_lease_may_not_act(clock: StandingClock) -> None:
    with pytest.raises(Ended):
        Fence(clock, abort=end).check()


def test_a_holder_may_act_until_its_deadline_and_not_at_it(clock: StandingClock) -> None:
    fence = Fence(clock, abort=end)
    fence.extend(clock.monotonic() + 10)

    clock.advance(9.99)
    fence.check()
    clock.advance(0.01)
    with pytest.raises(Ended):
        fence.check()


def test_a_released_fence_lets_nothing_through(clock: StandingClock) -> None:
    fence = Fence(clock, abort=end)
    fence.extend(clock.monotonic() + 10)
    fence.release()

    with pytest.raises(Ended):
        fence.check()
