"""The objects of an instance, written while somebody else writes too."""

from collections.abc import AsyncIterator

import pytest
from typing_extensions import override

from eventstreams.core.errors import RefusedError
from eventstreams.instance.builders import producer_access
from eventstreams.instance.objects import Objects
from eventstreams.kube.apis import API, SERVICES, Manifest
from eventstreams.kube.client import Kube
from integration.instance.room import Room, room_in

pytestmark = pytest.mark.integration


@pytest.fixture
async def room(kube: Kube, namespace: str) -> AsyncIterator[Room]:
    async with room_in(kube, namespace) as room:
        await room.declare({"managed": {"storage": {"ephemeral": {}}}})
        yield room


class Raced(Objects):
    """Objects of which somebody puts another one in the place of each that was just read."""

    async def _meddle(self, name: str) -> None:
        namespace = self._instance.namespace
        await self._kube.delete(SERVICES, namespace, name)
        metadata = {"name": name, "namespace": namespace}
        spec = {"selector": {"app": "theirs"}, "ports": [{"name": "https", "port": 443}]}
        await self._kube.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})

    @override
    async def read(self, api: API, name: str) -> Manifest | None:
        found = await super().read(api, name)
        await self._meddle(name)
        return found


@pytest.mark.parametrize("was_there", [True, False], ids=["another one's", "nothing's"])
async def test_what_takes_an_objects_place_after_it_was_read_is_not_touched(room: Room, was_there: bool) -> None:
    instance = (await room.work()).instance
    wanted = producer_access.rest_producer_service(instance)
    if was_there:
        await Objects(room.kube, instance).apply(wanted)

    with pytest.raises(RefusedError):
        await Raced(room.kube, instance).apply(wanted | {"spec": wanted["spec"] | {"type": "NodePort"}})

    left = await room.kube.get(SERVICES, room.key.namespace, wanted["metadata"]["name"])
    assert left is not None
    assert "labels" not in left["metadata"]
    assert left["spec"]["selector"] == {"app": "theirs"}
