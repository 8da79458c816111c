"""The images that the cluster itself needs, made here: nothing is pulled."""

import re
import shutil
from pathlib import Path

from local.binaries import COREDNS_MODULE, KUBERNETES_MODULE, PAUSE_MODULE, binary
from local.image_archive import Layer, write_archive
from local.places import PACKAGE, cache_root, exclusive, fingerprint, made_whole
from local.progress import Progress
from local.shell import run

PAUSE_IMAGE = "registry.local/pause:3.10"
BUSYBOX_IMAGE = "registry.local/busybox:1"
COREDNS_IMAGE = "registry.local/coredns:local"
PROVISIONER_IMAGE = "registry.local/local-path-provisioner:local"

DNS_ADDRESS = "10.96.0.10"


def platform_images(progress: Progress) -> list[Path]:
    """Return the image archives; what the cache lacks is made, from binaries that are built already."""
    built = [module.directory.name for module in (KUBERNETES_MODULE, COREDNS_MODULE, PAUSE_MODULE)]
    recipe = [Path(__file__), PACKAGE / "image_archive.py"]
    directory = cache_root() / "images" / f"platform-{fingerprint(*recipe, *built)}"
    with exclusive(directory):
        if not directory.exists():
            with progress.step("pack pause, busybox, CoreDNS and volume provisioner images"):
                _pack(directory)
    return sorted(directory.glob("*.tar"))


def _pack(directory: Path) -> None:
    with made_whole(directory) as out:
        for name, program, user in (
            (PAUSE_IMAGE, "pause", "65535:65535"),
            (COREDNS_IMAGE, "coredns", ""),
            (PROVISIONER_IMAGE, "local-path-provisioner", ""),
        ):
            layers = [Layer(binary(program), f"/{program}")]
            write_archive(out / f"{program}.tar", name=name, layers=layers, entrypoint=[f"/{program}"], user=user)
        root = _busybox_root(out / "scratch")
        write_archive(out / "busybox.tar", name=BUSYBOX_IMAGE, layers=[Layer(root, "/")], command=["/bin/sh"])
        shutil.rmtree(out / "scratch")


def _busybox_root(scratch: Path) -> Path:
    """Return a root file system of Debian's busybox and the libraries it uses.

    Not busybox-static: its name look-up crashes in an image without glibc's shared libraries.
    """
    root, package = scratch / "root", scratch / "package"
    for directory in ("bin", "etc", "root", "tmp", "proc", "sys", "dev", "run"):
        (root / directory).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    scratch.chmod(0o755)
    run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "busybox"], cwd=scratch)
    run(["dpkg-deb", "--extract", next(scratch.glob("busybox_*.deb")), package])
    busybox = package / "bin" / "busybox"
    shutil.copy(busybox, root / "bin" / "busybox")
    for library in re.findall(r"(/\S+) \(0x", run(["ldd", busybox])):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    for applet in run([busybox, "--list"]).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
    return root
