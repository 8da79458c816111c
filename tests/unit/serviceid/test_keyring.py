"""The writing of keyrings: what is written, how often, and what many callers at once get."""

import asyncio

import pytest

from eventstreams.core.apikey import KeyId
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.core.keyring import DATA_KEY, load, shard_of
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import CONFIG_MAPS, INSTANCES, SERVICE_IDS, Manifest
from unit.serviceid.samples import key_status, some_key
from unit.serviceid.world import APP, ES, World, ready_world


def shard(world: World, number: int) -> Manifest:
    return world.kube.objects[CONFIG_MAPS, Key("team", f"es-keyring-{number}")]


def revisions(world: World) -> list[int]:
    return [load(shard(world, number)["data"][DATA_KEY]).revision for number in range(16)]


async def known_world(count: int = 0) -> World:
    """Return a world whose store holds an instance and so many service IDs with a key each, nothing written yet."""
    world = World()
    await world.create_instance()
    for number in range(count):
        await add_service_id(world, number)
    return world


async def add_service_id(world: World, number: int) -> None:
    name = f"app-{number}"
    await world.create_service_id(name)
    keys = [key_status(number + 1).model_dump(mode="json", by_alias=True, exclude_none=True)]
    await world.kube.patch(SERVICE_IDS, "team", name, {"status": {"keys": keys}}, subresource="status")


async def test_a_shard_is_owned_by_its_instance_and_labelled() -> None:
    world = await known_world()
    await world.keyrings.sync(ES)
    metadata = shard(world, 3)["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/name": "eventstreams",
        "app.kubernetes.io/managed-by": "eventstreams-operator",
        "app.kubernetes.io/component": "keyring",
        "eventstreams.dev/instance": "es",
    }
    owner = world.kube.objects[INSTANCES, ES]["metadata"]["uid"]
    assert [(one["kind"], one["name"], one["uid"]) for one in metadata["ownerReferences"]] == [
        ("EventStreamsInstance", "es", owner)
    ]


async def test_only_the_shard_whose_keys_differ_is_written_with_the_next_revision() -> None:
    world = await known_world()
    await world.keyrings.sync(ES)
    before = revisions(world)
    await add_service_id(world, 0)
    await world.keyrings.sync(ES)
    changed = shard_of(some_key(1).id)
    assert revisions(world) == [one + (number == changed) for number, one in enumerate(before)]


async def test_many_calls_at_once_share_one_write_that_covers_all() -> None:
    world = await known_world(100)
    await world.keyrings.sync(ES)
    lists = world.kube.lists
    for number in range(100, 150):
        await add_service_id(world, number)
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(world.keyrings.sync(ES))
    assert world.kube.lists - lists == 1
    assert len(world.keyring()) == 150


async def test_a_change_made_while_a_write_is_under_way_is_written_before_its_caller_returns() -> None:
    world = await known_world(1)
    writing = asyncio.Event()

    async def change_in_between() -> None:
        await writing.wait()
        await add_service_id(world, 1)
        await world.keyrings.sync(ES)
        assert some_key(2).id in world.keyring()

    world.kube.on_change = lambda _: writing.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(change_in_between())
        group.create_task(world.keyrings.sync(ES))


async def test_a_cancelled_call_leaves_its_write_to_the_next_in_line() -> None:
    world = await known_world(1)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(world.keyrings.sync(ES))
        group.create_task(world.keyrings.sync(ES))

        def cancel_first(_: Manifest) -> None:
            first.cancel()

        world.kube.on_change = cancel_first
    assert first.cancelled()
    assert len(world.keyring()) == 1


async def test_when_the_api_server_refuses_every_caller_of_the_burst_hears_it_and_one_try_is_made() -> None:
    world = await known_world(3)
    tries = 0

    def refuse(manifest: Manifest) -> None:
        nonlocal tries
        tries += manifest["metadata"]["name"] == "es-keyring-0"
        raise NotYetError(Reason.API_UNAVAILABLE, "the Kubernetes API does not answer")

    world.kube.on_change = refuse
    results = await asyncio.gather(*(world.keyrings.sync(ES) for _ in range(5)), return_exceptions=True)
    assert [str(one) for one in results] == ["the Kubernetes API does not answer"] * 5
    assert tries == 1


async def test_after_a_failed_write_the_next_call_repairs_it() -> None:
    world = await known_world(3)
    world.kube.crash_at = world.kube.changes + 5
    with pytest.raises(BaseExceptionGroup):
        await world.keyrings.sync(ES)
    world.kube.crash_at = None
    await world.keyrings.sync(ES)
    assert len(world.keyring()) == 3
    assert len(revisions(world)) == 16


async def test_what_is_written_already_is_neither_read_nor_written_again() -> None:
    world = await ready_world()
    lists, changes = world.kube.lists, world.kube.changes
    await world.keyrings.ensure(world.service_id())
    assert (world.kube.lists, world.kube.changes) == (lists, changes)


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"version": 99, "revision": 1, "keys": []}'])
async def test_a_damaged_shard_is_written_anew_and_is_newer_than_any_copy(text: str) -> None:
    world = await ready_world()
    before = revisions(world)[0]
    shard(world, 0)["data"] = {DATA_KEY: text}
    await world.keyrings.sync(ES)
    assert revisions(world)[0] >= before


async def test_a_deleted_shard_is_made_again() -> None:
    world = await ready_world()
    await world.kube.delete(CONFIG_MAPS, "team", "es-keyring-7")
    await world.keyrings.sync(ES)
    assert len(revisions(world)) == 16


async def test_a_shard_that_lost_its_labels_gets_them_back_and_keeps_those_of_others() -> None:
    world = await ready_world()
    shard(world, 5)["metadata"]["labels"] = {"team": "blue"}
    await world.keyrings.sync(ES)
    assert shard(world, 5)["metadata"]["labels"]["eventstreams.dev/instance"] == "es"
    assert shard(world, 5)["metadata"]["labels"]["team"] == "blue"


