"""The full form: a Kubernetes cluster of one real node on this machine."""

import os
import shutil
from pathlib import Path

from local import kernel, network, packages
from local.api import API
from local.binaries import MODULES, binary, build
from local.containers import mounts_below
from local.control_plane import ControlPlane, Site
from local.dns import resolves
from local.errors import PlatformError
from local.images import BUSYBOX_IMAGE, COREDNS_IMAGE, DNS_ADDRESS, PROVISIONER_IMAGE, platform_images
from local.node import Node
from local.places import exclusive, render, state_root
from local.progress import Progress
from local.shell import run
from local.status import Component, Status, nodes_in
from local.waiting import wait_until

NODE_NAME = "local"
ADD_ON_SECONDS = 90.0


class LocalCluster:
    """etcd, API server, controller manager, scheduler, containerd, kubelet, kube-proxy, CoreDNS and dynamic volumes.

    A Provider. There is one on a machine: its network has fixed addresses.
    """

    name = "local"
    node_address = network.NODE_ADDRESS
    host_address = network.HOST_ADDRESS

    def __init__(self, progress: Progress | None = None, state: Path | None = None) -> None:
        self._progress = progress or Progress()
        self._state = state or state_root() / "cluster"
        site = Site(self._state, "eventstreams", NODE_NAME, address=network.NODE_ADDRESS, namespace=network.NAMESPACE)
        self._control_plane = ControlPlane(site)
        self._node = Node(self._control_plane)
        self._daemons = [*self._control_plane.daemons, *self._node.daemons]

    @property
    def kubeconfig(self) -> Path:
        return self._control_plane.site.kubeconfig

    @property
    def api(self) -> API:
        return self._control_plane.api

    def build(self) -> None:
        """Install what Debian has, compile the rest, pack the images: all that needs a network."""
        packages.ensure(packages.NODE, self._progress)
        build(self._progress, MODULES)
        platform_images(self._progress)

    def up(self) -> Path:
        """Start what does not run, repair what is broken, and return the kubeconfig once pods can be made."""
        _require_root("up")
        self.build()
        with exclusive(self._state):
            if not network.is_there():
                self._stop()  # whatever still runs sits in a network that is gone
            with self._progress.step("network"):
                network.up()
            self._control_plane.prepare()
            kernel.remember(self._state / "kernel.json")
            self._node.start_containerd()
            self._control_plane.start(self._progress)
            with self._progress.step("node"):
                self._start_node()
            with self._progress.step("CoreDNS and volume provisioner"):
                wait_until(self._add_ons_work, "start of CoreDNS and the volume provisioner", seconds=ADD_ON_SECONDS)
        return self.kubeconfig

    def down(self, *, wipe: bool = False) -> None:
        """End everything, leave no process, mount, network or cgroup behind; `wipe` forgets the cluster's data too."""
        if not self._state.exists() and not network.is_there():
            return
        _require_root("down")
        with exclusive(self._state):
            with self._progress.step("stop the cluster"):
                self._stop()
                network.kill_all()  # what lost its pid file
                network.down()
                kernel.restore(self._state / "kernel.json")
            if wipe:
                if left := mounts_below(self._state):
                    raise PlatformError(f"{left[0]} is still mounted: unmount it, then run this again")
                shutil.rmtree(self._state, ignore_errors=True)

    def load(self, archive: Path) -> None:
        """Give an image archive (docker save, or write_archive) to the node; what it has already is skipped."""
        with exclusive(self._state), self._progress.step(f"load {archive.name}"):
            self._node.load(archive)

    def status(self) -> Status:
        components = [Component.of(daemon) for daemon in self._daemons]
        answers = self.kubeconfig.exists() and self.api.answers("/readyz")
        return Status(components, nodes_in(self.api.get("/api/v1/nodes")) if answers else ())

    def _start_node(self) -> None:
        self._node.wait_for_containerd()
        for archive in platform_images(self._progress):
            self._node.load(archive)
        self._node.start()
        self._apply_add_ons()
        self._node.wait_until_ready()

    def _apply_add_ons(self) -> None:
        values = {
            "busybox_image": BUSYBOX_IMAGE,
            "coredns_image": COREDNS_IMAGE,
            "dns_address": DNS_ADDRESS,
            "provisioner_image": PROVISIONER_IMAGE,
            "volumes": self._state / "volumes",
        }
        manifests = "---\n".join(render(name, **values) for name in ("coredns.yaml", "local-path.yaml"))
        run([binary("kubectl"), f"--kubeconfig={self.kubeconfig}", "apply", "-f", "-"], stdin=manifests)

    def _add_ons_work(self) -> bool:
        """Ask CoreDNS through its service; a Deployment's own word is from before when the cluster was down."""
        if not resolves("kubernetes.default.svc.cluster.local", DNS_ADDRESS):
            return False
        path = "/apis/apps/v1/namespaces/local-path-storage/deployments/local-path-provisioner"
        return bool(self.api.get(path)["status"].get("availableReplicas"))

    def _stop(self) -> None:
        self._node.stop()
        self._control_plane.stop()


def _require_root(command: str) -> None:
    if os.geteuid() != 0:
        raise PlatformError(
            f"a real node needs root (network namespace, mounts, cgroups): run `{command}` as root, "
            "or use the light form, `up --light`, which needs none and runs no pods"
        )
