"""Programs that a benchmark starts: pinned to a core, and ended with the benchmark, whatever ends that."""

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).parents[2]
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
"""The load generator, the broker and the benchmark itself."""

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.05
_LAST_WORDS: Final = 2000


class BenchmarkError(Exception):
    """Why no figure can be had; shown to a person as it is."""


def interpreter() -> str:
    """Return the Python that everything is measured with: the image's, where this machine has it, else our own.

    The image's is Debian's, built with profile-guided and link-time optimisation. One that was built without runs the
    same code a fifth slower.
    """
    images = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    return str(images) if images.exists() else sys.executable


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this project."""
    return [interpreter(), "-S", "-m", module, *arguments]  # without what else this machine's Python has


def environment() -> dict[str, str]:
    """Return the least environment that this project's modules run in."""
    places = [*(str(ROOT / part) for part in ("operator", "deploy", "tests")), sysconfig.get_path("platlib")]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(places)}


def run_first() -> bool:
    """Run before everything else of this core from now on; return whether that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True


class Program:
    """One program, alive inside the block. Its output goes to a file in `directory`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        core: int,
        directory: Path,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        # setpriv: should this process be killed, the kernel ends the program
        self._command = ["setpriv", "--pdeathsig", "TERM", "taskset", "--cpu-list", str(core), *command]
        self._log = directory / f"{name}.log"
        self._environment = environment() | dict(variables or {})
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            # a group of its own: Ctrl-C reaches this process, which then ends the programs in order. Not a session of
            # its own: the scheduler may share the CPU between sessions, and then SCHED_IDLE means nothing between them
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Return when `holds()` is true; BenchmarkError when the program ended or it took too long."""
        deadline = time.monotonic() + _START_SECONDS
        while not holds():
            if self._process.poll() is not None:
                raise BenchmarkError(f"{self.name} ended before {what}:\n{self.log[-_LAST_WORDS:]}")
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{what} of {self.name} took too long:\n{self.log[-_LAST_WORDS:]}")
            time.sleep(_LOOK_SECONDS)
