"""The life of a service ID's key in a cluster in memory."""

import base64
import logging
from datetime import timedelta

import pytest

from eventstreams.api.serviceid import KeyState
from eventstreams.core import apikey
from eventstreams.core.key import Key
from eventstreams.kube.apis import CONFIG_MAPS, EVENTS, INSTANCES, SECRETS, SERVICE_IDS
from eventstreams.serviceid.credentials import label_value
from unit.serviceid.memory_kube import merged
from unit.serviceid.samples import CA_PEM
from unit.serviceid.world import APP, ES, World, ready_world

TRUE = ("True", "Ready")


async def test_a_service_id_gets_one_active_key_in_status_keyring_and_secret() -> None:
    world = await ready_world()
    (key,) = world.service_id().status.keys
    assert key.state is KeyState.ACTIVE
    assert apikey.digest(world.key_text()) == key.sha256 == world.keyring()[key.id].sha256
    assert world.keyring()[key.id].topics == ("orders",)
    assert world.condition("Ready") == TRUE


async def test_the_status_names_the_secret_and_the_resource_has_the_finalizer() -> None:
    resource = (await ready_world()).service_id()
    assert resource.status.binding is not None
    assert resource.status.binding.name == "app-credentials"
    assert resource.metadata.finalizers == ("eventstreams.dev/cleanup",)
    assert resource.status.observed_generation == 1


async def test_looking_again_writes_nothing() -> None:
    world = await ready_world()
    before = world.kube.changes
    await world.wake_all()
    world.restart()
    await world.settle()
    assert world.kube.changes == before


async def test_all_16_shards_exist_after_the_first_sync_of_an_instance_without_service_ids() -> None:
    world = World()
    await world.create_instance()
    await world.keyrings.sync(ES)
    assert {key.name for api, key in world.kube.objects if api == CONFIG_MAPS and "keyring" in key.name} == {
        f"es-keyring-{number}" for number in range(16)
    }


async def test_a_person_hears_of_a_minted_key_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = await ready_world()
    messages = [one["message"] for (api, _), one in world.kube.objects.items() if api == EVENTS]
    assert messages == [f"API key {world.service_id().status.keys[0].id} of generation 1 is in Secret app-credentials"]
    assert "Minted key" in [record.message for record in caplog.records]


async def test_the_keys_text_is_nowhere_but_in_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = await ready_world()
    text = world.key_text()
    secret_part = text.split("_")[2]
    others = [one for (api, _), one in world.kube.objects.items() if api != SECRETS]
    assert secret_part not in repr(others)
    assert secret_part not in repr([vars(record) for record in caplog.records])


async def test_an_edited_topic_list_reaches_the_keyring_and_keeps_the_key() -> None:
    world = await ready_world()
    text = world.key_text()
    await world.kube.patch(SERVICE_IDS, *APP, {"spec": {"topics": ["pay-*", "orders"]}})
    await world.settle()
    (grant,) = world.keyring().values()
    assert grant.topics == ("orders", "pay-*")
    assert world.key_text() == text


async def test_deleting_a_service_id_removes_keyring_entry_and_secret_in_this_order() -> None:
    world = await ready_world()
    seen: list[str] = []
    world.kube.changed = lambda api, event, one: seen.append(f"{event} {api.kind} {one['metadata']['name'][:10]}")
    manifest = merged(world.kube.objects[SERVICE_IDS, APP], {"metadata": {"deletionTimestamp": "2026-11-01T13:00:00Z"}})
    world.kube.objects[SERVICE_IDS, APP] = merged(manifest, {"metadata": {"resourceVersion": "999"}})
    world.context.service_ids.seen({"type": "MODIFIED", "object": world.kube.objects[SERVICE_IDS, APP]})
    await world.settle()
    assert seen == ["MODIFIED ConfigMap es-keyring", "DELETED Secret app-creden", "DELETED ServiceID app"]
    assert world.keyring() == {}


async def test_a_service_id_whose_instance_is_gone_is_let_go_at_once() -> None:
    world = await ready_world()
    await world.kube.delete(INSTANCES, *ES)
    await world.kube.delete(SERVICE_IDS, *APP)
    await world.settle()
    assert (SERVICE_IDS, APP) not in world.kube.objects
    assert world.secret() is None


async def test_a_service_id_removed_without_its_finalizer_is_revoked_all_the_same() -> None:
    world = await ready_world()
    world.kube._drop((SERVICE_IDS, APP))
    await world.settle()
    assert world.keyring() == {}


async def test_a_foreign_secret_is_not_touched_and_the_conflict_says_what_to_do() -> None:
    world = World()
    await world.create_instance()
    foreign = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "team", "name": "app-credentials"}}
    await world.kube.create({**foreign, "type": "Opaque", "data": {"mine": "eA=="}})
    await world.create_service_id()
    await world.settle()
    assert world.secret() == world.kube.objects[SECRETS, Key("team", "app-credentials")]
    assert (world.secret() or {})["data"] == {"mine": "eA=="}
    assert world.condition("Ready") == ("False", "SecretConflict")
    assert world.condition("Conflict") == ("True", "SecretConflict")
    assert world.service_id().status.keys == ()


async def test_the_conflict_ends_when_the_foreign_secret_goes() -> None:
    world = World()
    await world.create_instance()
    await world.kube.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "team", "name": "app-credentials"}}
    )
    await world.create_service_id()
    await world.settle()
    await world.kube.delete(SECRETS, "team", "app-credentials")
    await world.wake_all()
    assert world.condition("Ready") == TRUE
    assert world.condition("Conflict") == ("False", "Ready")


