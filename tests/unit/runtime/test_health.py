"""Health and metrics over HTTP."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from eventstreams.runtime.health import Heartbeats, application, serving
from eventstreams.runtime.metrics import Metrics
from unit.runtime.clocks import StandingClock


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def heartbeats(clock: StandingClock) -> Heartbeats:
    return Heartbeats(clock)


@pytest.fixture
async def url(heartbeats: Heartbeats) -> AsyncIterator[str]:
    metrics = Metrics()
    metrics.leader.set(1)
    async with serving(application(heartbeats, metrics.registry), 0) as port:
        yield f"http://127.0.0.1:{port}"


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_a_process_whose_loops_come_round_is_healthy(
    url: str, heartbeats: Heartbeats, clock: StandingClock
) -> None:
    beat = heartbeats.watch("sweep", 30)
    clock.advance(29)
    beat()
    clock.advance(29)

    assert await get(f"{url}/healthz") == (200, "ok\n")


async def test_a_loop_that_stands_makes_the_process_unhealthy_and_is_named(
    url: str, heartbeats: Heartbeats, clock: StandingClock
) -> None:
    heartbeats.watch("sweep topics", 30)
    clock.advance(31)

    status, body = await get(f"{url}/healthz")

    assert status == 503
    assert body == "sweep topics has not come round for 31 s, its limit is 30 s\n"


async def test_readiness_asks_for_nothing_so_that_a_standby_is_ready(url: str) -> None:
    assert await get(f"{url}/readyz") == (200, "ok\n")


async def test_metrics_are_in_the_format_of_prometheus(url: str) -> None:
    status, body = await get(f"{url}/metrics")

    assert status == 200
    assert "\neventstreams_leader 1.0\n" in body
