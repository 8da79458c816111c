"""Keeps the host from taking a virtual machine's cores away while something is measured.

A core that halts is given to others, and comes back late: the same server then swings by a factor of two. A busy loop
per core in the scheduling class SCHED_IDLE keeps them awake. It must enter the kernel all the time: where preemption
is lazy, a loop in user space is left alone until the next tick, and whoever woke up meanwhile waits 4 ms (seen: 15 300
requests a second instead of 33 100).
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from perf.program import Program, python

_ROUNDS: Final = 100_000


@contextmanager
def awake(directory: Path) -> Iterator[None]:
    """Keep every core awake inside the block."""
    with ExitStack() as loops:
        for core in range(os.cpu_count() or 1):
            loops.enter_context(Program(f"awake-{core}", python("perf.guard"), core=core, directory=directory))
        yield


def _spin() -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    parent = os.getppid()
    while os.getppid() == parent:  # and no longer than who asked for it
        for _ in range(_ROUNDS):
            os.sched_yield()


if __name__ == "__main__":
    _spin()
