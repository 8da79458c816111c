"""Notices a neighbour on the physical core that the server's virtual one is a half of.

Two hardware threads share a core's units and its caches, and in a virtual machine the other one may be somebody else's.
While that is busy the same work takes up to 1.8 times as long, for seconds or minutes, and the kernel here calls it our
own CPU time. So a little work, always the same, is timed on the server's core: 50 times a second, before everything
else there, a quarter of a percent of it. Where that priority is not allowed nothing is noticed.
"""

import math
import os
import struct
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple, Self

from perf.program import SERVER_CORE, Program, python, run_first

_FIGURES: Final = struct.Struct("ddd")
_PAUSE_SECONDS: Final = 0.02
_WARM_STEPS: Final = 300  # the caches hold what ran before
_STEPS: Final = 1000  # 50 µs
_GROUP: Final = 10
_CALM: Final = 0.2
_LOOK_SECONDS: Final = 0.3


class Look(NamedTuple):
    """What was timed until now: how often, how long in all, and how long at least (as the median of some in turn)."""

    times: float
    seconds: float
    least: float


class Neighbour:
    """What is noticed inside the block."""

    def __init__(self, directory: Path) -> None:
        self._figures = directory / "neighbour"
        self._figures.write_bytes(_FIGURES.pack(0, 0, math.inf))
        command = python("perf.neighbour", str(self._figures))
        self._program = Program("neighbour", command, core=SERVER_CORE, directory=directory)

    def __enter__(self) -> Self:
        self._program.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._program.__exit__(None, None, None)

    def look(self) -> Look:
        """Return the figures as they are now."""
        return Look(*_FIGURES.unpack(self._figures.read_bytes()))

    def slowed(self, since: Look) -> float:
        """Return how much longer the work took since then than undisturbed, as a share of that."""
        now = self.look()
        if now.times == since.times or now.least == math.inf:
            return 0.0
        return max(0.0, (now.seconds - since.seconds) / (now.times - since.times) / now.least - 1)

    def wait(self, seconds: float) -> None:
        """Wait for a calm moment, so long at most."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            since = self.look()
            time.sleep(_LOOK_SECONDS)
            if self.slowed(since) <= _CALM:
                break


def _work(steps: int) -> float:
    begin, number = time.perf_counter(), 0
    for step in range(steps):
        number += step * step
    return time.perf_counter() - begin


def _watch(figures: Path) -> None:
    """Time the work until whoever asked for it has ended."""
    times, seconds, least, group, parent = 0, 0.0, math.inf, list[float](), os.getppid()
    with figures.open("r+b", buffering=0) as file:
        while os.getppid() == parent:
            time.sleep(_PAUSE_SECONDS)
            _work(_WARM_STEPS)
            group.append(_work(_STEPS))
            times, seconds = times + 1, seconds + group[-1]
            if len(group) == _GROUP:
                least = min(least, median(group))
                group.clear()
            os.pwrite(file.fileno(), _FIGURES.pack(times, seconds, least), 0)


if __name__ == "__main__":
    if run_first():
        _watch(Path(sys.argv[1]))
