"""containerd, kubelet and kube-proxy: this machine as a node of the cluster."""

import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from local import containers
from local.binaries import binary
from local.control_plane import KUBE_PROXY, KUBELET, POD_RANGE, ControlPlane
from local.errors import PlatformError
from local.images import DNS_ADDRESS, PAUSE_IMAGE
from local.network import NODE_ADDRESS
from local.packages import CNI_PLUGINS
from local.places import render, write_if_changed
from local.processes import Daemon, boot_id, stop_all
from local.shell import run
from local.waiting import wait_until

NETWORK = "eventstreams"  # name of the pods' network in templates/network.conflist
NODE_POD_RANGE = "10.244.0.0/24"
CONTAINERD_SECONDS = 30.0
READY_SECONDS = 60.0
SHIM_SECONDS = 10.0


class Node:
    """The node of a control plane's site."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self._site = control_plane.site
        self._state = self._site.state
        self.containerd, self.kubelet, self.kube_proxy = self.daemons = tuple(
            Daemon(name, self._state) for name in ("containerd", "kubelet", "kube-proxy")
        )

    @property
    def socket(self) -> Path:
        return self._state / "run" / "containerd.sock"

    def start_containerd(self) -> None:
        """Start the container runtime, or leave it running."""
        self._forget_what_a_reboot_ended()
        config = self._write("containerd.toml", socket=self.socket, pause_image=PAUSE_IMAGE, cni_plugins=CNI_PLUGINS)
        self._write("network.conflist", pod_range=NODE_POD_RANGE, to=self._state / "cni" / "10-eventstreams.conflist")
        self._start(self.containerd, ["containerd", "--config", config], [config])

    def wait_for_containerd(self) -> None:
        wait_until(
            self._containerd_answers, "start of containerd", seconds=CONTAINERD_SECONDS, daemons=[self.containerd]
        )

    def start(self) -> None:
        """Start kubelet and kube-proxy; the API server is there."""
        (self._state / "resolv.conf").touch()
        pki = self._site.authority.directory
        kubelet = self._write(
            "kubelet.yaml", socket=self.socket, pki=pki, node_address=NODE_ADDRESS, dns_address=DNS_ADDRESS
        )
        command: list[str | Path] = [
            binary("kubelet"),
            f"--config={kubelet}",
            f"--kubeconfig={self._site.kubeconfig_of(KUBELET)}",
            f"--root-dir={self._state}/kubelet",
            f"--cert-dir={self._state}/kubelet/pki",
            f"--hostname-override={self._site.node}",
            f"--node-ip={NODE_ADDRESS}",
        ]
        self._start(self.kubelet, command, [kubelet])
        proxy = self._write(
            "kube-proxy.yaml",
            node_address=NODE_ADDRESS,
            node=self._site.node,
            kubeconfig=self._site.kubeconfig_of(KUBE_PROXY),
            pod_range=POD_RANGE,
        )
        self._start(self.kube_proxy, [binary("kube-proxy"), f"--config={proxy}"], [proxy])

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, "readiness of the node", seconds=READY_SECONDS, daemons=self.daemons)

    def load(self, archive: Path) -> bool:
        """Give an image archive to the node; False when it has this very one already."""
        stamps = self._state / "loaded.json"
        loaded: dict[str, str] = json.loads(stamps.read_text()) if stamps.exists() else {}
        version = image_version(archive)
        if all(loaded.get(name) == digest for name, digest in version.items()):
            return False
        run(["ctr", "--address", self.socket, "--namespace", "k8s.io", "images", "import", archive])
        stamps.write_text(json.dumps(loaded | version, indent=2))
        return True

    def stop(self) -> None:
        """End the node and every container on it; volumes and images stay."""
        stop_all([self.kube_proxy, self.kubelet], grace_seconds=0)
        self.containerd.stop(grace_seconds=3)
        containers.kill_all(self.socket)
        wait_until(lambda: not containers.remains(self.socket), "end of the containers", seconds=SHIM_SECONDS)
        containers.remove_traces(self._state, NETWORK)
        shutil.rmtree(self._state / "run" / "addresses", ignore_errors=True)
        shutil.rmtree(self._state / "run" / "containerd", ignore_errors=True)
        shutil.rmtree(self._state / "run" / "runc", ignore_errors=True)
        self.socket.unlink(missing_ok=True)
        Path(f"{self.socket}.ttrpc").unlink(missing_ok=True)

    def _forget_what_a_reboot_ended(self) -> None:
        """Drop what describes running containers when they ran before this boot."""
        stamp = self._state / "run" / "boot"
        if not stamp.exists() or stamp.read_text() != boot_id():
            self.stop()
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(boot_id())

    def _start(self, daemon: Daemon, command: Sequence[str | Path], files: Sequence[Path]) -> None:
        # kubelet, kube-proxy and the network plugins call iptables, mount and others
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"
        daemon.start(command, namespace=self._site.namespace, files=files, env={"PATH": path})

    def _write(self, template: str, *, to: Path | None = None, **values: object) -> Path:
        path = to or self._state / template
        write_if_changed(path, render(template, state=self._state, **values))
        return path

    def _containerd_answers(self) -> bool:
        try:
            run(["ctr", "--address", self.socket, "version"])
        except PlatformError:
            return False
        return True

    def _is_ready(self) -> bool:
        path = f"/api/v1/nodes/{self._site.node}"
        if not self._control_plane.api.answers(path):
            return False
        conditions = self._control_plane.api.get(path)["status"].get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def image_version(archive: Path) -> dict[str, str]:
    """Return the names in an image archive, each with the digest of its configuration, which names the content.

    Raises PlatformError for a file that is no archive as `docker save` writes it.
    """
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("manifest.json")
            manifest = json.load(member) if member else []
    except (tarfile.TarError, KeyError) as error:
        raise PlatformError(f"{archive} is no image archive (docker save makes one): {error}") from error
    return {name: image["Config"] for image in manifest for name in image["RepoTags"] or ()}
