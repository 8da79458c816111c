"""A service ID's key on a real API server: minted, damaged, restored, revoked, and the operator killed meanwhile."""

import asyncio
import base64
import time

import pytest

from eventstreams.api.serviceid import KeyState, ServiceID
from eventstreams.core import apikey
from eventstreams.kube.apis import CONFIG_MAPS, EVENTS, INSTANCES, SECRETS, SERVICE_IDS
from eventstreams.kube.client import Kube
from eventstreams.runtime.context import Context
from integration.serviceid.rig import CA_PEM, Rig
from integration.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(kube: Kube, namespace: str) -> Rig:
    """Return a namespace with an instance that is Ready by hand."""
    rig = Rig(kube, namespace)
    await rig.instance()
    return rig


async def test_a_service_id_becomes_ready_with_its_secret_and_keyring(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        resource = await rig.ready()
    (key,) = resource.status.keys
    text = await rig.key_text()
    assert (key.state, key.sha256) == (KeyState.ACTIVE, apikey.digest(text))
    assert (await rig.keyring())[key.id].topics == ("orders",)
    secret = await rig.secret()
    assert secret is not None
    assert secret["type"] == "servicebinding.io/kafka"
    assert {name: base64.b64decode(value).decode() for name, value in secret["data"].items()} == {
        "type": "kafka",
        "provider": "eventstreams",
        "api-key": text,
        "api-endpoint": "https://demo-rest.ns.svc",
        "api-endpoint-external": "https://203.0.113.7:32443",
        "ca.crt": CA_PEM,
    }


async def test_all_16_shards_exist_and_belong_to_the_instance(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        await rig.ready()
    labels = "eventstreams.dev/instance=demo,app.kubernetes.io/component=keyring"
    shards = (await rig.kube.list(CONFIG_MAPS, rig.namespace, labels=labels)).items
    instance = await rig.kube.get(INSTANCES, rig.namespace, "demo")
    assert instance is not None
    assert sorted(one["metadata"]["name"] for one in shards) == sorted(f"demo-keyring-{n}" for n in range(16))
    assert {one["metadata"]["ownerReferences"][0]["uid"] for one in shards} == {instance["metadata"]["uid"]}


async def test_a_restart_over_what_is_in_place_writes_nothing(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        await rig.ready()
    before = await rig.versions()
    async with rig.operating() as context:
        await eventually(lambda: _is_idle(context), "the queue is empty")
    assert await rig.versions() == before


async def test_an_edited_topic_list_reaches_the_keyring_with_the_same_key(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        await rig.ready()
        text = await rig.key_text()
        await rig.kube.patch(SERVICE_IDS, rig.namespace, "app", {"spec": {"topics": ["pay-*"]}})
        resource = await rig.ready()
    assert (await rig.keyring())[resource.status.keys[0].id].topics == ("pay-*",)
    assert await rig.key_text() == text


async def test_a_deleted_service_id_leaves_neither_secret_nor_keyring_entry(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        await rig.ready()
        await rig.kube.delete(SERVICE_IDS, rig.namespace, "app")
        await rig.gone()
        assert await rig.secret() is None
        assert await rig.keyring() == {}


async def test_a_service_id_whose_instance_is_gone_can_be_deleted(rig: Rig) -> None:
    async with rig.operating() as context:
        await rig.service_id()
        await rig.ready()
        await rig.kube.delete(INSTANCES, rig.namespace, "demo")
        await eventually(lambda: _has_no_instance(context), "the instance is gone")
        await rig.kube.delete(SERVICE_IDS, rig.namespace, "app")
        await rig.gone()
    assert await rig.secret() is None


async def test_a_foreign_secret_is_never_overwritten(rig: Rig) -> None:
    metadata = {"namespace": rig.namespace, "name": "app-credentials"}
    await rig.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"mine": "x"}})
    async with rig.operating():
        await rig.service_id()
        resource = await rig.ready(status="False")
        assert {one.type: one.reason for one in resource.status.conditions}["Conflict"] == "SecretConflict"
        await rig.kube.delete(SERVICE_IDS, rig.namespace, "app")
        await rig.gone()
    secret = await rig.secret()
    assert secret is not None
    assert base64.b64decode(secret["data"]["mine"]) == b"x"


async def test_a_deleted_secret_is_replaced_and_the_old_key_goes_on_for_the_overlap(rig: Rig) -> None:
    async with rig.operating() as context:
        await rig.service_id()
        old = (await rig.ready()).status.keys[0]
        await rig.kube.delete(SECRETS, rig.namespace, "app-credentials")
        context.service_ids.wake_where(lambda _: True)  # as its check every ten minutes does
        resource = await eventually(lambda: _generation(rig, 2), "the second generation is Active")
    retired = resource.status.keys[0]
    assert (retired.id, retired.state) == (old.id, KeyState.RETIRING)
    keyring = await rig.keyring()
    assert keyring[old.id].expires_at == retired.expires_at
    assert keyring[resource.status.keys[1].id].sha256 == apikey.digest(await rig.key_text())


async def test_a_status_that_was_dropped_is_rebuilt_from_the_secret(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        before = (await rig.ready()).status.keys
    await rig.kube.patch(SERVICE_IDS, rig.namespace, "app", {"status": {"keys": None}}, subresource="status")
    async with rig.operating():
        resource = await eventually(lambda: _generation(rig, 1), "the key is known again")
    assert resource.status.keys == before


async def test_a_person_reads_of_the_minted_key_in_an_event_without_its_text(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        resource = await rig.ready()
    said = (await rig.kube.list(EVENTS, rig.namespace)).items
    (minted,) = [one for one in said if one["reason"] == "KeyMinted"]
    assert minted["message"] == f"API key {resource.status.keys[0].id} of generation 1 is in Secret app-credentials"


async def test_the_keys_text_is_in_no_other_object_of_the_namespace(rig: Rig) -> None:
    async with rig.operating():
        await rig.service_id()
        await rig.ready()
    secret_part = (await rig.key_text()).split("_")[2]
    for api in (SERVICE_IDS, INSTANCES, CONFIG_MAPS, EVENTS):
        assert secret_part not in repr((await rig.kube.list(api, rig.namespace)).items)


class Killed(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("step", [0, 1, 2, 5, 18, 19, 20])
async def test_killed_at_a_write_the_next_process_ends_with_one_key(rig: Rig, step: int) -> None:
    writes = 0

    def dies() -> None:
        nonlocal writes
        writes += 1
        if writes > step:
            raise Killed

    await rig.service_id()
    with pytest.raises(BaseExceptionGroup):
        async with rig.operating(dies):
            await asyncio.Event().wait()
    async with rig.operating():
        resource = await rig.ready()
    (key,) = resource.status.keys
    assert key.sha256 == apikey.digest(await rig.key_text())
    assert {one: grant.sha256 for one, grant in (await rig.keyring()).items()} == {key.id: key.sha256}


async def test_a_hundred_service_ids_at_once_are_ready_soon(rig: Rig) -> None:
    names = [f"app-{number}" for number in range(100)]
    async with rig.operating():
        started = time.monotonic()
        for name in names:
            await rig.service_id(name)
        for name in names:
            await rig.ready(name)
        seconds = time.monotonic() - started
    assert len(await rig.keyring()) == 100
    assert seconds < 30  # 4 s on two idle cores


async def _is_idle(context: Context) -> bool:
    queue = context.service_ids.queue
    return not len(queue) and not queue._working


async def _has_no_instance(context: Context) -> bool:
    return not list(context.instances.store.values())


async def _generation(rig: Rig, generation: int) -> ServiceID | None:
    resource = await rig.get()
    active = [key.generation for key in resource.status.keys if key.state is KeyState.ACTIVE]
    return resource if active == [generation] else None
