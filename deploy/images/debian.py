"""Root file systems from Debian packages: only what is named goes in, no package manager, no shell unless asked for."""

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.errors import PlatformError
from local.packages import apt
from local.shell import run

_RELEASE = ("debian", "12")

# What a container never reads. Copyright files stay, as the licences ask.
UNREAD = (
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/c[!o]*",
    "usr/share/base-files",
    "usr/share/binfmts",
    "usr/share/gdb",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/lib/*-linux-gnu/gconv",
    "usr/lib/debug",
)

# Runs "$@" in the root file system $1, with mounts, processes, a name and a closed network of its own.
INSIDE = """set -eu
root=$1; shift
hostname localhost
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/opt"
mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; done
shift
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class RootFileSystem:
    """What a root file system is made of.

    `packages` is the whole list: nothing is added for a dependency. `links` maps a new path to the file it leads to,
    `unread` are patterns of what is taken out again; both without a leading slash, patterns in Path.glob's manner.
    """

    packages: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()


def require_release() -> None:
    """Raise PlatformError on another system than the one whose packages the images name."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    if (system.get("ID"), system.get("VERSION_ID")) != _RELEASE:
        here = system.get("PRETTY_NAME", "another system")
        raise PlatformError(
            f"images are made of Debian 12's packages, and this is {here}: run this on Debian 12, or build the "
            "Containerfiles in deploy/images with a container engine"
        )


def make_root(root: Path, what: RootFileSystem) -> None:
    """Fill the empty directory `root`. Raises PlatformError when apt does not have a package."""
    with tempfile.TemporaryDirectory(prefix="eventstreams-packages-") as scratch:
        for package in _download(what.packages, Path(scratch)):
            _unpack(package, root)
    for pattern in (*UNREAD, *what.unread):
        for path in list(root.glob(pattern)):
            remove(path)
    _trust_certificates(root)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")  # engines and kubelet put their own over it
    for link, target in what.links:
        file = next(root.glob(target)).relative_to(root)
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(os.path.relpath(root / file, (root / link).parent))
    (root / "opt").mkdir()


def run_inside(root: Path, command: Sequence[str], *, shown: Mapping[str, Path]) -> None:
    """Run `command` in the root file system, with the directories `shown` at absolute paths below /opt.

    Nothing stays mounted, whatever happens. Raises PlatformError.
    """
    namespaces = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        namespaces.append("--map-root-user")
    pairs = [word for path, source in shown.items() for word in (str(source), path)]
    run([*namespaces, "sh", "-c", INSIDE, "sh", str(root), *pairs, "--", *command])


def remove(path: Path) -> None:
    """Remove a file, a link or a whole directory; it may be gone, when patterns lead to it on two ways."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _download(packages: Sequence[str], into: Path) -> list[Path]:
    """Fetch packages as this machine's apt knows them; apt compares each with its signed index."""
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    try:
        run(command, cwd=into)
    except PlatformError:  # no index yet, or one that names versions that are gone
        apt(["update"])
        run(command, cwd=into)
    return sorted(into.glob("*.deb"))


def _unpack(package: Path, root: Path) -> None:
    """Unpack and leave the control file where scanners look for it in images without dpkg."""
    run(["dpkg-deb", "--extract", str(package), str(root)])
    status = root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True, exist_ok=True)
    (status / package.name.partition("_")[0]).write_text(run(["dpkg-deb", "--field", str(package)]))


def _trust_certificates(root: Path) -> None:
    """Do what the package ca-certificates does when it is configured, for the one file that clients read."""
    authorities = sorted(root.glob("usr/share/ca-certificates/mozilla/*.crt"))
    if authorities:
        bundle = root / "etc/ssl/certs/ca-certificates.crt"
        bundle.write_text("".join(path.read_text() for path in authorities))
        shutil.rmtree(root / "usr/share/ca-certificates")
