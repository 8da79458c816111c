"""What the kernel tells: whose CPU time went where, how much memory a process tree holds, what machine this is."""

import os
import platform
import re
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import confluent_kafka

from local.jars import POM
from perf.program import interpreter

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_IDLE, _STEAL = 3, 7  # of the figures after "cpu" in /proc/stat
_PARENT, _USER, _CHILDREN_SYSTEM, _RESIDENT = 1, 11, 14, 21  # of /proc/PID/stat, counted from the state
_PACKAGES: Final = ("uvloop", "granian", "uvicorn", "httptools")


def _stats() -> dict[int, list[str]]:
    """Return the fields of /proc/PID/stat of every process, counted from its state."""
    found = {}
    for path in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # ended a moment ago
            found[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    return found


def _tree(root: int, stats: dict[int, list[str]]) -> list[list[str]]:
    """Return the fields of a process and of all below it."""
    family = {root}
    while more := {pid for pid, fields in stats.items() if int(fields[_PARENT]) in family} - family:
        family |= more
    return [stats[pid] for pid in family if pid in stats]


def cpu_seconds(root: int) -> float:
    """Return the CPU time that a process tree used so far, ended children included."""
    return _cpu(_tree(root, _stats()))


def _cpu(family: list[list[str]]) -> float:
    return sum(int(field) for fields in family for field in fields[_USER : _CHILDREN_SYSTEM + 1]) / _TICKS


def resident_mb(root: int) -> float:
    """Return the resident memory of a process tree in MB (10^6 bytes); pages that two share count twice."""
    return sum(int(fields[_RESIDENT]) for fields in _tree(root, _stats())) * _PAGE / 1e6


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two moments.

    `steal` is the share of the machine's CPU time that the host took, `foreign` the share that went to processes
    that are no children of this one.
    """

    seconds: float
    steal: float
    foreign: float
    cpu_seconds: float

    @property
    def lost(self) -> float:
        return self.steal + self.foreign


class Meter:
    """Measures from its making to `read`. CPU time that is neither idle, nor stolen, nor ours, is foreign."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._begin = self._look()

    def read(self) -> Window:
        """Return what happened since; `cpu_seconds` is what the process tree `root` used."""
        now = self._look()
        clock, idle, stolen, own, root = (after - before for after, before in zip(now, self._begin, strict=True))
        capacity = clock * (os.cpu_count() or 1)
        return Window(clock, stolen / capacity, max(0.0, 1 - (idle + stolen + own) / capacity), root)

    def _look(self) -> tuple[float, ...]:
        stats = _stats()
        whole = (_PROC / "stat").read_text().partition("\n")[0].split()[1:]
        idle, stolen = (int(whole[place]) / _TICKS for place in (_IDLE, _STEAL))
        return time.monotonic(), idle, stolen, _cpu(_tree(os.getpid(), stats)), _cpu(_tree(self._root, stats))


def describe() -> dict[str, Any]:
    """Return the machine in words; nothing that names it."""
    cpu = re.search(r"^model name\s*: (.*)$", (_PROC / "cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * _PAGE / 2**30
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
    }


def versions() -> dict[str, str]:
    """Return the version of everything that is measured or measures."""
    found = {
        "python": _first_line([interpreter(), "--version"]).removeprefix("Python "),
        "openssl": _first_line([interpreter(), "-c", "import ssl; print(ssl.OPENSSL_VERSION.split()[1])"]),
        "confluent-kafka": version("confluent-kafka"),
        "librdkafka": confluent_kafka.libversion()[0],
        "java": _first_line(["java", "--version"]),
        "kafka": re.findall(r"<kafka.version>(.*)</kafka.version>", POM.read_text())[0],
        "wrk": _first_line(["wrk", "-v"]).removeprefix("wrk ").split(" ")[0],
    }
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.partition("\n")[0]


def load_average() -> list[float]:
    """Return the load averages of 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]
