"""Measures the REST producer beside its peers: `make bench-producer`.

Writes every run to a JSON file and renders docs/performance.md from it. Judges ratios inside one interleaved series,
never absolute figures. Ends by itself, in 20 to 40 minutes, as the machine is calm or not; what it started ends with
it, also on Ctrl-C.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from local import packages
from local.errors import PlatformError
from local.kafka import fast_root
from local.progress import Progress
from perf import brokers, machine, memory
from perf.brokers import Broker
from perf.fairness import measure_fairness
from perf.floors import measure_client
from perf.guard import awake
from perf.neighbour import Neighbour
from perf.page import page, summary
from perf.program import LOAD_CORE, ROOT, SERVER_CORE, BenchmarkError
from perf.results import LOST_LIMIT, SLOWED_LIMIT, Results, Revocations, Run
from perf.series import ATTEMPTS, Guard, Pace, measure
from perf.servers import OURS, PEERS, Scene, Scheme, all_running
from perf.sharing import measure_sharing
from perf.tables import BODY_BYTES, CROWD, FLOORS, LINGERS_MS, Series
from perf.wrk import PACKAGES, Load, press

RESULTS: Final = ROOT / "tests/perf/results/producer.json"
REVOCATIONS: Final = ROOT / "tests/perf/results/revocation.json"
UNFINISHED: Final = ROOT / "build/bench-producer-unfinished.json"
PAGE: Final = ROOT / "docs/performance.md"

_SCHEMES: Final[tuple[Scheme, ...]] = ("http", "https")
_FILES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. A series without connections or sizes is left out."""

    pace: Pace
    repeats: int
    """Disturbed runs that may be repeated, beside those that bars are judged by."""
    connections: tuple[int, ...]
    sizes: tuple[int, ...]
    kafka_connections: tuple[int, ...]
    crowd_connections: tuple[int, ...]
    fairness: bool
    floors: bool
    memory: bool
    kafka_warm_seconds: int
    soak_seconds: int


FULL: Final = Plan(
    pace=Pace(rounds=3, seconds=2, attempts=8),
    repeats=60,
    connections=(1, 8, 64, 256),
    sizes=(1024, 16_384, 65_536),
    kafka_connections=(1, 64, 256),
    crowd_connections=(1, 8, 64, 256),
    fairness=True,
    floors=True,
    memory=True,
    kafka_warm_seconds=20,
    soak_seconds=60,
)
QUICK: Final = Plan(
    pace=Pace(rounds=3, seconds=2, attempts=2),
    repeats=20,
    connections=(1, 64),
    sizes=(),
    kafka_connections=(64,),
    crowd_connections=(),
    fairness=False,
    floors=False,
    memory=True,
    kafka_warm_seconds=8,
    soak_seconds=0,
)
_NOTHING: Final = replace(
    FULL,
    connections=(),
    sizes=(),
    kafka_connections=(),
    crowd_connections=(),
    fairness=False,
    floors=False,
    memory=False,
    soak_seconds=0,
)
PARTS: Final = {
    "connections": replace(_NOTHING, connections=FULL.connections),
    "fairness": replace(_NOTHING, fairness=True),
    "floors": replace(_NOTHING, floors=True),
    "memory": replace(_NOTHING, memory=True, soak_seconds=FULL.soak_seconds),
}
"""What can be measured alone, and then takes the place of what was measured of it before."""


