"""A program is known by pid, start time and boot; nothing else is ever signalled."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.errors import PlatformError
from local.processes import Daemon, Running, boot_id, start_ticks, stop_all
from local.waiting import wait_until

SLEEP = ["sleep", "60"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon("sleeper", tmp_path)
    yield daemon
    daemon.stop(grace_seconds=0)


def pid_of(daemon: Daemon) -> int:
    running = daemon.running()
    assert running is not None
    return running.pid


def note(daemon: Daemon, state: Path, running: Running) -> None:
    (state / "run").mkdir(exist_ok=True)
    fields = {"pid": running.pid, "started_ticks": running.started_ticks, "boot": running.boot, "inputs": ""}
    (state / "run" / f"{daemon.name}.pid").write_text(json.dumps(fields))


def test_a_started_program_runs_until_it_is_stopped(daemon: Daemon) -> None:
    assert daemon.start(SLEEP)
    pid = pid_of(daemon)
    daemon.stop()
    assert start_ticks(pid) is None
    assert daemon.running() is None
    assert not daemon.died()


def test_a_second_start_with_the_same_inputs_leaves_it_running(daemon: Daemon) -> None:
    daemon.start(SLEEP)
    pid = pid_of(daemon)
    assert not daemon.start(SLEEP)
    assert pid_of(daemon) == pid


def test_a_start_with_a_changed_file_replaces_it(daemon: Daemon, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("old")
    daemon.start(SLEEP, files=[settings])
    pid = pid_of(daemon)
    settings.write_text("new")
    assert daemon.start(SLEEP, files=[settings])
    assert pid_of(daemon) != pid
    assert start_ticks(pid) is None


def test_a_reused_pid_is_neither_taken_for_the_program_nor_killed(daemon: Daemon, tmp_path: Path) -> None:
    note(daemon, tmp_path, Running(os.getpid(), (start_ticks(os.getpid()) or 0) + 1, boot_id()))
    assert daemon.running() is None
    daemon.stop(grace_seconds=0)  # ends this very test if it signals by pid alone
    assert not daemon.died()


def test_a_pid_file_from_before_a_reboot_names_nobody(daemon: Daemon, tmp_path: Path) -> None:
    note(daemon, tmp_path, Running(os.getpid(), start_ticks(os.getpid()) or 0, "another boot"))
    assert daemon.running() is None


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}', "[]"])
def test_a_damaged_pid_file_names_nobody(daemon: Daemon, tmp_path: Path, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "sleeper.pid").write_text(content)
    assert daemon.running() is None


def test_a_killed_program_counts_as_died_though_it_is_a_zombie_of_ours(daemon: Daemon) -> None:
    daemon.start(SLEEP)
    os.kill(pid_of(daemon), signal.SIGKILL)
    wait_until(daemon.died, "end of the program", seconds=5)


def test_a_program_deaf_to_sigterm_is_killed_after_its_grace(daemon: Daemon) -> None:
    daemon.start(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"])
    wait_until(lambda: "deaf" in daemon.log.read_text(), "trap to be set", seconds=5)
    daemon.stop(grace_seconds=0.1)
    assert daemon.running() is None


def test_several_are_stopped_together(tmp_path: Path) -> None:
    daemons = [Daemon(f"sleeper-{number}", tmp_path) for number in range(3)]
    for daemon in daemons:
        daemon.start(SLEEP)
    stop_all(daemons, grace_seconds=5)
    assert not any(daemon.running() for daemon in daemons)


def test_waiting_ends_at_once_with_the_last_words_of_a_program_that_died(daemon: Daemon) -> None:
    daemon.start(["sh", "-c", "echo no such disk; exit 1"])
    with pytest.raises(PlatformError, match="no such disk"):
        wait_until(lambda: False, "nothing", seconds=5, daemons=[daemon])


def test_a_program_that_is_not_installed_is_named(daemon: Daemon) -> None:
    with pytest.raises(PlatformError, match="no-such-program is not installed"):
        daemon.start(["no-such-program"])
