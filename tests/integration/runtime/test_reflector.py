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


async def hears(woken: list[Key], *owners: str) -> None:
    """Wait until the owners of these names were woken, in any order, and no others."""

    async def look() -> bool:
        return sorted(key.name for key in woken) == sorted(owners)

    await eventually(look, f"wakes of {owners}", seconds=20)


async def test_what_exists_and_what_comes_changes_and_goes_wakes_its_owner(
    kube: Kube, namespace: str, reflector: Reflector, woken: list[Key]
) -> None:
    await hears(woken, "demo")
    await kube.create(owned(namespace, "late", instance="other"))
    await hears(woken, "demo", "other")
    await kube.apply(owned(namespace, "early", value="2"))
    await hears(woken, "demo", "other", "demo")
    await kube.delete(CONFIG_MAPS, namespace, "late")
    await hears(woken, "demo", "other", "demo", "other")

    assert {key.namespace for key in woken} == {namespace}


async def test_objects_without_our_label_wake_nobody(
    kube: Kube, namespace: str, reflector: Reflector, woken: list[Key]
) -> None:
    foreign = owned(namespace, "foreign", instance="foreign")
    del foreign["metadata"]["labels"][names.MANAGED_BY]
    await kube.create(foreign)
    await kube.create(owned(namespace, "after", instance="other"))

    await hears(woken, "demo", "other")


async def test_after_the_api_server_was_away_the_owners_of_all_that_happened_are_woken(
    light_cluster: LightCluster, kube: Kube, namespace: str, reflector: Reflector, woken: list[Key]
) -> None:
    await kube.create(owned(namespace, "ghost", instance="haunted"))
    await hears(woken, "demo", "haunted")
    before = (await kube.list(CONFIG_MAPS, namespace)).resource_version

    await restart_api_server(light_cluster)
    await kube.delete(CONFIG_MAPS, namespace, "ghost")
    await kube.create(owned(namespace, "new", instance="new"))

    await hears(woken, "demo", "haunted", "haunted", "new")
    async with asyncio.timeout(10):
        with pytest.raises(ExpiredError):
            await anext(aiter(kube.watch(CONFIG_MAPS, namespace, resource_version=str(int(before) // 2))))
