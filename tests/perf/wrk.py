"""The load generator: wrk, one thread, a closed loop over connections that stay open.

A closed loop hides latency: at n connections the median is about n / rate. So one and eight connections are measured
too. wrk corrects its percentiles for coordinated omission.
"""

import json
import subprocess
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
    command = ["taskset", "--cpu-list", str(LOAD_CORE), "wrk", "--threads", "1", "--script", str(SCRIPT)]
    command += ["--connections", str(load.connections), "--duration", f"{seconds}s", "--timeout", _TIMEOUT, url]
    # the key by the environment: arguments are everybody's to read
    environment = {
        "PATH": "/usr/bin:/bin",
        "BENCH_AUTHORIZATION": authorization,
        "BENCH_BODY_BYTES": str(load.body_bytes),
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_SECONDS
    )
    if done.returncode:
        raise BenchmarkError(f"wrk ended with code {done.returncode}: {done.stderr or done.stdout}")
    return parse(done.stdout)


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
