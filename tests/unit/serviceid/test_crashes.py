"""A key's life with the operator killed between any two steps, and with people who edit, delete and damage.

Whatever happened, once the operator has come to rest there is exactly one Active key, it is the one in the Secret,
the keyring knows it, and no key that was Active and in the Secret was cut off before its overlap ended. (A key whose
Secret is lost while it is still Pending is revoked: nothing said yet that it was there to be used.)
"""

import asyncio
import base64
from contextlib import suppress
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from eventstreams.api.serviceid import KeyState
from eventstreams.core import apikey
from eventstreams.core.key import Key
from eventstreams.kube.apis import CONFIG_MAPS, SECRETS, SERVICE_IDS
from unit.serviceid.memory_kube import Crash
from unit.serviceid.world import APP, World

OVERLAP = timedelta(hours=24)


async def killed_at(step: int, *, answer_is_lost: bool) -> World | None:
    """Let the operator mint a key and die at its n-th write; None when it needed fewer."""
    world = World()
    await world.create_instance()
    await world.create_service_id()
    world.kube.crash_at = world.kube.changes + step
    world.kube.answer_is_lost = answer_is_lost
    try:
        await world.settle()
    except Crash:
        world.restart()
        return world
    return None


def assert_at_rest(world: World) -> None:
    """One Active key, the one in the Secret; every key of status is in the keyring and no other."""
    status = world.service_id().status
    active = [key for key in status.keys if key.state is KeyState.ACTIVE]
    assert [key.sha256 for key in active] == [apikey.digest(world.key_text())]
    assert {key.state for key in status.keys} <= {KeyState.ACTIVE, KeyState.RETIRING}
    assert {one: grant.sha256 for one, grant in world.keyring().items()} == {key.id: key.sha256 for key in status.keys}
    assert world.condition("Ready") == ("True", "Ready")


@pytest.mark.parametrize("answer_is_lost", [False, True])
async def test_killed_at_any_write_of_a_mint_the_next_process_ends_with_one_key(*, answer_is_lost: bool) -> None:
    steps = 0
    while (world := await killed_at(steps, answer_is_lost=answer_is_lost)) is not None:
        await world.settle()
        assert_at_rest(world)
        assert len(world.service_id().status.keys) == 1
        steps += 1
    assert steps >= 20  # finalizer, Pending, 16 shards, Secret, event, Active


@pytest.mark.parametrize("answer_is_lost", [False, True])
async def test_killed_at_any_write_of_a_deletion_the_next_process_leaves_nothing(*, answer_is_lost: bool) -> None:
    for step in range(4):
        world = World()
        await world.create_instance()
        await world.create_service_id()
        await world.settle()
        await world.kube.delete(SERVICE_IDS, *APP)
        world.kube.crash_at = world.kube.changes + step
        world.kube.answer_is_lost = answer_is_lost
        try:
            await world.settle()
        except Crash:
            world.restart()
            await world.settle()
        await world.keyrings.sync(Key("team", "es"))
        assert (SERVICE_IDS, APP) not in world.kube.objects
        assert world.secret() is None
        assert world.keyring() == {}


class KeyLife(RuleBasedStateMachine):
    """The operator against crashes, time and people."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World()
        self.given_out: dict[
            str, float
        ] = {}  # digest of each key ever Active and in the Secret -> when last seen there
        self.status_is_lost = False  # retiring keys are lost with it, the current one until the Secret is read
        self.world.kube.on_stored = self.note_given_out

    def note_given_out(self) -> None:
        digest = apikey.digest(self.world.key_text())
        keys = self.world.service_id().status.keys if (SERVICE_IDS, APP) in self.world.kube.objects else ()
        if any(key.state is KeyState.ACTIVE and key.sha256 == digest for key in keys):
            self.given_out[digest] = self.world.clock.monotonic()

    @initialize()
    def begin(self) -> None:
        self.runner.run(self.world.create_instance())
        self.runner.run(self.world.create_service_id())

    @rule(step=st.integers(0, 25), answer_is_lost=st.booleans())
    def operator_dies_at_a_write_and_starts_again(self, step: int, *, answer_is_lost: bool) -> None:
        self.world.kube.crash_at = self.world.kube.changes + step
        self.world.kube.answer_is_lost = answer_is_lost
        with suppress(Crash):
            self.runner.run(self.world.wake_all())
        self.world.restart()

    @rule()
    def operator_comes_to_rest(self) -> None:
        self.runner.run(self.world.wake_all())
        assert_at_rest(self.world)
        if self.status_is_lost:
            self.status_is_lost = False
            self.given_out = {apikey.digest(self.world.key_text()): self.world.clock.monotonic()}

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.world.clock.move(timedelta(hours=hours))

    @rule(topics=st.lists(st.sampled_from(["orders", "pay-*", "*"]), min_size=1, unique=True))
    def somebody_edits_the_topics(self, topics: list[str]) -> None:
        self.runner.run(self.world.kube.patch(SERVICE_IDS, *APP, {"spec": {"topics": topics}}))

    @rule()
    def somebody_deletes_the_secret(self) -> None:
        self.runner.run(self.world.kube.delete(SECRETS, "team", "app-credentials"))

    @precondition(lambda self: self.world.secret() is not None)
    @rule()
    def somebody_damages_the_secret(self) -> None:
        data = {"api-key": base64.b64encode(b"nonsense").decode()}
        self.runner.run(self.world.kube.patch(SECRETS, "team", "app-credentials", {"data": data}))

    @rule()
    def a_restore_drops_the_status(self) -> None:
        self.world.kube.objects[SERVICE_IDS, APP].pop("status", None)
        self.world.restart()
        self.status_is_lost = True

    @rule(number=st.integers(0, 15))
    def somebody_deletes_a_shard(self, number: int) -> None:
        self.runner.run(self.world.kube.delete(CONFIG_MAPS, "team", f"es-keyring-{number}"))
        self.runner.run(self.world.keyrings.sync(Key("team", "es")))  # as the instance's reconcile does

    @precondition(lambda self: not self.status_is_lost)
    @invariant()
    def a_key_in_the_secret_is_in_the_keyring(self) -> None:
        key = apikey.parse(self.world.key_text())
        if key is not None:
            assert self.world.keyring()[key.id].sha256 == key.digest

    @precondition(lambda self: not self.status_is_lost)
    @invariant()
    def no_key_given_out_is_cut_off_before_its_overlap_ends(self) -> None:
        self.note_given_out()
        known = {grant.sha256: grant.expires_at for grant in self.world.keyring().values()}
        now = self.world.clock.monotonic()
        for digest, seen in self.given_out.items():
            if now < seen + OVERLAP.total_seconds():
                end = known[apikey.Digest(digest)]
                assert end is None or end.timestamp() > now

    @invariant()
    def the_text_is_in_no_other_object(self) -> None:
        secret = self.world.key_text().split("_")
        others = [one for (api, _), one in self.world.kube.objects.items() if api != SECRETS]
        assert len(secret) < 3 or secret[2] not in repr(others)

    @override
    def teardown(self) -> None:
        self.runner.close()


KeyLife.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestKeyLife = KeyLife.TestCase
