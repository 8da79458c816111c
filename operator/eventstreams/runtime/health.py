"""/healthz, /readyz and /metrics, and the watchdogs behind the first.

A loop that must come round beats its own heart; one that has not for its limit makes the process unhealthy, and the
kubelet restarts it. A standby is healthy and ready: were it not, a rolling update would wait for ever for a new pod
that waits for the old one's Lease.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from eventstreams.core.clock import Clock

logger = logging.getLogger(__name__)


class Heartbeats:
    """The watchdogs of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[float, float]] = {}  # name -> (last beat, limit in seconds)

    def watch(self, name: str, limit_seconds: float) -> Callable[[], None]:
        """Start a watchdog and return its beat: to be called at least every `limit_seconds` from now on."""

        def beat() -> None:
            self._beats[name] = (self._clock.monotonic(), limit_seconds)

        beat()
        return beat

    def stuck(self) -> list[str]:
        """Return what has not beaten in time, in words."""
        now = self._clock.monotonic()
        return [
            f"{name} has not come round for {now - last:.0f} s, its limit is {limit:.0f} s"
            for name, (last, limit) in sorted(self._beats.items())
            if now - last > limit
        ]


def application(heartbeats: Heartbeats, registry: CollectorRegistry) -> web.Application:
    """Return the web application; it needs no authentication and tells no secret."""

    async def healthz(_: web.Request) -> web.Response:
        stuck = heartbeats.stuck()
        if stuck:
            logger.error("Unhealthy", extra={"stuck": stuck})
        return web.Response(text="\n".join(stuck or ["ok"]) + "\n", status=503 if stuck else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[int]:
    """Serve on all addresses while the block runs, and give the port. Raises OSError when the port is taken."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, port=port)
        await site.start()
        # port 0 gives each address family a port of its own, in no order: IPv4's (a pair) is the one to tell
        yield min(runner.addresses, key=len)[1]
    finally:
        await runner.cleanup()
