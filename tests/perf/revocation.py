"""Measures how long a revoked key still works: `make bench-revocation`.

A real API server holds a keyring of 10 000 keys in 16 ConfigMaps, and our server watches it as it does in a pod. Key
after key is taken out, and the time from the begin of that write to the first refusal is noted. A minute; what it
started ends with it.
"""

import asyncio
import json
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import yaml

from eventstreams.core import names
from eventstreams.core.apikey import ApiKey, mint
from eventstreams.core.keyring import DATA_KEY, SHARDS, KeyGrant, Shard, dump, shard_of
from eventstreams.kube.apis import Manifest
from eventstreams.kube.client import Kube
from integration.accounts import account
from local import packages
from local.binaries import KUBERNETES
from local.errors import PlatformError
from local.kafka import fast_root
from local.light import LightCluster
from local.progress import Progress
from perf import brokers, machine
from perf.producer import PAGE, REVOCATIONS, published
from perf.program import BenchmarkError
from perf.results import Revocations, Revoked
from perf.servers import OURS, Scene, Server, running
from perf.wrk import PACKAGES, Load, press

KEYS: Final = 10_000
ROUNDS: Final = 200
LOAD: Final = Load(connections=8, body_bytes=100)
REST: Final = "at rest"
LOADED: Final = f"under load ({LOAD.connections} connections)"

_NAMESPACE: Final = "default"
_LONGEST_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.002
_LOAD_SECONDS: Final = 2
_RULES: Final = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]


class Keyring:
    """The keyring of 10 000 keys in the API server. `take_out` revokes one."""

    def __init__(self, kube: Kube, scene: Scene) -> None:
        self._kube = kube
        self._keys = [mint(secrets.token_bytes) for _ in range(KEYS - 1)]
        self._shards: list[dict[str, KeyGrant]] = [{} for _ in range(SHARDS)]
        for grant in (scene.grant, *(_grant(key) for key in self._keys)):
            self._shards[shard_of(grant.id)][grant.id] = grant

    async def write(self) -> None:
        """Write every shard."""
        for number in range(SHARDS):
            await self._kube.apply(self._manifest(number))

    def draw(self) -> ApiKey:
        """Return a key that was not revoked yet."""
        return self._keys.pop()

    async def take_out(self, key: ApiKey) -> None:
        """Write the key's shard without it, as the operator does."""
        number = shard_of(key.id)
        del self._shards[number][key.id]
        await self._kube.apply(self._manifest(number))

    def _manifest(self, number: int) -> Manifest:
        metadata = {
            "namespace": _NAMESPACE,
            "name": names.keyring("standalone", number),
            "labels": {names.INSTANCE_LABEL: "standalone"},
        }
        data = {DATA_KEY: dump(Shard(time.monotonic_ns(), tuple(self._shards[number].values())))}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _grant(key: ApiKey) -> KeyGrant:
    return KeyGrant(key.id, key.digest, f"apps/{key.id}", (brokers.TOPIC,), username=f"app-{key.id}")


def measure(server: Server, keyring: Keyring, loop: asyncio.AbstractEventLoop) -> tuple[float, ...]:
    """Revoke key after key over one connection, and return the seconds that each took."""
    with closing(server.connect()) as connection:
        return tuple(_once(server, connection, keyring, loop) for _ in range(ROUNDS))


def _once(server: Server, connection: HTTPConnection, keyring: Keyring, loop: asyncio.AbstractEventLoop) -> float:
    key = keyring.draw()
    authorization = f"Bearer {key.reveal()}"
    if server.use(connection, authorization) != 200:
        raise BenchmarkError(f"{server.name} does not know a key that is in the keyring")
    begin = time.monotonic()
    writing = asyncio.run_coroutine_threadsafe(keyring.take_out(key), loop)
    while (status := server.use(connection, authorization)) == 200:
        if time.monotonic() - begin > _LONGEST_SECONDS:
            raise BenchmarkError(f"{server.name} takes a key that was revoked {_LONGEST_SECONDS} s ago")
        time.sleep(_PAUSE_SECONDS)  # the write needs the core too
    seconds = time.monotonic() - begin
    writing.result()
    if status != 401:
        raise BenchmarkError(f"{server.name} answers {status}")
    return round(seconds, 4)


@contextmanager
def _pressed(server: Server) -> Iterator[None]:
    """Keep the server under full load inside the block."""
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            press(server.url, server.scene.authorization, LOAD, _LOAD_SECONDS)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


async def _measured(directory: Path, cluster: LightCluster) -> tuple[Revoked, ...]:
    scene = Scene(directory)
    kube = await Kube.connect(timeout_seconds=10, user_agent="bench", kubeconfig=str(cluster.kubeconfig))
    try:
        keyring = Keyring(kube, scene)
        await keyring.write()
        place = await _place(kube, directory)
        return await asyncio.to_thread(_situations, scene, place, keyring, asyncio.get_running_loop())
    finally:
        await kube.close()


async def _place(kube: Kube, directory: Path) -> dict[str, str]:
    """Return where the API server is and what opens it, with exactly the rights of a producer's pod."""
    path = await account(kube, _NAMESPACE, directory / "kubeconfig", rules=_RULES)
    config = yaml.safe_load(path.read_text())
    token = directory / "token"
    token.write_text(config["users"][0]["user"]["token"])
    return {
        "server": config["clusters"][0]["cluster"]["server"],
        "ca_file": config["clusters"][0]["cluster"]["certificate-authority"],
        "token_file": str(token),
    }


def _situations(
    scene: Scene, place: dict[str, str], keyring: Keyring, loop: asyncio.AbstractEventLoop
) -> tuple[Revoked, ...]:
    with ExitStack() as stack:
        broker = stack.enter_context(brokers.answering(scene.directory))
        server = stack.enter_context(running(f"{OURS} watching", "https", scene, broker, cluster=json.dumps(place)))
        rest = Revoked(REST, measure(server, keyring, loop))
        with _pressed(server):
            return rest, Revoked(LOADED, measure(server, keyring, loop))


def main() -> int:
    """Measure, write, and render the page; return the exit code."""
    load = machine.load_average()
    try:
        packages.ensure(PACKAGES, Progress())
        with tempfile.TemporaryDirectory(prefix="eventstreams-bench-", dir=fast_root()) as name:
            cluster = LightCluster(state=Path(name) / "cluster", nodes=1)
            try:
                cluster.up()
                revoked = asyncio.run(_measured(Path(name), cluster))
            finally:
                cluster.down(wipe=True)
    except (BenchmarkError, PlatformError) as error:
        sys.stderr.write(f"bench-revocation: {error}\n")
        return 1
    found = Revocations(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=machine.describe(),
        versions={"kubernetes": KUBERNETES},
        load=load,
        keys=KEYS,
        revoked=revoked,
    )
    found.write(REVOCATIONS)
    PAGE.write_text(published())
    return 0


if __name__ == "__main__":
    sys.exit(main())
