"""Kopf as it is set up here, beside a real API server that answers late."""

import asyncio
import gc
from pathlib import Path

import pytest
import yaml

from eventstreams.kube.client import Kube
from eventstreams.runtime import kopf_setup
from integration.conftest import connect
from integration.instance.room import room_in
from integration.outage import port_of_api_server
from integration.proxy import Proxy
from integration.waiting import eventually

pytestmark = pytest.mark.integration


def through(proxy: Proxy, kubeconfig: Path, path: Path) -> Path:
    """Return a kubeconfig whose API server is behind the proxy."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_a_stop_while_kopf_still_asks_which_kinds_there_are_logs_no_error(
    kube: Kube, namespace: str, control_plane: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with room_in(kube, namespace) as room, Proxy(port_of_api_server(control_plane)) as proxy:
        slow = await connect(through(proxy, control_plane, tmp_path / "slow"))
        started, stop = asyncio.Event(), asyncio.Event()
        proxy.fall_silent()
        watching = asyncio.create_task(kopf_setup.watch(room.context, slow, started=started, stop=stop))
        await started.wait()
        await eventually(proxy.is_used, "Kopf's first request")

        stop.set()
        proxy.heal()
        async with asyncio.timeout(10):
            await watching
        await slow.close()
    gc.collect()  # asyncio logs errors that nobody took

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
