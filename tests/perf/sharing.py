"""What it costs when several ServiceIDs send all they can at once: the same connections, with one key or with several.

Turns among owners must not be paid for by their throughput. The peer has none: it is here as the measure of the noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Final

from eventstreams.core.apikey import ApiKey
from perf.brokers import Broker
from perf.machine import Meter, resident_mb
from perf.program import BenchmarkError
from perf.results import Run
from perf.series import Guard, Pace
from perf.servers import GRANIAN, OURS, Scene, Scheme, Server, all_running
from perf.tables import BODY_BYTES, Series
from perf.wrk import Load, Reply, begin


@dataclass(frozen=True, slots=True)
class Share:
    """How many ServiceIDs send, and over how many connections each."""

    owners: int
    connections: int


SHARES: Final = (Share(1, 64), Share(2, 32), Share(8, 8))
SERVERS: Final = (OURS, GRANIAN)


def shared(server: str, share: Share) -> str:
    """Return what the results call a server under such a load."""
    return f"{server}, {share.owners} keys"


def measure_sharing(scene: Scene, scheme: Scheme, broker: Broker, pace: Pace, guard: Guard) -> None:
    """Measure the servers under each load, round by round."""
    keys = [scene.add_key(f"sharing-{number}") for number in range(max(share.owners for share in SHARES))]
    with all_running(SERVERS, scheme, scene, broker) as servers:
        for share in SHARES:
            for number in range(1, pace.rounds + 1):
                for server in servers:
                    guard.run(partial(_once, server, share, keys[: share.owners], pace, number))


def _once(server: Server, share: Share, keys: Sequence[ApiKey], pace: Pace, number: int) -> Run:
    _press(server, share, keys, pace.warm_seconds)
    meter = Meter(server.program.pid)
    replies = _press(server, share, keys, pace.seconds)
    window = meter.read()
    requests = sum(reply.requests for reply in replies)
    if refused := sum(reply.refused for reply in replies):
        raise BenchmarkError(f"{server.name} refused {refused} of {requests} requests")
    return Run(
        series=Series.SHARING,
        server=shared(server.name, share),
        scheme=server.scheme,
        connections=share.owners * share.connections,
        body_bytes=BODY_BYTES,
        round=number,
        is_kept=True,
        requests=requests,
        rate=round(sum(reply.requests / reply.seconds for reply in replies), 1),
        p50_ms=round(median(reply.p50_ms for reply in replies), 3),
        p99_ms=round(max(reply.p99_ms for reply in replies), 3),
        cpu_us=round(window.cpu_seconds / max(1, requests) * 1e6, 2),
        resident_mb=round(resident_mb(server.program.pid), 1),
        steal=round(window.steal, 4),
        foreign=round(window.foreign, 4),
        broken=sum(reply.broken for reply in replies),
    )


def _press(server: Server, share: Share, keys: Sequence[ApiKey], seconds: int) -> list[Reply]:
    """Have one load generator for each key send at once."""
    load = Load(share.connections, BODY_BYTES)
    ends = [begin(server.url, f"Bearer {key.reveal()}", load, seconds) for key in keys]
    return [end() for end in ends]
