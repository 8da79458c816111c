"""The Lease on a real API server: one holder at a time, whatever happens to it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from eventstreams.core.clock import SystemClock
from eventstreams.kube.apis import LEASES, Manifest
from eventstreams.kube.client import Kube
from eventstreams.runtime.lease import Fence, Lease, Terms
from integration.waiting import eventually

pytestmark = pytest.mark.integration


class LostError(Exception):
    """Stands for the end of the process."""


def lost() -> None:
    raise LostError


Contender = Callable[[str], tuple[Lease, Fence]]


@pytest.fixture
def contender(kube: Kube, namespace: str) -> Contender:
    def make(holder: str) -> tuple[Lease, Fence]:
        clock = SystemClock()
        fence = Fence(clock, abort=lost)
        terms = Terms(namespace, "operator", holder, duration_seconds=3, renew_deadline_seconds=2.0, retry_seconds=0.1)
        return Lease(kube, terms, clock, fence), fence

    return make


async def stored(kube: Kube, namespace: str) -> Manifest:
    lease = await kube.get(LEASES, namespace, "operator")
    assert lease is not None
    return lease


async def test_the_first_takes_the_lease_and_may_act(kube: Kube, namespace: str, contender: Contender) -> None:
    lease, fence = contender("a")
    await lease.acquire()
    fence.check()

    spec = (await stored(kube, namespace))["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 3, 0)


async def test_a_second_waits_until_the_holder_gives_it_back_and_takes_over_at_once(
    kube: Kube, namespace: str, contender: Contender
) -> None:
    first, first_fence = contender("a")
    second, second_fence = contender("b")
    await first.acquire()
    waiting = asyncio.ensure_future(second.acquire())
    keeping = asyncio.ensure_future(first.keep())
    done, _ = await asyncio.wait({waiting}, timeout=3.5)  # longer than the Lease lasts unless it is renewed
    assert not done
    with pytest.raises(LostError):
        second_fence.check()

    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await first.release()
    async with asyncio.timeout(1.5):
        await waiting

    second_fence.check()
    with pytest.raises(LostError):
        first_fence.check()
    assert (await stored(kube, namespace))["spec"]["leaseTransitions"] == 1


async def test_a_holder_that_died_is_replaced_after_the_lease_ran_out_and_not_before(contender: Contender) -> None:
    first, first_fence = contender("a")
    second, _ = contender("b")
    await first.acquire()
    loop = asyncio.get_running_loop()
    began = loop.time()

    async with asyncio.timeout(10):
        await second.acquire()

    assert loop.time() - began >= 2.9
    with pytest.raises(LostError):
        first_fence.check()


async def test_a_restarted_container_takes_the_lease_of_its_own_pod_back_at_once(contender: Contender) -> None:
    before, _ = contender("a")
    await before.acquire()
    again, fence = contender("a")

    async with asyncio.timeout(1):
        await again.acquire()

    fence.check()


async def test_of_many_that_come_at_once_one_gets_it(contender: Contender) -> None:
    contenders = [contender(f"replica-{number}") for number in range(8)]
    tasks = [asyncio.ensure_future(lease.acquire()) for lease, _ in contenders]

    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    more, _ = await asyncio.wait(pending, timeout=0.5)
    for task in pending:
        task.cancel()

    assert (len(done), len(more)) == (1, 0)


async def test_a_lease_that_somebody_took_away_ends_the_process(
    kube: Kube, namespace: str, contender: Contender
) -> None:
    lease, _ = contender("a")
    await lease.acquire()
    await kube.patch(LEASES, namespace, "operator", {"spec": {"holderIdentity": "thief"}})

    async with asyncio.timeout(5):
        with pytest.raises(LostError):
            await lease.keep()


async def test_a_label_on_the_lease_does_not_end_the_process(kube: Kube, namespace: str, contender: Contender) -> None:
    lease, fence = contender("a")
    await lease.acquire()
    keeping = asyncio.ensure_future(lease.keep())
    await kube.patch(LEASES, namespace, "operator", {"metadata": {"labels": {"team": "shop"}}})
    before = (await stored(kube, namespace))["spec"]["renewTime"]

    async def renewed() -> bool:
        fence.check()
        return bool((await stored(kube, namespace))["spec"]["renewTime"] != before)

    await eventually(renewed, "a renewal after the label", seconds=5)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
