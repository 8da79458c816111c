"""What a platform says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table

from local.api import Object
from local.processes import Daemon


@dataclass(frozen=True, slots=True)
class Component:
    """One program; `pid` and `since` are None when it does not run."""

    name: str
    pid: int | None = None
    since: datetime | None = None

    @classmethod
    def of(cls, daemon: Daemon) -> "Component":
        running = daemon.running()
        return cls(daemon.name, running.pid, running.since) if running else cls(daemon.name)


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node as the API server sees it."""

    name: str
    is_ready: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Programs and nodes of one platform; no nodes are known while the API server is away."""

    components: Sequence[Component]
    nodes: Sequence[NodeState] = ()

    @property
    def is_healthy(self) -> bool:
        """All programs run, there is a node, and every node is Ready."""
        return (
            all(component.pid for component in self.components)
            and bool(self.nodes)
            and all(node.is_ready for node in self.nodes)
        )

    def table(self) -> RenderableType:
        """Return the status for a person."""
        table = Table("NAME", "STATE", "PID", "SINCE", box=None, pad_edge=False)
        for component in self.components:
            since = component.since.astimezone().strftime("%Y-%m-%d %H:%M:%S") if component.since else "<none>"
            state = "running" if component.pid else "stopped"
            table.add_row(component.name, state, str(component.pid or "<none>"), since)
        for node in self.nodes:
            table.add_row(f"node/{node.name}", "Ready" if node.is_ready else "NotReady", "<none>", "<none>")
        return table


def nodes_in(node_list: Object) -> list[NodeState]:
    """Return the nodes of a NodeList as the API server gives it."""
    states = []
    for item in node_list["items"]:
        ready = [it for it in item["status"].get("conditions", ()) if it["type"] == "Ready"]
        states.append(NodeState(item["metadata"]["name"], bool(ready) and ready[0]["status"] == "True"))
    return states
