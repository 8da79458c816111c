"""Resident memory of our server: at rest, with many keys, with many idle connections, and under load for long."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import Final

from perf.brokers import Broker
from perf.machine import resident_mb
from perf.results import Memory, Soak, count
from perf.servers import OURS, Scene, Server, running
from perf.wrk import Load, Reply, press

KEYS: Final = 10_000
IDLE_CONNECTIONS: Final = 1000
REST: Final = "at rest"
WITH_KEYS: Final = f"{count(KEYS)} keys"
WITH_CONNECTIONS: Final = f"{count(IDLE_CONNECTIONS)} idle connections, HTTPS"

_SETTLE_SECONDS: Final = 1.5
_SAMPLE_SECONDS: Final = 5.0
_SOAK_LOAD: Final = Load(connections=64, body_bytes=100)


def situations(scene: Scene, broker: Broker) -> Iterator[Memory]:
    """Measure each situation with a fresh process."""
    with running(OURS, "https", scene, broker) as server:
        yield Memory(REST, _settled(server))
    with running(OURS, "https", scene, broker, scene.write_keyring("many-keys.json", KEYS)) as server:
        yield Memory(WITH_KEYS, _settled(server))
    with running(OURS, "https", scene, broker) as server, _idle(server):
        yield Memory(WITH_CONNECTIONS, _settled(server))


def soak(scene: Scene, broker: Broker, seconds: int) -> Soak:
    """Press a fresh server for so long, and sample its memory meanwhile."""
    samples: list[tuple[float, float]] = []
    with running(OURS, "https", scene, broker) as server:
        ended = Event()
        watch = Thread(target=_sample, args=(server, ended, samples), daemon=True)
        watch.start()
        try:
            reply: Reply = press(server.url, scene.authorization, _SOAK_LOAD, seconds)
        finally:
            ended.set()
            watch.join()
    return Soak("https", _SOAK_LOAD.connections, reply.requests, reply.refused, tuple(samples))


def _settled(server: Server) -> float:
    time.sleep(_SETTLE_SECONDS)  # a figure of rest
    return round(resident_mb(server.program.pid), 1)


def _sample(server: Server, ended: Event, samples: list[tuple[float, float]]) -> None:
    begin = time.monotonic()
    while not ended.wait(_SAMPLE_SECONDS):
        samples.append((round(time.monotonic() - begin, 1), round(resident_mb(server.program.pid), 1)))


@contextmanager
def _idle(server: Server) -> Iterator[None]:
    """Hold connections open that have each stored a record."""
    with ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            connection = server.connect()
            stack.callback(connection.close)
            server.use(connection)
        yield
