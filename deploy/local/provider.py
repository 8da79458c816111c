"""The one thing the rest of the project knows of a platform: a kubeconfig, and a way to give it images."""

from pathlib import Path
from typing import Protocol

from local.cluster import LocalCluster
from local.light import LightCluster
from local.progress import Progress
from local.status import Status


class Provider(Protocol):
    """A Kubernetes cluster for development and tests.

    Every method may be called in any state, and again: `up` repairs, `down` without a cluster does nothing. All raise
    PlatformError with what a person should do.
    """

    @property
    def name(self) -> str:
        """How a person calls it."""

    @property
    def kubeconfig(self) -> Path:
        """Where the administrator's kubeconfig is, or will be."""

    @property
    def node_address(self) -> str:
        """The address at which this machine reaches node ports."""

    @property
    def host_address(self) -> str:
        """The address at which pods reach this machine."""

    def up(self) -> Path:
        """Bring the cluster up and return the kubeconfig once pods can be made."""

    def down(self, *, wipe: bool = False) -> None:
        """End the cluster; `wipe` forgets its data too."""

    def load(self, archive: Path) -> None:
        """Give the nodes an image archive, as `docker save` or `write_archive` makes it."""

    def status(self) -> Status:
        """Say what runs."""


def cluster(progress: Progress | None = None) -> Provider:
    """Return the cluster with a real node; at present always the one on this machine itself."""
    return LocalCluster(progress)


def light(progress: Progress | None = None, state: Path | None = None) -> Provider:
    """Return a control plane with fake nodes; one per `state` directory."""
    return LightCluster(progress, state)
