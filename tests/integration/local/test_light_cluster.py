"""The light form comes up, heals after its programs were killed, and leaves nothing running."""

import os
import signal
from collections.abc import Iterator

import pytest
import requests

from local.api import API
from local.light import LightCluster
from local.waiting import wait_until

pytestmark = pytest.mark.integration

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightCluster]:
    cluster = LightCluster(state=tmp_path_factory.mktemp("light"), nodes=2)
    cluster.up()
    yield cluster
    cluster.down(wipe=True)


def pids(cluster: LightCluster) -> dict[str, int | None]:
    return {component.name: component.pid for component in cluster.status().components}


def run_pod(api: API, name: str) -> None:
    containers = [{"name": "web", "image": "registry.local/none:1"}]
    api.create(PODS, {"metadata": {"name": name}, "spec": {"containers": containers}})

    def is_ready() -> bool:
        conditions = api.get(f"{PODS}/{name}")["status"].get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    wait_until(is_ready, f"readiness of {name}", seconds=20)


def test_a_pod_becomes_ready_on_a_fake_node(cluster: LightCluster) -> None:
    run_pod(cluster.api, "first")


def test_up_starts_what_was_killed_and_keeps_the_data(cluster: LightCluster) -> None:
    before = pids(cluster)
    killed = ("kube-apiserver", "fake-nodes")
    for name in killed:
        os.kill(before[name] or 0, signal.SIGKILL)
    wait_until(lambda: not cluster.status().is_healthy, "end of the killed programs", seconds=5)
    cluster.up()
    after = pids(cluster)
    # the controller manager may have given up by itself meanwhile
    assert {name for name in before if before[name] != after[name]} - {"kube-controller-manager"} == set(killed)
    run_pod(cluster.api, "after-the-crash")


def test_nobody_is_anonymous_but_health_checks_are(cluster: LightCluster) -> None:
    site = cluster._control_plane.site
    ca = str(site.authority.certificate)
    assert requests.get(f"{site.server}/readyz", verify=ca, timeout=10).text == "ok"
    assert requests.get(f"{site.server}/api", verify=ca, timeout=10).status_code == 401


def test_down_ends_every_program_and_up_finds_the_objects_again(cluster: LightCluster) -> None:
    run_pod(cluster.api, "kept")
    cluster.down()
    assert not any(pids(cluster).values())
    cluster.up()
    assert cluster.api.get(f"{PODS}/kept")["metadata"]["name"] == "kept"
