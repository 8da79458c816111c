"""Interleaved series: A B C A B C, each run guarded against what somebody else took of the CPU."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from perf.machine import Meter, resident_mb
from perf.neighbour import Neighbour
from perf.program import BenchmarkError
from perf.results import Run
from perf.servers import GRANIAN, OURS, Server
from perf.tables import JUDGED
from perf.wrk import Load, Reply, press

ATTEMPTS: Final = 3
_PATIENCE_SECONDS: Final = 3.0
Report = Callable[[Run], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long is measured; a warm-up of a second comes before each run."""

    rounds: int
    seconds: int
    attempts: int
    """How often a run is tried at most that a bar is judged by."""
    warm_seconds: int = 1


class Guard:
    """Repeats disturbed runs, as long as `repeats` last, and hands every run to `report`."""

    def __init__(self, report: Report, repeats: int, neighbour: Neighbour) -> None:
        self._report = report
        self._repeats = repeats
        self._neighbour = neighbour

    def run(self, once: Callable[[], Run]) -> None:
        """Keep the least disturbed of up to three runs."""
        runs = [self._watched(once)]
        while runs[-1].is_disturbed and len(runs) < ATTEMPTS and self._repeats:
            self._repeats -= 1
            runs.append(self._watched(once))
        self._keep_best(runs)

    def judge(self, once: Callable[[], Run], attempts: int) -> None:
        """Keep the least disturbed of so many runs, for a bar: each begins in a calm moment, if one comes soon."""
        runs = list[Run]()
        while len(runs) < attempts and (not runs or runs[-1].is_disturbed):
            self._neighbour.wait(_PATIENCE_SECONDS)
            runs.append(self._watched(once))
        self._keep_best(runs)

    def _keep_best(self, runs: Sequence[Run]) -> None:
        best = min(runs, key=lambda run: run.disturbance)
        for run in runs:
            self._report(replace(run, is_kept=run is best))

    def _watched(self, once: Callable[[], Run]) -> Run:
        since = self._neighbour.look()
        run = once()
        return replace(run, slowed=round(self._neighbour.slowed(since), 3))


def measure(series: str, servers: Sequence[Server], loads: Iterable[Load], pace: Pace, guard: Guard) -> None:
    """Measure each server under each load, round by round."""
    for load in loads:
        for number in range(1, pace.rounds + 1):
            for server in servers:
                sender = partial(press, server.url, server.scene.authorization, load)
                run = partial(once, series, server.name, server, load, sender, pace, number)
                if (series, load) in JUDGED and server.name in {OURS, GRANIAN}:
                    guard.judge(run, pace.attempts)
                else:
                    guard.run(run)


def once(  # noqa: PLR0913, PLR0917  all that differs between runs
    series: str, name: str, server: Server, load: Load, send: Callable[[int], Reply], pace: Pace, number: int
) -> Run:
    """Measure one run: `send` sends `load` for some seconds; `name` is what the results call the server."""
    send(pace.warm_seconds)
    meter = Meter(server.program.pid)
    reply = send(pace.seconds)
    window = meter.read()
    if reply.refused:
        raise BenchmarkError(
            f"{server.name} refused {reply.refused} of {reply.requests} requests:\n{server.program.log[-2000:]}"
        )
    return Run(
        series=series,
        server=name,
        scheme=server.scheme,
        connections=load.connections,
        body_bytes=load.body_bytes,
        round=number,
        is_kept=True,
        requests=reply.requests,
        rate=round(reply.requests / reply.seconds, 1),
        p50_ms=round(reply.p50_ms, 3),
        p99_ms=round(reply.p99_ms, 3),
        cpu_us=round(window.cpu_seconds / max(1, reply.requests) * 1e6, 2),
        resident_mb=round(resident_mb(server.program.pid), 1),
        steal=round(window.steal, 4),
        foreign=round(window.foreign, 4),
        refused=reply.refused,
        broken=reply.broken,
    )
