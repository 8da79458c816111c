"""The keyring as a real API server hands it out, under exactly the rights of the producer's pods."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from eventstreams.core import names
from eventstreams.core.apikey import mint
from eventstreams.core.keyring import DATA_KEY, SHARDS, KeyGrant, Shard, dump
from eventstreams.kube.apis import CONFIG_MAPS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.producer import cluster as cluster_module
from eventstreams.producer import keyring_watch
from eventstreams.producer.cluster import Cluster
from eventstreams.producer.keyring_watch import KeyringWatch
from eventstreams.producer.keys import Keys
from integration.accounts import account
from integration.proxy import Proxy
from integration.waiting import eventually
from local.light import LightCluster

pytestmark = pytest.mark.integration

RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
KEY = mint(lambda size: b"\x09" * size)
GRANT = KeyGrant(KEY.id, KEY.digest, "apps/tests", ("orders",))


def shard(namespace: str, number: int, text: str | None = None) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "namespace": namespace,
            "name": names.keyring("demo", number),
            "labels": {names.INSTANCE_LABEL: "demo"},
        },
        "data": {DATA_KEY: dump(Shard(1)) if text is None else text},
    }


@pytest.fixture
async def cluster(kube: Kube, namespace: str, tmp_path: Path) -> Cluster:
    """Return the API server as a pod with the producer's Role sees it."""
    config = json.loads((await account(kube, namespace, tmp_path / "kubeconfig", rules=RULES)).read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    token = tmp_path / "token"
    token.write_text(config["users"][0]["user"]["token"])
    return Cluster(
        server.hostname or "", server.port or 0, Path(config["clusters"][0]["cluster"]["certificate-authority"]), token
    )


class Watching:
    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.keys = Keys(time.time)
        self.watch = KeyringWatch(
            cluster, self.keys, namespace=namespace, instance="demo", clock=time.monotonic, chance=lambda: 0.5
        )

    async def knows(self, *, keys: int, missing: int = 0) -> bool:
        return (len(self.keys), len(self.keys.missing)) == (keys, missing)


@pytest.fixture
async def watching(cluster: Cluster, namespace: str) -> AsyncIterator[Watching]:
    watching = Watching(cluster, namespace)
    task = asyncio.ensure_future(watching.watch.keep())
    yield watching
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def quickly(look: Callable[[], Awaitable[bool]], what: str) -> None:
    await eventually(look, what, seconds=1)


async def test_the_keyring_is_whole_when_all_16_shards_are_there_and_follows_each_within_a_second(
    watching: Watching, kube: Kube, namespace: str
) -> None:
    for number in range(SHARDS - 1):
        await kube.create(shard(namespace, number))
    await quickly(lambda: watching.knows(keys=0, missing=1), "fifteen shards")
    await kube.create(shard(namespace, 15, dump(Shard(1, (GRANT,)))))
    await quickly(lambda: watching.knows(keys=1), "the last shard with a key")

    await kube.apply(shard(namespace, 15, dump(Shard(2))))

    await quickly(lambda: watching.knows(keys=0), "the revocation")


async def test_a_shard_that_is_deleted_or_of_the_future_leaves_the_keys_that_were_known(
    watching: Watching, kube: Kube, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    await kube.create(shard(namespace, 3, dump(Shard(1, (GRANT,)))))
    await quickly(lambda: watching.knows(keys=1, missing=15), "the key")

    await kube.apply(shard(namespace, 3, '{"version": 9, "revision": 2, "keys": "?"}'))
    await kube.delete(CONFIG_MAPS, namespace, names.keyring("demo", 3))

    async def warned() -> bool:
        return {"Kept the keys of a shard that cannot be read", "Kept the keys of a shard that was deleted"} <= {
            record.message for record in caplog.records
        }

    await quickly(warned, "two warnings")
    assert len(watching.keys) == 1


async def test_other_config_maps_are_none_of_its_business(watching: Watching, kube: Kube, namespace: str) -> None:
    foreign = shard(namespace, 0, dump(Shard(1, (GRANT,))))
    foreign["metadata"]["name"] = "demo-keyring-16"
    await kube.create(foreign)
    await kube.create(shard(namespace, 1))

    await quickly(lambda: watching.knows(keys=0, missing=15), "one shard of the two")


async def test_a_watch_that_ends_is_taken_up_where_it_was(
    cluster: Cluster, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring_watch, "WATCH_SECONDS", 2)
    idle = Watching(cluster, namespace)
    version = await idle.watch._list()

    async with asyncio.timeout(5):
        version = await idle.watch._watch(version)
        await kube.create(shard(namespace, 3, dump(Shard(1, (GRANT,)))))
        await idle.watch._watch(version)

    assert await idle.knows(keys=1, missing=15)


async def test_known_keys_outlive_the_api_server_and_news_arrive_when_it_is_back(
    watching: Watching,
    kube: Kube,
    namespace: str,
    light_cluster: LightCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(keyring_watch, "STALE_SECONDS", 1.0)
    caplog.set_level(logging.INFO)
    await kube.create(shard(namespace, 3, dump(Shard(1, (GRANT,)))))
    await quickly(lambda: watching.knows(keys=1, missing=15), "the key")

    async def logged(text: str) -> bool:
        return text in caplog.text

    await asyncio.to_thread(light_cluster.down)
    await eventually(lambda: logged("may be out of date"), "a warning", seconds=10)
    assert len(watching.keys) == 1
    await asyncio.to_thread(light_cluster.up)

    await eventually(lambda: logged("is current again"), "the end of the trouble", seconds=20)
    await kube.apply(shard(namespace, 3, dump(Shard(2))))
    await quickly(lambda: watching.knows(keys=0, missing=15), "the revocation")


async def test_a_watch_gone_silent_is_given_up_and_taken_up_again_when_the_network_heals(
    cluster: Cluster,
    kube: Kube,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(keyring_watch, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(keyring_watch, "STALE_SECONDS", 1.5)
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 1.0)
    caplog.set_level(logging.INFO)
    for number in range(SHARDS):
        await kube.create(shard(namespace, number, dump(Shard(1, (GRANT,) if number == 3 else ()))))

    async def logged(text: str) -> bool:
        return text in caplog.text

    async with Proxy(cluster.port) as proxy:
        watching = Watching(replace(cluster, port=proxy.port), namespace)
        keeping = asyncio.ensure_future(watching.watch.keep())
        await quickly(lambda: watching.knows(keys=1), "the key")

        proxy.fall_silent()
        await kube.apply(shard(namespace, 3, dump(Shard(2))))
        await eventually(lambda: logged("may be out of date"), "a warning", seconds=5)
        assert len(watching.keys) == 1
        assert watching.watch.age_seconds() > 1.5

        proxy.heal()
        await eventually(lambda: watching.knows(keys=0), "the revocation", seconds=8)
        assert "is current again" in caplog.text
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping


def test_a_watch_is_given_up_later_than_it_would_end_by_itself_and_before_the_keys_count_as_stale() -> None:
    assert keyring_watch.WATCH_SECONDS < keyring_watch.SILENCE_SECONDS < keyring_watch.STALE_SECONDS
