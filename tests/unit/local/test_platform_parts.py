"""Small parts of the platform: ports, status, packages, image versions, progress."""

import io
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from local import control_plane, packages
from local.control_plane import Site
from local.errors import PlatformError
from local.image_archive import Layer, write_archive
from local.node import image_version
from local.places import PACKAGE
from local.ports import free_ports, is_free
from local.progress import Progress, elapsed
from local.shell import run
from local.status import Component, NodeState, Status, nodes_in


def test_a_taken_port_is_replaced_and_a_free_one_kept() -> None:
    (free,) = free_ports([0])
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        assert not is_free(taken)
        chosen = free_ports([free, taken, free])
    assert chosen[0] == free
    assert taken not in chosen
    assert len(set(chosen)) == 3


RUNNING = Component("etcd", 7, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status([RUNNING], [NodeState("a", is_ready=True)]), True),
        (Status([RUNNING], [NodeState("a", is_ready=False)]), False),
        (Status([RUNNING]), False),
        (Status([Component("etcd")], [NodeState("a", is_ready=True)]), False),
    ],
)
def test_a_platform_is_healthy_when_all_run_and_all_nodes_are_ready(status: Status, *, expected: bool) -> None:
    assert status.is_healthy is expected


def test_a_node_without_conditions_is_not_ready() -> None:
    assert nodes_in({"items": [{"metadata": {"name": "a"}, "status": {}}]}) == [NodeState("a", is_ready=False)]


def test_the_api_servers_command_is_the_same_from_every_work_tree(tmp_path: Path) -> None:
    command = control_plane._api_server_arguments(Site(tmp_path, "test", "node"))
    assert [word for word in command if str(PACKAGE) in word] == []


def test_missing_packages_are_named_once_each() -> None:
    wanted = {"no-such-ctr": "containerd", "no-such-containerd": "containerd", "sh": "dash", "/no/such": "plugins"}
    assert packages.missing(wanted) == ["containerd", "plugins"]


def test_who_cannot_install_is_told_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PlatformError, match=r"as root, run apt-get install .* containerd"):
        packages.ensure({"no-such-program": "containerd"}, Progress(Console(quiet=True)))


def test_an_image_version_changes_with_its_content(tmp_path: Path) -> None:
    source, archive = tmp_path / "tool", tmp_path / "image.tar"
    versions = []
    for content in ("one", "two", "one"):
        source.write_text(content)
        write_archive(archive, name="registry.local/tool:1", layers=[Layer(source, "/tool")])
        versions.append(image_version(archive)["registry.local/tool:1"])
    assert versions[0] == versions[2] != versions[1]


def test_what_is_no_image_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_text("no tar at all")
    with pytest.raises(PlatformError, match="no image archive"):
        image_version(path)


def test_a_failing_command_says_its_last_words() -> None:
    with pytest.raises(PlatformError, match="ended with code 3:\nout of paper"):
        run(["sh", "-c", "echo out of paper >&2; exit 3"])


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (4.25, "4.2 s"), (200, "3 min 20 s"), (60, "1 min 00 s")]
)
def test_durations_read_as_a_person_says_them(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_without_a_terminal_a_step_is_a_plain_line_with_its_time() -> None:
    out, ticks = io.StringIO(), iter([0.0, 1.5])
    with Progress(Console(file=out), clock=lambda: next(ticks)).step("network"):
        pass
    assert out.getvalue() == "  ✓ network 1.5 s\n"


def test_a_failed_step_is_marked_and_its_error_passes() -> None:
    out = io.StringIO()
    with pytest.raises(PlatformError), Progress(Console(file=out)).step("network"):
        raise PlatformError("no")
    assert out.getvalue().startswith("  ✗ network")
