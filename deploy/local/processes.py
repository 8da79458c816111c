"""Starts and stops long-running programs, known by their pid files.

A pid alone does not name a process: after its end, or a reboot, the number may be another's. A pid file therefore
holds what does: pid, start time in clock ticks since boot, and the boot's id. Nothing else is ever signalled.
"""

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.errors import PlatformError
from local.places import fingerprint
from local.shell import tail

POLL_SECONDS = 0.05
KILL_SECONDS = 10.0  # how long the kernel may take to end a killed process (disk writes) before that is an error
_PROC = Path("/proc")
_START_TIME_FIELD = 19  # of /proc/PID/stat, counted from the state after the closing bracket: field 22 in proc(5)


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started here: what tells it from any other, and a digest of what it was started with."""

    pid: int
    started_ticks: int
    boot: str
    inputs: str = ""

    @property
    def since(self) -> datetime:
        """When it was started."""
        boot_time = next(
            int(line.split()[1]) for line in (_PROC / "stat").read_text().splitlines() if line.startswith("btime ")
        )
        return datetime.fromtimestamp(boot_time + self.started_ticks / os.sysconf("SC_CLK_TCK"), tz=UTC)

    def is_alive(self) -> bool:
        """Say whether this very process still runs; a zombie does not."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.started_ticks


class Daemon:
    """One program of a platform: `run/NAME.pid` and `log/NAME.log` below the platform's state directory."""

    def __init__(self, name: str, state: Path) -> None:
        self.name = name
        self.log = state / "log" / f"{name}.log"
        self._pid_file = state / "run" / f"{name}.pid"

    def running(self) -> Running | None:
        """Return the process when it is alive."""
        try:
            noted = Running(**json.loads(self._pid_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return noted if noted.is_alive() else None

    def died(self) -> bool:
        """Say whether it was started and ended without being stopped."""
        return self._pid_file.exists() and self.running() is None

    def start(
        self,
        command: Sequence[str | Path],
        *,
        namespace: str | None = None,
        files: Iterable[Path] = (),
        env: Mapping[str, str] | None = None,
    ) -> bool:
        """Start it, in a network namespace when one is given; False when it runs already with the same inputs.

        Its inputs are the command line and the content of `files`: with others it is stopped and started again. It
        outlives the caller and does not see the caller's Ctrl-C.
        """
        words = [str(word) for word in command]
        if namespace:
            # not `ip netns exec`: that makes a mount namespace for each program, which hides mounts from the others
            words = ["nsenter", f"--net=/run/netns/{namespace}", *words]
        inputs = fingerprint(*words, *files)
        now = self.running()
        if now and now.inputs == inputs:
            return False
        self.stop()
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".previous.log"))
        pid = _spawn(words, self.log, os.environ | dict(env or {}))
        running = Running(pid, start_ticks(pid) or 0, boot_id(), inputs)
        scratch = self._pid_file.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(running)))
        scratch.replace(self._pid_file)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal when it is alive."""
        if now := self.running():
            with suppress(ProcessLookupError):
                os.kill(now.pid, number)

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """End it: SIGTERM, and SIGKILL after `grace_seconds` (0: at once). Nothing happens when it does not run."""
        self.signal(signal.SIGTERM if grace_seconds else signal.SIGKILL)
        if not self._gone_within(grace_seconds):
            self.signal(signal.SIGKILL)
            if not self._gone_within(KILL_SECONDS):
                raise PlatformError(f"{self.name} does not end, even killed: look at it with ps and dmesg")
        self._pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """Return the end of its log."""
        return tail(self.log)

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.running():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def stop_all(daemons: Sequence[Daemon], *, grace_seconds: float) -> None:
    """End several at the same time, so that the slowest alone is waited for."""
    if grace_seconds:
        for daemon in daemons:
            daemon.signal(signal.SIGTERM)
    for daemon in daemons:
        daemon.stop(grace_seconds=grace_seconds)


def boot_id() -> str:
    """Return the kernel's id of this boot."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when there is none, or it is a zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the second field is the program's name in brackets, which may itself hold brackets and spaces
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        _reap(pid)
        return None
    return int(fields[_START_TIME_FIELD])


def _reap(pid: int) -> None:
    """Take the exit code of a child, so that its number is free again; another's child is not ours to reap."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _spawn(words: list[str], log: Path, env: Mapping[str, str]) -> int:
    """Start a process in a session of its own and return its pid.

    Not subprocess.Popen: that wants to be waited for, and warns when its object goes while the process lives on.
    """
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        return os.posix_spawnp(words[0], words, env, file_actions=actions, setsid=True)
    except FileNotFoundError as error:
        raise PlatformError(f"{words[0]} is not installed") from error
