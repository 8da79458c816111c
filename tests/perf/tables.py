"""The tables of the REST producer's benchmark: which servers meet in which series, and the bars."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from perf.memory import WITH_KEYS
from perf.results import Cell, Results, Revocations, count
from perf.servers import GRANIAN, OURS
from perf.wrk import Load

BODY_BYTES: Final = 100
TIMES: Final = "\N{MULTIPLICATION SIGN}"
CONNECTIONS: Final = 64
"""Where servers are compared: busy, and not yet queueing."""


class Series(StrEnum):
    """What was interleaved with each other."""

    CONNECTIONS = "connections"
    SIZES = "sizes"
    KAFKA = "kafka"
    CROWD = "crowd"
    FLOORS = "floors"
    CLIENT = "client"
    FAIRNESS = "fairness"
    SHARING = "sharing"


JUDGED: Final = (Series.CONNECTIONS, Load(CONNECTIONS, BODY_BYTES))
"""Series and load of the bars beside a peer."""

NO_KAFKA: Final = f"{OURS} no-kafka"
FEATURES: Final = {
    f"{NO_KAFKA} no-auth": "without looking up the key",
    f"{NO_KAFKA} no-metrics": "without metrics",
    f"{NO_KAFKA} access-log": "with a log line for each request",
}
FLOORS: Final = (NO_KAFKA, *FEATURES)
CROWD: Final = {
    f"{OURS} crowd=1000000": "0 ms always",
    f"{OURS} crowd=0 throng=1000000": "0.5 ms always",
    f"{OURS} crowd=0 throng=0": "2 ms always",
    f"{OURS} throng=1000000": "adaptive, 0 or 0.5 ms",
    OURS: "adaptive, as it is",
}
LINGERS_MS: Final = (0, 1, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what was asked, what was measured, and whether that is enough."""

    name: str
    asked: str
    measured: str
    is_met: bool


def bars(results: Results) -> Iterator[Bar]:
    """Return the bars for which there are figures."""
    for scheme, least in (("http", 1.7), ("https", 1.3)):
        ours, peer = (_cell(results, server, scheme) for server in (OURS, GRANIAN))
        if ours and peer:
            ratio = ours.rate / peer.rate
            name = f"requests a second against Granian, {scheme.upper()}, {CONNECTIONS} connections"
            yield Bar(name, f"≥ {least}{TIMES}", f"{ratio:.2f}{TIMES}", ratio >= least)
        if ours:
            ratio = ours.p99_ms / ours.p50_ms
            name = f"p99 against p50, {scheme.upper()}, {CONNECTIONS} connections"
            yield Bar(name, f"≤ 4{TIMES}", f"{ratio:.2f}{TIMES}", ratio <= 4)
        if lone := _cell(results, OURS, scheme, 1):
            name = f"p50 of a lone client, {scheme.upper()}"
            yield Bar(name, "≤ 0.5 ms", f"{lone.p50_ms:.2f} ms", lone.p50_ms <= 0.5)
    for found in results.memory:
        if found.situation == WITH_KEYS:
            yield Bar(f"memory with {WITH_KEYS}", "≤ 80 MB", f"{found.resident_mb:.0f} MB", found.resident_mb <= 80)


def revocation_bars(found: Revocations) -> Iterator[Bar]:
    """Return a bar for each situation in which keys were revoked."""
    for each in found.revoked:
        p99 = each.within(0.99)
        name = f"key revoked to refused, p99, {count(found.keys)} keys, {each.situation}"
        yield Bar(name, "< 1 s", f"{p99:.2f} s", p99 < 1)


def _cell(results: Results, server: str, scheme: str, connections: int = CONNECTIONS) -> Cell | None:
    return results.cell(Series.CONNECTIONS, server, scheme, connections, BODY_BYTES)
