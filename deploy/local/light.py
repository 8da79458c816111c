"""The light form: a real control plane on loopback, with nodes that are fake.

Needs no root and half the memory. Everything that goes through the API is real (validation, RBAC, admission,
controllers, scheduling); pods become Ready without running.
"""

import json
import shutil
import sys
from dataclasses import asdict, astuple
from pathlib import Path

from local import packages
from local.api import API
from local.binaries import KUBERNETES_MODULE, build
from local.control_plane import ControlPlane, Ports, Site
from local.places import PACKAGE, exclusive, state_root
from local.ports import free_ports
from local.processes import Daemon
from local.progress import Progress
from local.status import Component, Status, nodes_in
from local.waiting import wait_until

# Usual ones of a cluster, moved out of the way of one that may run on this machine.
PORTS = Ports(api=16443, etcd=12379, etcd_peer=12380, controller_manager=20257, scheduler=20259)
NODES_SECONDS = 30.0
STORAGE_CLASS = "local-path"


class LightCluster:
    """A control plane and fake nodes. A Provider; several may run at once, each with a `state` directory."""

    name = "light"
    node_address = "127.0.0.1"
    host_address = "127.0.0.1"

    def __init__(self, progress: Progress | None = None, state: Path | None = None, *, nodes: int = 3) -> None:
        self._progress = progress or Progress()
        self._state = state or state_root() / "light"
        self._nodes = nodes
        self._control_plane = ControlPlane(Site(self._state, "eventstreams-light", "fake", ports=self._noted_ports()))
        self._fake_nodes = Daemon("fake-nodes", self._state)

    @property
    def kubeconfig(self) -> Path:
        return self._control_plane.site.kubeconfig

    @property
    def api(self) -> API:
        return self._control_plane.api

    def up(self) -> Path:
        """Start what does not run, and return the kubeconfig once pods can be made."""
        packages.ensure(packages.CONTROL_PLANE, self._progress)
        build(self._progress, [KUBERNETES_MODULE])
        with exclusive(self._state):
            self._take_ports()
            self._control_plane.prepare()
            self._control_plane.start(self._progress)
            with self._progress.step(f"{self._nodes} fake nodes"):
                self.api.create("/apis/storage.k8s.io/v1/storageclasses", _storage_class())
                self._start_fake_nodes()
                wait_until(
                    lambda: self._ready_nodes() >= self._nodes,
                    "readiness of the fake nodes",
                    seconds=NODES_SECONDS,
                    daemons=[self._fake_nodes],
                )
        return self.kubeconfig

    def down(self, *, wipe: bool = False) -> None:
        """End everything; `wipe` forgets the cluster's data too."""
        if not self._state.exists():
            return
        with exclusive(self._state):
            with self._progress.step("stop the light cluster"):
                self._fake_nodes.stop(grace_seconds=0)
                self._control_plane.stop()
            if wipe:
                shutil.rmtree(self._state)

    def load(self, archive: Path) -> None:
        """Do nothing: a fake node runs no image."""

    def status(self) -> Status:
        components = [Component.of(daemon) for daemon in (*self._control_plane.daemons, self._fake_nodes)]
        answers = self.kubeconfig.exists() and self.api.answers("/readyz")
        return Status(components, nodes_in(self.api.get("/api/v1/nodes")) if answers else ())

    def _noted_ports(self) -> Ports:
        note = self._state / "ports.json"
        return Ports(**json.loads(note.read_text())) if note.exists() else PORTS

    def _take_ports(self) -> None:
        """Settle on ports: those of programs that run, else the usual ones, else free ones."""
        if any(daemon.running() for daemon in self._control_plane.daemons):
            return
        ports = Ports(*free_ports(astuple(self._noted_ports())))
        self._state.mkdir(parents=True, exist_ok=True)
        (self._state / "ports.json").write_text(json.dumps(asdict(ports)))
        site = self._control_plane.site
        self._control_plane = ControlPlane(Site(site.state, site.name, site.node, ports=ports))

    def _start_fake_nodes(self) -> None:
        site = self._control_plane.site
        command = [sys.executable, "-m", "local.fake_nodes", f"--server={site.server}"]
        options = [f"--pki={site.authority.directory}", f"--nodes={self._nodes}"]
        self._fake_nodes.start(
            [*command, *options],
            files=[PACKAGE / "fake_nodes.py", site.authority.certificate],
            env={"PYTHONPATH": str(PACKAGE.parent)},
        )

    def _ready_nodes(self) -> int:
        return sum(node.is_ready for node in nodes_in(self.api.get("/api/v1/nodes")))


def _storage_class() -> dict[str, object]:
    """Return a default class of the full form's name; the fake nodes bind its claims."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {"metadata": {"name": STORAGE_CLASS, "annotations": default}, "provisioner": "eventstreams.dev/fake"}
