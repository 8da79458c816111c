"""The load generator: wrk, one thread, a closed loop over connections that stay open.

A closed loop hides latency: at n connections the median is about n / rate. So one and eight connections are measured
too. wrk corrects its percentiles for coordinated omission.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perf.program import LOAD_CORE, BenchmarkError

SCRIPT: Final = Path(__file__).with_name("wrk.lua")
PACKAGES: Final = {"wrk": "wrk", "taskset": "util-linux", "setpriv": "util-linux"}
_GRACE_SECONDS: Final = 30.0
_TIMEOUT: Final = "10s"


@dataclass(frozen=True, slots=True)
class Load:
    """Posts of `body_bytes` each, over so many connections."""

    connections: int
    body_bytes: int
    pipelined: int = 1
    """Requests that leave together over a connection; their latencies are then not told."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What wrk saw. `refused` counts statuses from 400 on, `broken` connections that failed."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    refused: int
    broken: int


def press(url: str, authorization: str, load: Load, seconds: int) -> Reply:
    """Send `load` for some seconds. Raises BenchmarkError when wrk does not end as it should."""
    return begin(url, authorization, load, seconds)()


def begin(url: str, authorization: str, load: Load, seconds: int) -> Callable[[], Reply]:
    """Begin to send `load`; what is returned waits for the end, as `press` does."""
    command = ["taskset", "--cpu-list", str(LOAD_CORE), "wrk", "--threads", "1", "--script", str(SCRIPT)]
    command += ["--connections", str(load.connections), "--duration", f"{seconds}s", "--timeout", _TIMEOUT, url]
    # the key by the environment: arguments are everybody's to read
    environment = {
        "PATH": "/usr/bin:/bin",
        "BENCH_AUTHORIZATION": authorization,
        "BENCH_BODY_BYTES": str(load.body_bytes),
        "BENCH_PIPELINED": str(load.pipelined),
    }
    wrk = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end() -> Reply:
        output, errors = wrk.communicate(timeout=seconds + _GRACE_SECONDS)
        if wrk.returncode:
            raise BenchmarkError(f"wrk ended with code {wrk.returncode}: {errors or output}")
        return parse(output)

    return end


def parse(output: str) -> Reply:
    """Read what the script wrote last."""
    told = json.loads(output.strip().rpartition("\n")[2])
    return Reply(
        requests=told["requests"],
        seconds=told["microseconds"] / 1e6,
        p50_ms=told["p50"] / 1000,
        p99_ms=told["p99"] / 1000,
        max_ms=told["max"] / 1000,
        refused=told["refused"],
        broken=told["broken"],
    )
