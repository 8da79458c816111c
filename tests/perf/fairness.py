"""What a flood of one key does to another: the latencies of a quiet client, alone and beside each flood.

The peer checks keys too, but shares its time by connections: whose they are counts for nothing.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any, Final

from eventstreams.core.apikey import ApiKey
from perf.brokers import Broker
from perf.machine import Meter, resident_mb
from perf.program import LOAD_CORE, BenchmarkError, environment, python
from perf.results import Results, Run
from perf.series import ATTEMPTS, Guard, Pace
from perf.servers import GRANIAN, OURS, Scene, Scheme, Server, running
from perf.tables import BODY_BYTES, TIMES, Bar, Series
from perf.wrk import Load, begin

QUIET_RATE: Final = 100
"""Requests a second of the quiet client, over one connection."""
LIMITED_RATE: Final = 100
"""Requests a second that a limited flood is allowed."""

FURTHER_ROUNDS: Final = 2
"""So many more of ours than of other runs, for the bar: single rounds differ much."""
_TIMES_LONGER: Final = 3
"""So much longer than other runs: at this rate a p99 is of few requests."""
_LEAD_SECONDS: Final = 1
_GRACE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Flood:
    """What the other key does meanwhile, as fast as it can."""

    name: str
    load: Load | None
    is_limited: bool = False


ALONE: Final = Flood("nothing", None)
FLOODS: Final = (
    ALONE,
    Flood("64 connections", Load(64, BODY_BYTES)),
    Flood("256 connections", Load(256, BODY_BYTES)),
    Flood("16 connections, 32 requests at a time", Load(16, BODY_BYTES, pipelined=32)),
    Flood(f"64 connections, allowed {LIMITED_RATE} requests a second", Load(64, BODY_BYTES), is_limited=True),
)


SERVERS: Final = (OURS, GRANIAN)


def beside(server: str, flood: Flood) -> str:
    """Return what the results call a server beside a flood."""
    return f"{server} beside {flood.name}"


def fairness_bars(results: Results) -> Iterator[Bar]:
    """Return a bar for each scheme: the flood that costs the quiet key most, of those without a limit."""
    for scheme in ("http", "https"):
        found = [prolonged(results, OURS, flood, scheme) for flood in FLOODS if not flood.is_limited]
        worst = max(found, key=lambda ratios: median(ratios or [0]))
        if worst:
            yield Bar(f"p99 of a quiet key beside another's flood, {scheme.upper()}, against alone", 2, worst, TIMES)


def prolonged(results: Results, server: str, flood: Flood, scheme: str) -> tuple[float, ...]:
    """Return how the quiet key's p99 beside a flood stands to that alone, for each round; nothing of alone itself."""
    alone, flooded = (
        results.cell(Series.FAIRNESS, beside(server, one), scheme, 1, BODY_BYTES) for one in (ALONE, flood)
    )
    if alone is None or flooded is None or flood is ALONE:
        return ()
    return flooded.beside(alone, lambda run: run.p99_ms)


def measure_fairness(scene: Scene, scheme: Scheme, broker: Broker, pace: Pace, guard: Guard) -> None:
    """Measure the quiet client beside each flood, round by round."""
    greedy = scene.add_key("greedy"), scene.add_key("limited", LIMITED_RATE)
    pace = replace(pace, seconds=_TIMES_LONGER * pace.seconds)
    for name in SERVERS:
        with running(name, scheme, scene, broker) as server:
            rounds = pace.rounds + (FURTHER_ROUNDS if name == OURS else 0)
            for number in range(1, rounds + 1):
                for flood in FLOODS:
                    run = partial(_once, server, flood, greedy[flood.is_limited], pace, number)
                    if name == OURS and not flood.is_limited:
                        guard.judge(run, ATTEMPTS)
                    elif name == OURS or not flood.is_limited:
                        guard.run(run)


def _once(server: Server, flood: Flood, key: ApiKey, pace: Pace, number: int) -> Run:
    meter = Meter(server.program.pid)
    seconds = 2 * _LEAD_SECONDS + pace.seconds
    end = None if flood.load is None else begin(server.url, f"Bearer {key.reveal()}", flood.load, seconds)
    if end is not None:
        time.sleep(_LEAD_SECONDS)  # until the flood is under way
    told = _probe(server, pace.seconds)
    reply = None if end is None else end()
    window = meter.read()
    if told["refused"]:
        raise BenchmarkError(f"{told['refused']} requests of the quiet key were refused beside {flood.name}")
    answers = reply.requests if reply else told["requests"]
    return Run(
        series=Series.FAIRNESS,
        server=beside(server.name, flood),
        scheme=server.scheme,
        connections=1,
        body_bytes=BODY_BYTES,
        round=number,
        is_kept=True,
        requests=told["requests"],
        rate=round(reply.requests / reply.seconds, 1) if reply else 0,
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        cpu_us=round(window.cpu_seconds / max(1, answers) * 1e6, 2),
        resident_mb=round(resident_mb(server.program.pid), 1),
        steal=round(window.steal, 4),
        foreign=round(window.foreign, 4),
        refused=reply.refused if reply else 0,
    )


def _probe(server: Server, seconds: int) -> Any:
    """Run the quiet client and return what it says."""
    scene = server.scene
    done = subprocess.run(
        ["taskset", "--cpu-list", str(LOAD_CORE), *python("perf.probe", server.url, str(QUIET_RATE), str(seconds))],
        env=environment(),
        input=json.dumps({"authorization": scene.authorization, "ca": str(scene.ca)}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + _GRACE_SECONDS,
    )
    return json.loads(done.stdout)
