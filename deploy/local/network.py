"""The cluster's own network namespace, joined to this machine by one pair of virtual interfaces.

The whole cluster lives in it, so this machine's firewall rules stay as they are, and removing the namespace removes
every trace. Nothing in it has a way out: no default route, no address translation here. This machine reaches pods,
services and node ports through the pair; they reach it at HOST_ADDRESS.
"""

import ipaddress
import os
import signal
from contextlib import suppress
from pathlib import Path

from local.control_plane import POD_RANGE, SERVICE_RANGE
from local.errors import PlatformError
from local.shell import run

NAMESPACE = "eventstreams"
HOST_ADDRESS = "10.213.0.1"
NODE_ADDRESS = "10.213.0.2"
PREFIX_LENGTH = 30

_HOST_LINK = "eventstreams0"  # at most 15 characters
_NODE_LINK = "eth0"
_MOUNT = Path("/run/netns") / NAMESPACE


def is_there() -> bool:
    """Say whether the namespace exists; a file of its name that is no mount is left from before a reboot."""
    return os.path.ismount(_MOUNT)


def up() -> None:
    """Make the namespace, links and routes, or what is missing of them."""
    _refuse_a_clash()
    if not is_there():
        with suppress(FileNotFoundError):
            _MOUNT.unlink()
        run(["ip", "netns", "add", NAMESPACE])
    if not (Path("/sys/class/net") / _HOST_LINK).exists():
        run(["ip", "link", "add", _HOST_LINK, "type", "veth", "peer", "name", _NODE_LINK, "netns", NAMESPACE])
    _ip("link set lo up", inside=True)
    _ip(f"address replace {NODE_ADDRESS}/{PREFIX_LENGTH} dev {_NODE_LINK}", inside=True)
    _ip(f"link set {_NODE_LINK} up", inside=True)
    _ip(f"address replace {HOST_ADDRESS}/{PREFIX_LENGTH} dev {_HOST_LINK}")
    _ip(f"link set {_HOST_LINK} up")
    # The node itself needs some route to a service before kube-proxy's rules see the packet (API server to webhook).
    _ip(f"route replace {SERVICE_RANGE} dev {_NODE_LINK}", inside=True)
    for addresses in (POD_RANGE, SERVICE_RANGE):
        _ip(f"route replace {addresses} via {NODE_ADDRESS}")
    forward = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1"]
    run(["nsenter", f"--net={_MOUNT}", "sysctl", "-q", "-w", *forward])


def down() -> None:
    """Remove namespace and links; routes and rules go with them."""
    if is_there():
        run(["ip", "netns", "delete", NAMESPACE])
    else:
        _MOUNT.unlink(missing_ok=True)
    if (Path("/sys/class/net") / _HOST_LINK).exists():
        # the kernel removes it with the namespace too, some time later
        with suppress(PlatformError):
            run(["ip", "link", "delete", _HOST_LINK])


def kill_all() -> None:
    """End every process in the namespace: whatever runs there was started for the cluster."""
    if is_there():
        for pid in run(["ip", "netns", "pids", NAMESPACE]).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _ip(words: str, *, inside: bool = False) -> None:
    run(["ip", *(["-n", NAMESPACE] if inside else []), *words.split()])


def _refuse_a_clash() -> None:
    """Refuse addresses that this machine already uses for something else."""
    ours = [ipaddress.ip_network(addresses) for addresses in (POD_RANGE, SERVICE_RANGE, f"{NODE_ADDRESS}/32")]
    for line in run(["ip", "-4", "-o", "route", "show"]).splitlines():
        destination, _, rest = line.partition(" ")
        if destination == "default" or f"dev {_HOST_LINK}" in rest or not destination[0].isdigit():
            continue
        theirs = ipaddress.ip_network(destination, strict=False)
        for wanted in ours:
            if theirs.overlaps(wanted):
                raise PlatformError(
                    f"this machine routes {theirs} already ({rest.strip()}), the local cluster needs {wanted}: "
                    "remove that route, or use another machine"
                )
