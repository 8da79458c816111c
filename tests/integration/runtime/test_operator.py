"""The operator as a process on a real API server and a real broker: start, work, hand-over, end."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from eventstreams.api import conditions
from eventstreams.core.names import FINALIZER, GROUP
from eventstreams.kube.apis import LEASES, TOPICS, Manifest
from eventstreams.kube.client import Kube
from integration.accounts import account
from integration.operator_process import OperatorProcess
from integration.outage import restart_api_server
from integration.runtime.topics import make_topic, read_topic, ready_condition
from integration.waiting import eventually
from local.kafka import LocalKafka
from local.light import LightCluster

pytestmark = pytest.mark.integration

MakeOperator = Callable[..., OperatorProcess]


@pytest.fixture
def make_operator(control_plane: Path, namespace: str, tmp_path: Path) -> MakeOperator:
    def make(name: str = "a", *, kubeconfig: Path = control_plane, **settings: str) -> OperatorProcess:
        return OperatorProcess(kubeconfig, namespace, tmp_path / f"{name}.log", pod_name=name, **settings)

    return make


async def holder(kube: Kube, namespace: str) -> str:
    lease = await kube.get(LEASES, namespace, "eventstreams-operator")
    return "" if lease is None else lease["spec"]["holderIdentity"]


async def judged(kube: Kube, namespace: str, name: str = "orders", *, generation: int = 1) -> tuple[str, str]:
    """Wait until the operator has judged a generation of a Topic; return status and reason of Ready."""

    async def look() -> tuple[str, str] | None:
        topic = await read_topic(kube, namespace, name)
        return ready_condition(topic)[:2] if topic.status.observed_generation == generation else None

    return await eventually(look, f"generation {generation} of {name} judged", seconds=30)


async def test_bad_settings_stop_the_start_and_name_the_right_ones(make_operator: MakeOperator) -> None:
    operator = make_operator(lease_seconds="10")
    await operator.start()

    assert await operator.ended() == 2
    assert "EVENTSTREAMS_LEASE_SECONDS is unknown; did you mean EVENTSTREAMS_LEASE_" in operator.log


async def test_missing_rights_stop_the_start_and_are_named(
    kube: Kube, namespace: str, tmp_path: Path, make_operator: MakeOperator
) -> None:
    nobody = await account(kube, namespace, tmp_path / "kubeconfig")
    operator = make_operator(kubeconfig=nobody)
    await operator.start()

    assert await operator.ended() == 1
    assert f"the operator lacks a right in namespace {namespace}" in operator.log
    assert "Traceback" not in operator.log


async def test_it_works_with_rights_in_its_namespaces_alone(
    kube: Kube, namespace: str, tmp_path: Path, make_operator: MakeOperator
) -> None:
    rules: list[Manifest] = [
        {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
        {"apiGroups": [""], "resources": ["services", "pods", "configmaps"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]
    config = await account(kube, namespace, tmp_path / "kubeconfig", rules=rules)
    async with make_operator(kubeconfig=config) as operator:
        await make_topic(kube, namespace)

        assert await judged(kube, namespace) == ("False", "InstanceNotFound")
        assert "forbidden" not in operator.log


async def test_sigterm_ends_it_in_order_and_the_lease_is_given_back(
    kube: Kube, namespace: str, operator: OperatorProcess
) -> None:
    assert await holder(kube, namespace) == "operator"

    assert await operator.stop() == 0

    assert await holder(kube, namespace) == ""
    assert operator.log.index("Stopping") < operator.log.index("Stopped") < operator.log.index("Released the Lease")
    assert "Traceback" not in operator.log


async def test_a_standby_is_live_and_ready_and_takes_over_at_once_from_a_holder_that_stops(
    kube: Kube, namespace: str, make_operator: MakeOperator
) -> None:
    async with make_operator("a") as first:
        second = make_operator("b")
        await second.start()
        await second.logged("On standby")
        assert [(await second.get(path))[0] for path in ("/healthz", "/readyz")] == [200, 200]

        await first.stop()
        async with asyncio.timeout(10), second:
            assert await holder(kube, namespace) == "b"


async def test_a_standby_that_is_stopped_ends_and_takes_nothing(
    kube: Kube, namespace: str, make_operator: MakeOperator
) -> None:
    async with make_operator("a"):
        second = make_operator("b")
        await second.start()
        await second.logged("On standby")

        assert await second.stop() == 0
        assert await holder(kube, namespace) == "a"


async def test_a_holder_that_slept_through_its_lease_ends_without_acting(
    kube: Kube, namespace: str, make_operator: MakeOperator
) -> None:
    short = {"lease_duration_seconds": "7", "lease_renew_deadline_seconds": "4", "lease_retry_seconds": "0.3"}
    short |= {"kube_timeout_seconds": "2", "kafka_timeout_seconds": "2"}
    async with make_operator("a", **short) as first:
        first.signal(signal.SIGSTOP)
        async with make_operator("b", **short) as second:
            await make_topic(kube, namespace)
            await judged(kube, namespace)
            first.signal(signal.SIGCONT)

            assert await first.ended() == 3
            assert "Lost the Lease" in first.log
            assert second.is_running


async def test_work_goes_on_after_a_crash(kube: Kube, namespace: str, make_operator: MakeOperator) -> None:
    operator = make_operator()
    async with operator:
        await operator.kill()
        await make_topic(kube, namespace)
        await operator.start()  # the same pod: its Lease is taken back at once

        assert await judged(kube, namespace) == ("False", "InstanceNotFound")


async def test_after_the_api_server_was_away_edits_are_seen_again(
    light_cluster: LightCluster, kube: Kube, namespace: str, make_operator: MakeOperator
) -> None:
    async with make_operator(lease_duration_seconds="60", lease_renew_deadline_seconds="45") as operator:
        await make_topic(kube, namespace)
        await judged(kube, namespace)
        await restart_api_server(light_cluster)
        await kube.patch(TOPICS, namespace, "orders", {"spec": {"partitions": 3}})

        assert await judged(kube, namespace, generation=2) == ("False", "InstanceNotFound")
        assert operator.is_running


async def test_health_and_metrics_are_served(kube: Kube, namespace: str, operator: OperatorProcess) -> None:
    await make_topic(kube, namespace)
    await judged(kube, namespace)

    status, metrics = await operator.get("/metrics")

    assert (status, (await operator.get("/healthz"))[0]) == (200, 200)
    assert "eventstreams_leader 1.0" in metrics
    assert 'eventstreams_resources{kind="Topic",ready="False"} 1.0' in metrics
    assert 'eventstreams_reconciliations_total{kind="Topic",result="not_yet"}' in metrics


def external_instance(namespace: str, kafka: LocalKafka) -> list[Manifest]:
    """Return an instance on a Kafka that exists, with the Secrets that it names; its name makes it the operator's."""
    secrets = {
        "kafka-user": {"username": kafka.admin_user, "password": kafka.admin_password},
        "kafka-ca": {"ca.crt": kafka.ca_pem},
    }
    spec = {
        "bootstrapServers": kafka.bootstrap_sasl,
        "tls": {"caSecretRef": {"name": "kafka-ca"}},
        "authentication": {"secretRef": {"name": "kafka-user"}},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": name},
            "stringData": texts,
        }
        for name, texts in secrets.items()
    ] + [
        {
            "apiVersion": f"{GROUP}/v1beta1",
            "kind": "EventStreamsInstance",
            "metadata": {"namespace": namespace, "name": "demo"},
            "spec": {"kafka": {"external": spec}},
        }
    ]


