"""An API server that crashes and comes back, as tests of watches need it."""

import asyncio
import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from integration.waiting import eventually
from local.light import LightCluster
from local.ports import is_free


def port_of_api_server(kubeconfig: Path) -> int:
    config = yaml.safe_load(kubeconfig.read_text())
    return urlsplit(config["clusters"][0]["cluster"]["server"]).port or 0


async def restart_api_server(cluster: LightCluster) -> None:
    """Kill the API server, and return when another one answers with the same data."""
    port = port_of_api_server(cluster.kubeconfig)
    pid = next(part.pid for part in cluster.status().components if part.name == "kube-apiserver")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    async def let_go() -> bool:
        return is_free(port)

    await eventually(let_go, f"port {port} is free")
    await asyncio.to_thread(cluster.up)
