"""The reflector of owned objects, and what an API server that goes away does to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from eventstreams.core import names
from eventstreams.core.key import Key
from eventstreams.kube.apis import CONFIG_MAPS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import ExpiredError
from eventstreams.kube.reflector import Reflector
from integration.outage import restart_api_server
from integration.waiting import eventually
from local.light import LightCluster

pytestmark = pytest.mark.integration


def owned(namespace: str, name: str, *, instance: str = "demo", value: str = "1") -> Manifest:
    labels = {names.MANAGED_BY: names.MANAGED_BY_VALUE, names.INSTANCE_LABEL: instance}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "data": {"value": value},
    }


@pytest.fixture
def woken() -> list[Key]:
    return []


@pytest.fixture
async def reflector(kube: Kube, namespace: str, woken: list[Key]) -> AsyncIterator[Reflector]:
    await kube.create(owned(namespace, "early"))
    reflector = Reflector(kube, CONFIG_MAPS, namespaces=[namespace], on_change=woken.append)
    task = asyncio.ensure_future(reflector.run())
    async with asyncio.timeout(10):
        await reflector.synced.wait()
    yield reflector
    task.cancel()
    await asyncio.wait({task})


def value(reflector: Reflector, namespace: str, name: str) -> str | None:
    found = reflector.get(namespace, name)
    return None if found is None else found["data"]["value"]


async def has(reflector: Reflector, namespace: str, name: str, expected: str | None) -> None:
    async def look() -> bool:
        return value(reflector, namespace, name) == expected

    await eventually(look, f"{name} = {expected} in the reflector", seconds=20)


async def test_what_exists_and_what_comes_changes_and_goes_is_known_and_wakes_the_owner(
    kube: Kube, namespace: str, reflector: Reflector, woken: list[Key]
) -> None:
    assert value(reflector, namespace, "early") == "1"
    await kube.create(owned(namespace, "late", instance="other"))
    await has(reflector, namespace, "late", "1")
    await kube.apply(owned(namespace, "early", value="2"))
    await has(reflector, namespace, "early", "2")
    await kube.delete(CONFIG_MAPS, namespace, "late")
    await has(reflector, namespace, "late", None)

    assert woken == [Key(namespace, who) for who in ("demo", "other", "demo", "other")]


async def test_objects_without_our_label_are_not_seen(kube: Kube, namespace: str, reflector: Reflector) -> None:
    foreign = owned(namespace, "foreign")
    del foreign["metadata"]["labels"][names.MANAGED_BY]
    await kube.create(foreign)
    await kube.create(owned(namespace, "after"))
    await has(reflector, namespace, "after", "1")

    assert reflector.get(namespace, "foreign") is None


async def test_the_objects_of_one_instance_come_in_name_order(kube: Kube, namespace: str, reflector: Reflector) -> None:
    for name, instance in (("b", "demo"), ("a", "demo"), ("c", "other")):
        await kube.create(owned(namespace, name, instance=instance))
    await has(reflector, namespace, "c", "1")

    assert [one["metadata"]["name"] for one in reflector.of(Key(namespace, "demo"))] == ["a", "b", "early"]


async def test_after_the_api_server_was_away_the_reflector_knows_all_that_happened(
    light_cluster: LightCluster, kube: Kube, namespace: str, reflector: Reflector, woken: list[Key]
) -> None:
    await kube.create(owned(namespace, "ghost"))
    await has(reflector, namespace, "ghost", "1")
    before = (await kube.list(CONFIG_MAPS, namespace)).resource_version

    await restart_api_server(light_cluster)
    await kube.delete(CONFIG_MAPS, namespace, "ghost")
    await kube.create(owned(namespace, "new"))

    await has(reflector, namespace, "new", "1")
    await has(reflector, namespace, "ghost", None)
    assert value(reflector, namespace, "early") == "1"
    async with asyncio.timeout(10):
        with pytest.raises(ExpiredError):
            await anext(aiter(kube.watch(CONFIG_MAPS, namespace, resource_version=str(int(before) // 2))))
