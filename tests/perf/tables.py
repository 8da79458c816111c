"""The tables of the REST producer's benchmark: which servers meet in which series, and the bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
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


JUDGED: Final = {(Series.CONNECTIONS, Load(connections, BODY_BYTES)) for connections in (1, CONNECTIONS)}
"""Series and loads of the bars about rates and latencies."""

NO_KAFKA: Final = f"{OURS} no-kafka"
FEATURES: Final = {
    f"{NO_KAFKA} no-auth": "without looking up the key",
    f"{NO_KAFKA} no-metrics": "without metrics",
    f"{NO_KAFKA} access-log": "with a log line for each request",
}
FLOORS: Final = (OURS, NO_KAFKA, *FEATURES)
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
    """One bar: the most that is asked for, or the least, and what each round found."""

    name: str
    asked: float
    found: Sequence[float]
    unit: str
    is_least: bool = False
    digits: int = 2

    @property
    def limit(self) -> str:
        """What was asked."""
        return f"{'≥' if self.is_least else '≤'} {self.asked:g}{self.unit}"

    @property
    def measured(self) -> str:
        """The median, and where rounds differ the range."""
        low, middle, high = (
            f"{each:.{self.digits}f}" for each in (min(self.found), median(self.found), max(self.found))
        )
        return f"{middle}{self.unit}" if low == high else f"{middle}{self.unit} ({low} to {high})"

    @property
    def verdict(self) -> str:
        """Whether the median is enough, and whether each round is."""
        enough = [self._is_enough(each) for each in self.found]
        word = "met" if self._is_enough(median(self.found)) else "**missed**"
        return word if all(enough) or not any(enough) else f"{word}, {sum(enough)} of {len(enough)} rounds met it"

    def _is_enough(self, found: float) -> bool:
        return found >= self.asked if self.is_least else found <= self.asked


def bars(results: Results) -> Iterator[Bar]:
    """Return the bars for which there are figures."""
    for scheme, least in (("http", 1.7), ("https", 1.3)):
        ours, peer = (_cell(results, server, scheme) for server in (OURS, GRANIAN))
        if ours and peer:
            name = f"requests a second against Granian, {scheme.upper()}, {CONNECTIONS} connections"
            yield Bar(name, least, ours.beside(peer, lambda run: run.rate), TIMES, is_least=True)
        if ours:
            name = f"p99 against p50, {scheme.upper()}, {CONNECTIONS} connections"
            yield Bar(name, 4, ours.each(lambda run: run.p99_ms / run.p50_ms), TIMES)
        if lone := _cell(results, OURS, scheme, 1):
            yield Bar(f"p50 of a lone client, {scheme.upper()}", 0.5, lone.each(lambda run: run.p50_ms), " ms")
    for found in results.memory:
        if found.situation == WITH_KEYS:
            yield Bar(f"memory with {WITH_KEYS}", 80, [found.resident_mb], " MB", digits=0)


def revocation_bars(found: Revocations) -> Iterator[Bar]:
    """Return a bar for each situation in which keys were revoked."""
    for each in found.revoked:
        name = f"key revoked to refused, p99, {count(found.keys)} keys, {each.situation}"
        yield Bar(name, 1, [each.within(0.99)], " s")


def _cell(results: Results, server: str, scheme: str, connections: int = CONNECTIONS) -> Cell | None:
    return results.cell(Series.CONNECTIONS, server, scheme, connections, BODY_BYTES)
