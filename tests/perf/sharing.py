"""What it costs when several ServiceIDs send all they can at once: the same connections, with one key or with several.

Turns among owners must not be paid for by their throughput. The peer has none: it is here as the measure of the noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import Final

from eventstreams.core.apikey import ApiKey
from perf.brokers import Broker
from perf.fairness import SERVERS
from perf.series import Guard, Pace, once
from perf.servers import Scene, Scheme, Server, all_running
from perf.tables import BODY_BYTES, Series
from perf.wrk import Load, Reply, begin


@dataclass(frozen=True, slots=True)
class Share:
    """How many ServiceIDs send, and over how many connections each."""

    owners: int
    connections: int


SHARES: Final = (Share(1, 64), Share(2, 32), Share(8, 8))


def shared(server: str, share: Share) -> str:
    """Return what the results call a server under such a load."""
    return f"{server}, {share.owners} keys"


def measure_sharing(scene: Scene, scheme: Scheme, broker: Broker, pace: Pace, guard: Guard) -> None:
    """Measure the servers under each load, round by round."""
    keys = [scene.add_key(f"sharing-{number}") for number in range(max(share.owners for share in SHARES))]
    with all_running(SERVERS, scheme, scene, broker) as servers:
        for share in SHARES:
            load = Load(share.owners * share.connections, BODY_BYTES)
            for number in range(1, pace.rounds + 1):
                for server in servers:
                    name, send = shared(server.name, share), partial(_press, server, share, keys[: share.owners])
                    guard.run(partial(once, Series.SHARING, name, server, load, send, pace, number))


def _press(server: Server, share: Share, keys: Sequence[ApiKey], seconds: int) -> Reply:
    """Have one load generator for each key send at once, and return what they saw together."""
    load = Load(share.connections, BODY_BYTES)
    ends = [begin(server.url, f"Bearer {key.reveal()}", load, seconds) for key in keys]
    replies = [end() for end in ends]
    return Reply(
        requests=sum(reply.requests for reply in replies),
        seconds=fmean(reply.seconds for reply in replies),
        p50_ms=median(reply.p50_ms for reply in replies),
        p99_ms=max(reply.p99_ms for reply in replies),
        max_ms=max(reply.max_ms for reply in replies),
        refused=sum(reply.refused for reply in replies),
        broken=sum(reply.broken for reply in replies),
    )
