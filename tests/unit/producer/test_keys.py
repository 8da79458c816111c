"""The registry of keys."""

import gc
from datetime import UTC, datetime, timedelta

import pytest

from eventstreams.core.keyring import KeyGrant, KeyLimits, Shard
from eventstreams.producer.answers import RefusalError
from eventstreams.producer.credentials import Credentials
from eventstreams.producer.keys import Keys
from unit.producer.rig import KEY, NOW, OTHER_KEY

BEARER = Credentials(KEY.reveal().encode(), None)


def keys_with(grant: KeyGrant, wall: float = NOW) -> Keys:
    keys = Keys(lambda: wall, shards=1)
    keys.replace(0, Shard(1, (grant,)))
    return keys


def grant(*topics: str, **more: object) -> KeyGrant:
    return KeyGrant(KEY.id, KEY.digest, "apps/orders", topics, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("patterns", "topic", "may"),
    [
        (("orders",), "orders", True),
        (("orders",), "orders2", False),
        (("pay-*",), "pay-1", True),
        (("pay-*",), "pay", False),
        (("*",), "anything", True),
        (("*",), "__consumer_offsets", False),
        (("__x",), "__x", False),
        (("a*",), "a*", True),
        ((), "orders", False),
    ],
)
def test_a_grant_permits_what_its_patterns_say(patterns: tuple[str, ...], topic: str, *, may: bool) -> None:
    assert keys_with(grant(*patterns)).find(BEARER).permits(topic) is may


@pytest.mark.parametrize(
    "key", [b"", b"esk_x", OTHER_KEY.reveal().encode(), KEY.reveal().encode() + b" ", b"\xff" * 9000]
)
def test_any_other_key_is_401(key: bytes) -> None:
    with pytest.raises(RefusalError) as refusal:
        keys_with(grant("orders")).find(Credentials(key, None))

    assert refusal.value.status == 401


@pytest.mark.parametrize(
    ("username", "is_known"), [(b"token", True), (b"es.a.b", True), (b"other", False), (b"", False)]
)
def test_basic_takes_token_or_the_keys_own_user(username: bytes, *, is_known: bool) -> None:
    keys = keys_with(grant("orders", username="es.a.b"))
    presented = Credentials(BEARER.key, username)

    if is_known:
        assert keys.find(presented).key_id == KEY.id
    else:
        with pytest.raises(RefusalError):
            keys.find(presented)


@pytest.mark.parametrize(("seconds", "is_known"), [(-1, True), (0, False)])
def test_a_key_expires_by_our_own_clock(seconds: int, *, is_known: bool) -> None:
    end = datetime.fromtimestamp(NOW, UTC)
    keys = keys_with(grant("orders", expires_at=end), wall=(end + timedelta(seconds=seconds)).timestamp())

    if is_known:
        assert keys.find(BEARER).key_id == KEY.id
    else:
        with pytest.raises(RefusalError, match="expired"):
            keys.find(BEARER)


def test_a_new_shard_replaces_the_old_one_and_no_other_and_moves_the_epoch() -> None:
    keys = Keys(lambda: NOW, shards=2)
    other = KeyGrant(OTHER_KEY.id, OTHER_KEY.digest, "apps/other", ("orders",))
    assert keys.missing == [0, 1]
    keys.replace(0, Shard(1, (grant("orders"),)))
    keys.replace(1, Shard(1, (other,)))
    epoch = keys.epoch

    keys.replace(0, Shard(2, ()))

    assert (keys.missing, len(keys), keys.epoch) == ([], 1, epoch + 1)
    assert keys.find(Credentials(OTHER_KEY.reveal().encode(), None)).key_id == OTHER_KEY.id
    with pytest.raises(RefusalError):
        keys.find(BEARER)


def test_all_keys_of_an_owner_share_what_it_may_ask_whichever_shard_they_are_in() -> None:
    keys = Keys(lambda: NOW, shards=2)
    keys.replace(0, Shard(1, (grant("orders", limits=KeyLimits(5)),)))
    keys.replace(1, Shard(1, (KeyGrant(OTHER_KEY.id, OTHER_KEY.digest, "apps/orders", limits=KeyLimits(5)),)))

    assert keys.find(BEARER).account is keys.find(Credentials(OTHER_KEY.reveal().encode(), None)).account
    assert keys.find(BEARER).account.is_limited


def test_what_an_owner_has_asked_is_not_forgotten_when_the_keyring_changes() -> None:
    keys = keys_with(grant("orders", limits=KeyLimits(1)))
    keys.find(BEARER).account.spend(1, 0.0)

    keys.replace(0, Shard(2, (grant("orders", "others", limits=KeyLimits(1)),)))

    with pytest.raises(RefusalError, match="used up"):
        keys.find(BEARER).account.spend(1, 0.0)


def test_an_owner_without_keys_is_forgotten() -> None:
    keys = keys_with(grant("orders"))

    keys.replace(0, Shard(2, ()))
    gc.collect()

    assert len(keys._accounts) == 0
