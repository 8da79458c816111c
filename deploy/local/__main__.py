"""The command line of the local platform: python -m local COMMAND."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from local import kafka_command
from local.binaries import tools
from local.cluster import LocalCluster
from local.errors import PlatformError
from local.light import LightCluster
from local.progress import Progress

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""
A real Kubernetes and a real Kafka on this Linux machine, without a container engine.

The **full** form runs pods: etcd, API server, controller manager, scheduler, kubelet, kube-proxy, containerd, CoreDNS
and dynamic volumes in a network namespace of their own. It needs root. The **light** form (`--light`) is the control
plane alone, with fake nodes on which pods become Ready without running; it needs no root. Both may run at once.

What is compiled or downloaded is kept in ~/.cache/eventstreams. Running platforms keep their state there too, or in
$EVENTSTREAMS_LOCAL_DIR.

First steps:

    python -m local up
    export KUBECONFIG=$(python -m local kubeconfig) PATH=$(python -m local tools):$PATH
    kubectl get pods --all-namespaces
    python -m local down
""",
)

Light = Annotated[bool, typer.Option("--light", help="The light form: control plane and fake nodes.")]
Wipe = Annotated[bool, typer.Option("--wipe", help="Forget the data too: objects, volumes, loaded images.")]
app.add_typer(kafka_command.app, name="kafka")


def _form(*, light: bool) -> LocalCluster | LightCluster:
    return LightCluster(Progress()) if light else LocalCluster(Progress())


@app.command()
def build() -> None:
    """Install Debian's packages, compile the programs, pack the images: all that `up` needs, once."""
    LocalCluster(Progress()).build()


@app.command()
def up(*, light: Light = False) -> None:
    """Start the cluster, or what is missing or broken of it; prints the kubeconfig's path."""
    print(_form(light=light).up())


@app.command()
def down(*, light: Light = False, wipe: Wipe = False) -> None:
    """End the cluster and leave nothing running, mounted or firewalled; without --wipe the next `up` goes on."""
    _form(light=light).down(wipe=wipe)


@app.command()
def status(*, light: Light = False) -> None:
    """Show every program and node (exit: 0 healthy, 1 not)."""
    form = _form(light=light)
    found = form.status()
    Console().print(found.table())
    print(f"\nkubeconfig: {form.kubeconfig}")
    if not found.is_healthy:
        raise typer.Exit(1)


@app.command()
def kubeconfig(*, light: Light = False) -> None:
    """Print the path of the administrator's kubeconfig."""
    print(_form(light=light).kubeconfig)


@app.command(name="tools")
def print_tools() -> None:
    """Print the directory of kubectl and helm, for PATH."""
    print(tools())


@app.command()
def load(
    archive: Annotated[Path, typer.Argument(help="An image archive, as docker save writes it.", exists=True)],
) -> None:
    """Give an image to the full cluster's node."""
    LocalCluster(Progress()).load(archive)


def main() -> int:
    """Run one command; what a person can put right is said in a line, not in a traceback."""
    try:
        app()
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
