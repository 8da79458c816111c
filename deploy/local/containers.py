"""What containers leave on a machine when their runtime is ended, and its removal.

Everything is found by paths below one state directory, so other containers of this machine are never touched.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from local.shell import run

_CGROUPS = Path("/sys/fs/cgroup")
_CONTAINER_LOGS = Path("/var/log/containers")
_SHIM_SOCKETS = Path("/run/containerd/s")
_NETWORK_RESULTS = Path("/var/lib/cni/results")
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")


def kill_all(socket: Path) -> None:
    """End every container of the containerd that listened on `socket`, and the shims that held them.

    A shim carries the socket in its command line; the first process of each container is its child, and takes the
    rest of the container with it.
    """
    shims = set(_shims(socket))
    for pid in [*_children(shims), *shims]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def remains(socket: Path) -> bool:
    """Say whether a shim still runs."""
    return any(True for _ in _shims(socket))


def remove_traces(state: Path, network: str) -> None:
    """Remove what the containers that lived below `state`, on the CNI network `network`, left outside of it.

    These are mounts, cgroups, links to logs, and files at paths that containerd, kubelet and the network plugins have
    built in.
    """
    for address in (state / "run").glob("containerd/io.containerd.runtime.v2.task/k8s.io/*/address"):
        Path(address.read_text().strip().removeprefix("unix://")).unlink(missing_ok=True)
    if mounts := mounts_below(state):
        run(["umount", "--lazy", *mounts])
    for cgroup in [*_CGROUPS.glob("kubepods"), *_CGROUPS.glob("*/kubepods")]:
        _remove_empty(cgroup)
    for link in _CONTAINER_LOGS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(state):
            link.unlink()
    for result in _NETWORK_RESULTS.glob(f"{network}-*-eth0"):
        container = result.name.removeprefix(f"{network}-").removesuffix("-eth0")
        result.unlink()
        (_NETWORK_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
    if [path.name for path in _DEVICE_PLUGINS.glob("*")] == ["kubelet.sock"]:
        (_DEVICE_PLUGINS / "kubelet.sock").unlink()
    for directory in (_SHIM_SOCKETS, _NETWORK_RESULTS, _DEVICE_PLUGINS):
        for empty in (directory, directory.parent):
            with suppress(OSError):
                empty.rmdir()


def mounts_below(directory: Path) -> list[str]:
    """Return mount points below a directory, innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{directory}/")), reverse=True)


def _shims(socket: Path) -> Iterator[int]:
    for pid in _pids():
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in words[0] and str(socket).encode() in words:
                yield pid


def _children(parents: set[int]) -> Iterator[int]:
    for pid in _pids():
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            if int(stat.rpartition(")")[2].split()[1]) in parents:
                yield pid


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _remove_empty(cgroup: Path) -> None:
    """Remove a tree of control groups; one that still has a process refuses, and stays."""
    for directory, _, _ in os.walk(cgroup, topdown=False):
        with suppress(OSError):
            Path(directory).rmdir()