class Benchmark:
    """One run of the whole plan; what it found is in `results`."""

    _guard: Guard

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self.results = Results(
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            machine=machine.describe(),
            versions=machine.versions(),
            settings={
                **asdict(plan),
                "server_core": SERVER_CORE,
                "load_and_broker_core": LOAD_CORE,
                "lost_limit": LOST_LIMIT,
                "slowed_limit": SLOWED_LIMIT,
                "attempts": ATTEMPTS,
            },
            load={"before": machine.load_average()},
        )

    def run(self) -> None:
        """Measure everything."""
        with (
            tempfile.TemporaryDirectory(prefix="eventstreams-bench-", dir=fast_root()) as name,
            awake(Path(name)),
            Neighbour(Path(name)) as neighbour,
        ):
            self._guard = Guard(self._report, self._plan.repeats, neighbour)
            scene = Scene(Path(name))
            with brokers.answering(scene.directory) as broker:
                self._answering(scene, broker)
            if self._plan.kafka_connections:
                with brokers.kafka() as broker:
                    self._kafka(scene, broker)
        self.results.load["after"] = machine.load_average()

    def _answering(self, scene: Scene, broker: Broker) -> None:
        plan = self._plan
        for scheme in _SCHEMES if plan.connections else ():
            with all_running((OURS, *PEERS), scheme, scene, broker) as servers:
                loads = [Load(count, BODY_BYTES) for count in plan.connections]
                measure(Series.CONNECTIONS, servers, loads, plan.pace, self._guard)
                loads = [Load(64, size) for size in plan.sizes]
                measure(Series.SIZES, servers, loads, plan.pace, self._guard)
        if plan.crowd_connections:
            with all_running(tuple(CROWD), "https", scene, broker) as servers:
                loads = [Load(count, BODY_BYTES) for count in plan.crowd_connections]
                measure(Series.CROWD, servers, loads, replace(plan.pace, rounds=2), self._guard)
        if plan.fairness:
            for scheme in _SCHEMES:
                measure_fairness(scene, scheme, broker, plan.pace, self._guard)
                measure_sharing(scene, scheme, broker, plan.pace, self._guard)
        if plan.floors:
            for scheme in _SCHEMES:
                with all_running(FLOORS, scheme, scene, broker) as servers:
                    measure(Series.FLOORS, servers, [Load(64, BODY_BYTES)], plan.pace, self._guard)
            measure_client(broker, LINGERS_MS, plan.pace, self._guard)
        self._memory(scene, broker)

    def _kafka(self, scene: Scene, broker: Broker) -> None:
        plan = self._plan
        for scheme in _SCHEMES:
            with all_running((OURS, *PEERS), scheme, scene, broker) as servers:
                if scheme == _SCHEMES[0]:  # the broker's code is compiled while it runs
                    press(servers[0].url, scene.authorization, Load(64, BODY_BYTES), plan.kafka_warm_seconds)
                loads = [Load(count, BODY_BYTES) for count in plan.kafka_connections]
                measure(Series.KAFKA, servers, loads, plan.pace, self._guard)

    def _memory(self, scene: Scene, broker: Broker) -> None:
        for found in memory.situations(scene, broker) if self._plan.memory else ():
            self.results.memory.append(found)
            self._console.print(f"  memory {found.situation}: {found.resident_mb} MB")
        if self._plan.soak_seconds:
            self.results.soak = memory.soak(scene, broker, self._plan.soak_seconds)

    def _report(self, run: Run) -> None:
        self.results.runs.append(run)
        mark = "" if run.is_kept else "  repeated"
        self._console.print(
            f"  {run.series:<12} {run.scheme:<5} {run.connections:>4} x {run.body_bytes:>5} B  {run.server:<22}"
            f" {run.rate:>9.0f}/s  p50 {run.p50_ms:>7.2f}  p99 {run.p99_ms:>7.2f} ms  {run.cpu_us:>6.1f} µs"
            f"  lost {run.lost:>4.0%} slowed {run.slowed:>4.0%}{mark}",
            highlight=False,
            soft_wrap=True,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, render and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="bench-producer", description="Measure the REST producer beside its peers.")
    parser.add_argument("--quick", action="store_true", help="3 minutes, a table on the terminal, nothing is written")
    parser.add_argument(
        "--soak", type=int, metavar="SECONDS", help="full load for so long, memory sampled (60; quick 0)"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="measure everything so often (3)")
    parser.add_argument("--only", choices=PARTS, help="measure this alone, and keep the other results")
    parser.add_argument("--render", action="store_true", help="measure nothing: render the page from the results")
    options = parser.parse_args(arguments)
    if options.render:
        PAGE.write_text(published())
        return 0
    plan = QUICK if options.quick else PARTS.get(options.only, FULL)
    if options.soak is not None:
        plan = replace(plan, soak_seconds=options.soak)
    if options.rounds is not None:
        plan = replace(plan, pace=replace(plan.pace, rounds=options.rounds))
    try:
        _prepare(is_part=options.only is not None)
    except (BenchmarkError, PlatformError) as error:
        sys.stderr.write(f"bench-producer: {error}\n")
        return 1
    benchmark = Benchmark(plan, Console(stderr=True))
    try:
        benchmark.run()
    except (BenchmarkError, PlatformError) as error:
        benchmark.results.write(UNFINISHED)
        sys.stderr.write(f"bench-producer: {error}\nWhat was measured until then is in {UNFINISHED}\n")
        return 1
    results = benchmark.results
    if options.only:
        results = _merged(results)
    sys.stdout.write(summary(results))
    if not options.quick:
        results.write(RESULTS)
        PAGE.write_text(published())
    return 0


def _merged(found: Results) -> Results:
    """Put the part that was measured alone into the results that there are."""
    results = Results.read(RESULTS)
    if found.memory:
        results.memory, results.soak = found.memory, found.soak
    anew = {run.series for run in found.runs}
    results.runs = [run for run in results.runs if run.series not in anew] + found.runs
    load = ", ".join(map(str, found.load["before"]))
    results.anew |= dict.fromkeys(sorted(anew), f"{found.date}, load average before: {load}")
    return results


def published() -> str:
    """Return the page that follows from what was measured last."""
    return page(Results.read(RESULTS), Revocations.read(REVOCATIONS) if REVOCATIONS.exists() else None)


def _prepare(*, is_part: bool) -> None:
    if (os.cpu_count() or 1) < 2:
        raise BenchmarkError("two cores are needed: one for the server, one for load and broker")
    if is_part and Results.read(RESULTS).versions != machine.versions():
        raise BenchmarkError("the other results are of other versions: measure all of it, without --only")
    packages.ensure({**PACKAGES, **packages.JAVA}, Progress())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: everything is ended on the way out
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most), most))
    os.sched_setaffinity(0, {LOAD_CORE})  # and what inherits it: the broker


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
