"""What lies below: librdkafka from Python without any HTTP."""

import json
import os
import subprocess
from collections.abc import Sequence
from functools import partial

from perf.brokers import Broker
from perf.client import BODY, IN_FLIGHT
from perf.machine import Meter
from perf.program import SERVER_CORE, environment, python
from perf.results import Run
from perf.series import Guard, Pace

_GRACE_SECONDS = 30.0
_PRODUCER = {"acks": "all", "enable.idempotence": True, "queue.buffering.max.messages": 100_000}


def measure_client(broker: Broker, lingers_ms: Sequence[float], pace: Pace, guard: Guard) -> None:
    """Measure the client with each linger, interleaved."""
    for number in range(1, pace.rounds + 1):
        for linger_ms in lingers_ms:
            guard.run(partial(_once, broker, linger_ms, pace, number))


def _once(broker: Broker, linger_ms: float, pace: Pace, number: int) -> Run:
    command = python("perf.client", f"{linger_ms:g}", str(pace.seconds))
    meter = Meter(os.getpid())
    done = subprocess.run(
        ["taskset", "--cpu-list", str(SERVER_CORE), *command],
        env=environment(),
        input=json.dumps({**_PRODUCER, **broker.settings}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=pace.seconds + _GRACE_SECONDS,
    )
    window = meter.read()
    told = json.loads(done.stdout)
    return Run(
        series="client",
        server=f"linger {linger_ms:g}",
        scheme="",
        connections=IN_FLIGHT,
        body_bytes=len(BODY),
        round=number,
        is_kept=True,
        requests=told["records"],
        rate=round(told["records"] / told["seconds"], 1),
        p50_ms=0,
        p99_ms=0,
        cpu_us=round(told["cpu_seconds"] / max(1, told["records"]) * 1e6, 2),
        resident_mb=0,
        steal=round(window.steal, 4),
        foreign=round(window.foreign, 4),
    )
