"""Makes sure that the programs of this machine's distribution are there.

As root on Debian or Ubuntu the missing ones are installed; anyone else is told the command. What Debian starts by
itself (a containerd under systemd, say) is left alone: the platform runs its own, with its own sockets and state.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.errors import PlatformError
from local.progress import Progress
from local.shell import run

CNI_PLUGINS = Path("/usr/lib/cni")

# Program, or absolute path of a file, to the Debian package that has it.
CONTROL_PLANE: Mapping[str, str] = {"openssl": "openssl"}
NODE: Mapping[str, str] = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    f"{CNI_PLUGINS}/ptp": "containernetworking-plugins",
    f"{CNI_PLUGINS}/portmap": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
}
JAVA: Mapping[str, str] = {"java": "openjdk-17-jre-headless", "openssl": "openssl"}
MAVEN: Mapping[str, str] = {"mvn": "maven"}


def missing(wanted: Mapping[str, str]) -> list[str]:
    """Return the packages, each once and sorted, of the programs that are not there."""
    return sorted({package for program, package in wanted.items() if not _there(program)})


def ensure(wanted: Mapping[str, str], progress: Progress) -> None:
    """Install what is missing of `wanted`; PlatformError with the command when this user or system cannot."""
    packages = missing(wanted)
    if not packages:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise PlatformError(f"{', '.join(packages)} missing on this machine: as root, run {' '.join(command)}")
    with progress.step(f"install {', '.join(packages)}"):
        apt(["update"])
        apt(command[1:])
    if left := missing(wanted):
        raise PlatformError(f"{', '.join(left)} is installed but its programs are not on PATH: look at $PATH")


def apt(arguments: Sequence[str]) -> None:
    """Run apt-get without questions; another run of it is waited for."""
    options = ["-q", "-o", "DPkg::Lock::Timeout=300"]
    # RUNLEVEL=1: invoke-rc.d starts no service of a package that is being installed.
    run(["apt-get", *options, *arguments], env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})


def _there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