async def test_a_foreign_secret_survives_the_deletion_of_the_service_id() -> None:
    world = await ready_world()
    secret = world.secret() or {}
    secret["metadata"]["labels"] = {}
    await world.kube.delete(SERVICE_IDS, *APP)
    await world.settle()
    assert world.secret() is not None
    assert (SERVICE_IDS, APP) not in world.kube.objects


async def test_a_deleted_secret_gives_a_new_key_and_the_old_one_works_for_a_day() -> None:
    world = await ready_world()
    old = world.service_id().status.keys[0]
    await world.kube.delete(SECRETS, "team", "app-credentials")
    await world.wake_all()
    assert [(key.generation, key.state) for key in world.service_id().status.keys] == [
        (1, KeyState.RETIRING),
        (2, KeyState.ACTIVE),
    ]
    assert old.id in world.keyring()
    world.clock.move(timedelta(hours=24, minutes=1))
    await world.settle()
    assert old.id not in world.keyring()
    assert [key.generation for key in world.service_id().status.keys] == [2]


async def test_a_damaged_secret_is_written_anew() -> None:
    world = await ready_world()
    data = {"api-key": base64.b64encode(b"tampered").decode()}
    await world.kube.patch(SECRETS, "team", "app-credentials", {"data": data})
    await world.wake_all()
    current = world.service_id().status.keys[-1]
    assert apikey.digest(world.key_text()) == current.sha256
    assert current.generation == 2


async def test_a_status_that_a_restore_dropped_is_rebuilt_from_the_secret() -> None:
    world = await ready_world()
    key, text = world.service_id().status.keys[0], world.key_text()
    del world.kube.objects[SERVICE_IDS, APP]["status"]
    for number in range(16):
        del world.kube.objects[CONFIG_MAPS, Key("team", f"es-keyring-{number}")]
    world.restart()
    await world.settle()
    assert world.service_id().status.keys == (key,)
    assert world.key_text() == text
    assert key.id in world.keyring()


async def test_a_forged_secret_cannot_take_the_id_of_another_service_id() -> None:
    world = await ready_world()
    stolen = world.secret() or {}
    await world.create_service_id("thief")

    await world.kube.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": stolen["type"],
            "metadata": {
                "namespace": "team",
                "name": "thief-credentials",
                "labels": stolen["metadata"]["labels"] | {"eventstreams.dev/service-id": label_value("thief")},
            },
            "data": stolen["data"],
        }
    )
    await world.settle()
    thief = world.service_id(Key("team", "thief"))
    assert thief.status.keys[0].id != world.service_id().status.keys[0].id
    assert world.keyring()[world.service_id().status.keys[0].id].owner == "team/app"


async def test_a_new_ca_reaches_the_secret_and_keeps_the_key() -> None:
    world = await ready_world()
    text = world.key_text()
    await world.kube.patch(CONFIG_MAPS, "team", "es-ca-bundle", {"data": {"ca.crt": "two CAs"}})
    status = {"caBundle": {"configMap": "es-ca-bundle", "fingerprints": ["f2", "f1"]}}
    await world.kube.patch(INSTANCES, *ES, {"status": status}, subresource="status")
    await world.wake_all()
    secret = world.secret() or {}
    assert base64.b64decode(secret["data"]["ca.crt"]) == b"two CAs"
    assert world.key_text() == text


async def test_the_secret_holds_the_instances_ca() -> None:
    secret = (await ready_world()).secret() or {}
    assert base64.b64decode(secret["data"]["ca.crt"]).decode() == CA_PEM


@pytest.mark.parametrize(
    ("status", "says"),
    [({"endpoints": []}, "no endpoint yet"), ({"caBundle": None}, "no CA bundle yet")],
)
async def test_no_key_is_minted_before_the_secret_can_be_whole(status: dict[str, object], says: str) -> None:
    world = World()
    await world.create_instance(**status)
    await world.create_service_id()
    await world.settle()
    conditions = {one.type: one for one in world.service_id().status.conditions}
    assert conditions["Ready"].reason == "InstanceNotReady"
    assert says in conditions["Ready"].message
    assert world.service_id().status.keys == ()


async def test_a_service_id_without_instance_waits_for_it() -> None:
    world = World()
    await world.create_service_id()
    await world.settle()
    assert world.condition("Ready") == ("False", "InstanceNotFound")
    await world.create_instance()
    await world.wake_all()
    assert world.condition("Ready") == TRUE


async def test_an_instance_on_its_way_out_says_what_to_do() -> None:
    world = World()
    await world.create_instance()
    key = INSTANCES, Key("team", "es")
    going = {"metadata": {"deletionTimestamp": "2026-11-01T13:00:00Z", "finalizers": ["somebody/else"]}}
    world.kube._keep(key, merged(world.kube.objects[key], going), "MODIFIED")
    await world.create_service_id()
    await world.settle()
    (ready,) = [one for one in world.service_id().status.conditions if one.type == "Ready"]
    assert ready.reason == "InstanceNotReady"
    assert "create it again when it is gone, or delete this resource" in ready.message


async def test_a_service_id_of_another_namespace_is_refused() -> None:
    world = World()
    await world.create_instance()
    await world.create_service_id(instanceRef={"name": "es", "namespace": "elsewhere"})
    await world.settle()
    assert world.condition("Ready") == ("False", "NotPermitted")
    assert world.condition("Stalled") == ("True", "NotPermitted")