async def world_with_a_foreign_shard() -> World:
    """Return a ready world in which somebody's own ConfigMap has taken the name of a shard that holds no key."""
    world = await ready_world()
    number = (shard_of(KeyId(next(iter(world.keyring())))) + 1) % 16
    await world.kube.delete(CONFIG_MAPS, "team", f"es-keyring-{number}")
    metadata = {
        "namespace": "team",
        "name": f"es-keyring-{number}",
        "labels": {"app.kubernetes.io/component": "keyring"},
    }
    await world.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "x"}})
    return world


def theirs(world: World) -> list[str]:
    return [key.name for (_, key), one in world.kube.objects.items() if one.get("data") == {"theirs": "x"}]


async def test_a_foreign_config_map_of_a_shards_name_is_refused_and_not_touched() -> None:
    world = await world_with_a_foreign_shard()
    (name,) = theirs(world)
    with pytest.raises(RefusedError, match=f"ConfigMap {name} exists and does not belong to this instance"):
        await world.keyrings.sync(ES)
    assert theirs(world) == [name]


async def test_beside_a_foreign_config_map_keys_are_revoked_all_the_same() -> None:
    world = await world_with_a_foreign_shard()
    await world.kube.patch(SERVICE_IDS, *APP, {"status": {"keys": []}}, subresource="status")
    with pytest.raises(RefusedError):
        await world.keyrings.sync(ES)
    assert [load(one["data"][DATA_KEY]).keys for one in own_shards(world)] == [()] * 15


async def test_beside_a_foreign_config_map_a_service_id_waits_for_the_instance() -> None:
    world = await world_with_a_foreign_shard()
    await world.create_service_id("late")
    await world.settle()
    assert world.condition("Ready", Key("team", "late")) == ("False", "InstanceNotReady")


async def test_when_a_foreign_config_map_is_gone_its_shard_is_made() -> None:
    world = await world_with_a_foreign_shard()
    await world.kube.delete(CONFIG_MAPS, "team", theirs(world)[0])
    await world.keyrings.sync(ES)
    assert len(revisions(world)) == 16


def own_shards(world: World) -> list[Manifest]:
    return [one for (api, _), one in world.kube.objects.items() if api == CONFIG_MAPS and DATA_KEY in one["data"]]


async def test_an_instance_made_again_owns_its_keyring_anew() -> None:
    world = await ready_world()
    await world.kube.delete(INSTANCES, *ES)
    await world.create_instance()
    await world.keyrings.sync(ES)
    uid = world.kube.objects[INSTANCES, ES]["metadata"]["uid"]
    assert {shard(world, number)["metadata"]["ownerReferences"][0]["uid"] for number in range(16)} == {uid}


async def test_for_an_instance_that_is_gone_nothing_is_written() -> None:
    world = await ready_world()
    await world.kube.delete(INSTANCES, *ES)
    changes = world.kube.changes
    await world.keyrings.sync(ES)
    assert world.kube.changes == changes


async def test_while_the_instance_cannot_be_read_a_service_id_is_not_let_go_with_its_key_still_good() -> None:
    world = await ready_world()
    await world.kube.patch(INSTANCES, *ES, {"spec": {"kafka": {"managed": {"storage": "of another version"}}}})
    await world.kube.delete(SERVICE_IDS, *APP)
    await world.settle()
    assert len(world.keyring()) == 1
    assert world.service_id().metadata.finalizers
    assert world.condition("Ready") == ("False", "InstanceNotReady")


async def unreadable_world() -> World:
    """Return a ready world whose service ID was then given what this version does not know."""
    world = await ready_world()
    await world.kube.patch(SERVICE_IDS, *APP, {"spec": {"role": "of another version"}})
    return world


async def test_keys_of_a_service_id_that_cannot_be_read_go_on_working() -> None:
    world = await unreadable_world()
    before = world.keyring()
    world.restart()
    await world.keyrings.sync(ES)
    assert world.keyring() == before


async def test_a_key_of_a_service_id_that_cannot_be_read_is_not_given_to_another() -> None:
    world = await unreadable_world()
    (id_,) = world.keyring()
    await add_service_id(world, 0)
    keys = [key_status(1).model_dump(mode="json", by_alias=True, exclude_none=True) | {"id": id_}]
    await world.kube.patch(SERVICE_IDS, "team", "app-0", {"status": {"keys": keys}}, subresource="status")
    await world.keyrings.sync(ES)
    assert world.keyring()[KeyId(id_)].owner == "team/app"


async def test_keys_of_a_service_id_that_cannot_be_read_end_when_it_is_gone() -> None:
    world = await unreadable_world()
    world.restart()
    await world.keyrings.sync(ES)
    await world.kube.patch(SERVICE_IDS, *APP, {"metadata": {"finalizers": None}})
    await world.kube.delete(SERVICE_IDS, *APP)
    await world.settle()
    assert world.keyring() == {}


async def test_a_key_that_changes_back_while_its_write_is_under_way_is_not_taken_for_written() -> None:
    world = await ready_world()
    await world.kube.patch(SERVICE_IDS, *APP, {"spec": {"topics": ["other"]}})

    async def back_in_between() -> None:
        await writing.wait()
        await world.kube.patch(SERVICE_IDS, *APP, {"spec": {"topics": ["orders"]}})
        await world.keyrings.ensure(world.service_id())

    writing = asyncio.Event()
    world.kube.on_change = lambda _: writing.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(back_in_between())
        group.create_task(world.keyrings.sync(ES))
    assert next(iter(world.keyring().values())).topics == ("orders",)