async def test_a_topic_waits_for_its_instance_is_made_outlives_a_restart_unwritten_and_goes(
    kube: Kube, namespace: str, kafka: LocalKafka, operator: OperatorProcess
) -> None:
    await make_topic(kube, namespace, f"orders-{namespace}", partitions=3, deletionPolicy="Delete")
    name = f"orders-{namespace}"
    assert await judged(kube, namespace, name) == ("False", "InstanceNotFound")

    for manifest in external_instance(namespace, kafka):
        await kube.create(manifest)

    async def ready() -> bool:
        topic = await read_topic(kube, namespace, name)
        return conditions.is_true(topic.status.conditions, conditions.READY)

    await eventually(ready, f"{name} is Ready", seconds=60)
    topic = await read_topic(kube, namespace, name)
    assert topic.status.partitions == 3
    assert topic.metadata.finalizers == (FINALIZER,)

    await operator.stop()
    await operator.start()
    await operator.reconciled("Topic")
    assert await read_topic(kube, namespace, name) == topic, "a restart that finds all in place writes nothing"

    await kube.delete(TOPICS, namespace, name)

    async def gone() -> bool:
        return await kube.get(TOPICS, namespace, name) is None

    await eventually(gone, f"{name} is gone", seconds=30)
    assert "Traceback" not in operator.log
