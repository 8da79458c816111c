"""The operator killed in the middle of bursts, as often as it takes: nothing is lost, doubled or left behind."""

import asyncio
import base64
import hashlib
import json
import random
from pathlib import Path

import pytest

from eventstreams.api import conditions
from eventstreams.api.serviceid import KeyState, ServiceID
from eventstreams.core.keyring import DATA_KEY, load
from eventstreams.core.names import API_VERSION, COMPONENT
from eventstreams.kube.apis import CONFIG_MAPS, SECRETS, SERVICE_IDS, TOPICS, Manifest
from eventstreams.kube.client import Kube
from integration.operator_process import OperatorProcess
from integration.runtime.test_operator import external_instance
from integration.waiting import eventually
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration

BURST = 20
KILLS = 5


def burst(namespace: str) -> list[Manifest]:
    """Return topics, of which half are deleted in Kafka too, and a service ID for each."""
    made = []
    for number in range(BURST):
        metadata = {"namespace": namespace, "name": f"{namespace}-{number}"}
        policy = ("Delete", "Retain")[number % 2]
        specs: dict[str, Manifest] = {
            "Topic": {"deletionPolicy": policy},
            "ServiceID": {"role": "editor", "topics": [metadata["name"]]},
        }
        made += [
            {
                "apiVersion": API_VERSION,
                "kind": kind,
                "metadata": metadata,
                "spec": spec | {"instanceRef": {"name": "demo"}},
            }
            for kind, spec in specs.items()
        ]
    return made


async def killed_now_and_then(operator: OperatorProcess) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(random.uniform(0.05, 1.5))  # noqa: S311  # any moment is a good one to die, no secret
        await operator.kill()
        await operator.start()


async def ring(kube: Kube, namespace: str) -> dict[str, str]:
    """Return digest by key id, as the REST producer learns them."""
    shards = await kube.list(CONFIG_MAPS, namespace, labels=f"{COMPONENT}=keyring")
    keys = [key for one in shards.items for key in load(one["data"][DATA_KEY]).keys]
    assert len(keys) == len({key.id for key in keys})
    return {key.id: key.sha256 for key in keys}


async def secret_digest(kube: Kube, resource: ServiceID) -> str:
    secret = await kube.get(SECRETS, resource.metadata.namespace, resource.secret_name)
    assert secret is not None
    return hashlib.sha256(base64.b64decode(secret["data"]["api-key"])).hexdigest()


async def test_kills_in_a_burst_lose_nothing_and_leave_nothing_behind(
    kube: Kube, namespace: str, kafka: LocalKafka, control_plane: Path, tmp_path: Path
) -> None:
    operator = OperatorProcess(control_plane, namespace, tmp_path / "operator.log")
    async with operator:
        for manifest in external_instance(namespace, kafka):
            await kube.create(manifest)

        async with asyncio.TaskGroup() as group:
            group.create_task(killed_now_and_then(operator))
            for manifest in burst(namespace):
                group.create_task(kube.create(manifest))

        async def service_ids_ready() -> list[ServiceID] | None:
            listed = await kube.list(SERVICE_IDS, namespace)
            all_of_them = [ServiceID.model_validate(one) for one in listed.items]
            ready = [one for one in all_of_them if conditions.is_true(one.status.conditions, conditions.READY)]
            return ready if len(ready) == BURST else None

        async def topics_ready() -> bool:
            listed = await kube.list(TOPICS, namespace)
            text = json.dumps([one.get("status") for one in listed.items])
            return (
                len(listed.items) == BURST
                and text.count('"reason": "Ready", "status": "True", "type": "Ready"') == BURST
            )

        ready = await eventually(service_ids_ready, "service IDs are Ready", seconds=60)
        await eventually(topics_ready, "topics are Ready", seconds=60)

        known = await ring(kube, namespace)
        assert [[key.state for key in one.status.keys] for one in ready] == [[KeyState.ACTIVE]] * BURST
        assert known == {one.status.keys[0].id: one.status.keys[0].sha256 for one in ready}
        assert [await secret_digest(kube, one) for one in ready] == [one.status.keys[0].sha256 for one in ready]

        async with asyncio.TaskGroup() as group:
            group.create_task(killed_now_and_then(operator))
            for manifest in burst(namespace):
                api = TOPICS if manifest["kind"] == "Topic" else SERVICE_IDS
                group.create_task(kube.delete(api, namespace, manifest["metadata"]["name"]))

        async def gone() -> bool:
            return not any([(await kube.list(api, namespace)).items for api in (TOPICS, SERVICE_IDS)])

        await eventually(gone, "everything is gone", seconds=60)
        assert await ring(kube, namespace) == {}
        secrets = await kube.list(SECRETS, namespace, labels=f"{COMPONENT}=credentials")
        assert secrets.items == ()
    assert "Traceback" not in operator.log
