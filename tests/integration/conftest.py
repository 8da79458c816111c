"""What integration tests stand on: a real API server with our CRDs, a real broker, the operator as a process.

Each test session has a control plane and a broker of its own, started when first asked for and gone at the end, so
that sessions do not meet. Each test has a namespace of its own.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest
import yaml

from eventstreams.kube.apis import INSTANCES, SERVICE_IDS, TOPICS
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import NotFoundError
from integration.operator_process import OperatorProcess
from integration.waiting import until
from local.control_plane import Ports
from local.kafka import LocalKafka
from local.light import LightCluster
from local.ports import free_ports

CRDS = Path(__file__).parents[2] / "crds"

SOON: Final = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "1000"}
"""Properties with which a broker's death is noticed, and its return believed, after 3 s and not 9."""


LONGEST: Final = (
    "test_three_brokers.py",
    "test_external.py",
    "test_topic.py",
    "test_kafka_login.py",
    "test_kafka_start.py",
    "test_bad_days.py",
    "test_killed.py",
    "test_operator.py",
)
"""Files that begin first: whichever is begun last decides when all is done."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, after whatever has shuffled them."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what its brokers logged last with a test that failed: they take their logs with them."""
    report = yield
    if report.failed:
        for name, fixture in getattr(item, "funcargs", {}).items():
            if isinstance(fixture, LocalKafka):
                words = fixture.last_words().items()
                report.sections += [(f"log of {name}, node {node}", text) for node, text in words]
    return report


async def connect(kubeconfig: Path) -> Kube:
    return await Kube.connect(timeout_seconds=10, user_agent="tests", kubeconfig=str(kubeconfig))


async def apply_crds(kubeconfig: Path) -> None:
    """Apply the CRDs and return when their objects can be listed: that comes a moment after `Established`."""
    kube = await connect(kubeconfig)
    try:
        for path in sorted(CRDS.glob("*.yaml")):
            await kube.apply(yaml.safe_load(path.read_text()))
        for api in (INSTANCES, TOPICS, SERVICE_IDS):
            async with until(f"{api.plural} can be listed", seconds=20) as looking:
                async for _ in looking:
                    try:
                        await kube.list(api, None)
                        break
                    except NotFoundError:
                        continue
    finally:
        await kube.close()


@pytest.fixture(scope="session")
def light_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightCluster]:
    """Return a control plane with fake nodes: it can be broken and brought `up` again."""
    state = tmp_path_factory.mktemp("cluster")
    # ports of its own from the start: the usual ones are where sessions that begin together would meet
    (state / "ports.json").write_text(json.dumps(asdict(Ports(*free_ports([0] * 5)))))
    cluster = LightCluster(state=state)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down(wipe=True)


@pytest.fixture(scope="session")
def control_plane(light_cluster: LightCluster) -> Path:
    """Return the kubeconfig of a real API server that serves our kinds."""
    asyncio.run(apply_crds(light_cluster.kubeconfig))
    return light_cluster.kubeconfig


@pytest.fixture
async def kube(control_plane: Path) -> AsyncIterator[Kube]:
    """Return a client with all rights."""
    kube = await connect(control_plane)
    yield kube
    await kube.close()


@pytest.fixture
async def namespace(kube: Kube) -> AsyncIterator[str]:
    """Return a fresh namespace. Afterwards its objects of our kinds are deleted, and with them what they own.

    The namespace itself stays: its end would take a quarter of a second of CPU, as everything in it is looked for.
    """
    name = f"test-{secrets.token_hex(4)}"
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    for api in (SERVICE_IDS, TOPICS, INSTANCES):
        for left in (await kube.list(api, name, metadata_only=True)).items:
            metadata = left["metadata"]
            with suppress(NotFoundError):
                if metadata.get("finalizers"):
                    await kube.patch(api, name, metadata["name"], {"metadata": {"finalizers": None}})
                if "deletionTimestamp" not in metadata:
                    await kube.delete(api, name, metadata["name"])


@pytest.fixture(scope="session")
def kafka() -> Iterator[LocalKafka]:
    """Return a broker on loopback."""
    with LocalKafka(properties=SOON) as kafka:
        yield kafka


@pytest.fixture
async def operator(control_plane: Path, namespace: str, tmp_path: Path) -> AsyncIterator[OperatorProcess]:
    """Return the operator at work in the test's namespace, as a process of its own; stopped afterwards."""
    process = OperatorProcess(control_plane, namespace, tmp_path / "operator.log")
    async with process:
        yield process
