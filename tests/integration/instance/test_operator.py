"""Instances under the operator as it runs: nobody tells it to look."""

from pathlib import Path

import pytest

from eventstreams.core import names
from eventstreams.kube.apis import API, DEPLOYMENTS, INSTANCES, PODS, SECRETS, SERVICES, Manifest
from eventstreams.kube.client import Kube
from integration.instance.room import external, give_credentials
from integration.operator_process import OperatorProcess
from integration.waiting import eventually
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration


async def test_what_somebody_deletes_comes_back_by_itself(
    kube: Kube, namespace: str, kafka: LocalKafka, operator: OperatorProcess
) -> None:
    await give_credentials(kube, namespace, kafka)
    await declare(kube, namespace, external(kafka))
    await ready(kube, namespace)

    for api in (DEPLOYMENTS, SERVICES):
        before = await kube.get(api, namespace, "demo-rest")
        assert before is not None
        await kube.delete(api, namespace, "demo-rest")

        await another(kube, api, namespace, before)

    await ready(kube, namespace)


async def test_a_broker_is_restarted_by_a_new_setting(
    kube: Kube, control_plane: Path, namespace: str, tmp_path: Path
) -> None:
    # a fake broker never answers: the operator shall not wait long for it
    async with OperatorProcess(control_plane, namespace, tmp_path / "operator.log", kafka_timeout_seconds="1"):
        await declare(kube, namespace, {"managed": {"storage": {"ephemeral": {}}}})
        before = await eventually(lambda: kube.get(PODS, namespace, "demo-kafka-0"), "there is a broker", seconds=30)
        settings = {"log.retention.hours": 24}

        await declare(kube, namespace, {"managed": {"storage": {"ephemeral": {}}, "config": settings}})

        await another(kube, PODS, namespace, before)


async def test_everything_goes_with_the_instance_and_nothing_comes_back(
    kube: Kube, namespace: str, kafka: LocalKafka, operator: OperatorProcess
) -> None:
    await give_credentials(kube, namespace, kafka)
    await declare(kube, namespace, external(kafka))
    await ready(kube, namespace)

    await kube.delete(INSTANCES, namespace, "demo")

    async def is_empty() -> bool:
        listed = [
            await kube.list(api, namespace, labels=names.INSTANCE_LABEL) for api in (DEPLOYMENTS, SERVICES, SECRETS)
        ]
        return not any(one.items for one in listed)

    # Kubernetes' garbage collector looks for new kinds every 30 s: in a fresh cluster it has to learn ours first
    await eventually(is_empty, "everything is gone", seconds=90)
    assert "Traceback" not in operator.log


async def declare(kube: Kube, namespace: str, kafka: Manifest) -> None:
    metadata = {"name": "demo", "namespace": namespace}
    await kube.apply(
        {
            "apiVersion": INSTANCES.api_version,
            "kind": INSTANCES.kind,
            "metadata": metadata,
            "spec": {"kafka": kafka},
        }
    )


async def ready(kube: Kube, namespace: str) -> None:
    async def look() -> bool:
        found = await kube.get(INSTANCES, namespace, "demo")
        conditions = (found or {}).get("status", {}).get("conditions", ())
        return {(one["type"], one["status"]) for one in conditions} >= {("Ready", "True"), ("Reconciling", "False")}

    await eventually(look, "the instance is Ready", seconds=30)


async def another(kube: Kube, api: API, namespace: str, before: Manifest) -> None:
    """Return when there is an object of the same name that is not `before`."""
    name, uid = before["metadata"]["name"], before["metadata"]["uid"]

    async def look() -> bool:
        found = await kube.get(api, namespace, name)
        return found is not None and found["metadata"]["uid"] != uid

    await eventually(look, f"another {api.kind} {name}", seconds=30)
