"""The keyring's form."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.core.apikey import Digest, KeyId
from eventstreams.core.keyring import (
    SHARDS,
    KeyGrant,
    KeyLimits,
    Shard,
    UnknownVersionError,
    dump,
    load,
    permits,
    shard_of,
)

key_ids = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=8).map(KeyId)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001
grants = st.builds(
    KeyGrant,
    id=key_ids,
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64).map(Digest),
    owner=st.just("ns/app"),
    topics=st.lists(st.sampled_from(["a", "b-*", "*"]), unique=True).map(lambda names: tuple(sorted(names))),
    expires_at=st.none() | moments,
    username=st.sampled_from(["", "es.abc.def"]),
    limits=st.none() | st.builds(KeyLimits, st.none() | st.integers(1, 10**6), st.none() | st.integers(1, 10**12)),
)
shards = st.builds(
    Shard,
    revision=st.integers(0, 10**9),
    keys=st.lists(grants, unique_by=lambda key: key.id).map(lambda keys: tuple(sorted(keys, key=lambda key: key.id))),
)


@given(shards)
def test_a_shard_read_back_is_the_shard_written(shard: Shard) -> None:
    assert load(dump(shard)) == shard


@given(shards)
def test_the_order_of_keys_does_not_change_the_text(shard: Shard) -> None:
    assert dump(Shard(shard.revision, shard.keys[::-1])) == dump(shard)


@given(key_ids)
def test_every_key_belongs_to_one_of_the_shards(key_id: KeyId) -> None:
    assert 0 <= shard_of(key_id) < SHARDS


def test_a_form_of_the_future_is_told_apart_from_garbage() -> None:
    with pytest.raises(UnknownVersionError):
        load('{"version": 2}')


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"version": 1}', '{"version": 1, "revision": 0, "keys": [{}]}']
)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        load(text)


@pytest.mark.parametrize("revision", ["Infinity", "[" * 100_000])
def test_what_no_number_can_hold_and_what_nests_too_deeply_is_garbage(revision: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load(f'{{"version": 1, "revision": {revision}, "keys": []}}')


def test_a_field_of_the_future_is_ignored() -> None:
    raw = json.loads(dump(Shard(1, (KeyGrant(KeyId("abcdefgh"), Digest("0" * 64), "ns/app", ("a",)),))))
    raw["keys"][0] |= {"zones": ["a"], "limits": {"recordsPerDay": 5}}
    assert load(json.dumps(raw)).keys[0] == KeyGrant(
        KeyId("abcdefgh"), Digest("0" * 64), "ns/app", ("a",), limits=KeyLimits()
    )


@pytest.mark.parametrize("limit", [0, -1, "5", 1.5, True])
def test_a_limit_that_is_no_number_above_zero_makes_the_shard_unreadable(limit: object) -> None:
    raw = json.loads(dump(Shard(1, (KeyGrant(KeyId("abcdefgh"), Digest("0" * 64), "ns/app", ("a",)),))))
    raw["keys"][0]["limits"] = {"requestsPerSecond": limit}
    with pytest.raises(ValueError, match="above 0"):
        load(json.dumps(raw))


@pytest.mark.parametrize(
    ("patterns", "topic", "permitted"),
    [
        (("orders",), "orders", True),
        (("orders",), "orders-eu", False),
        (("pay-*",), "pay-in", True),
        (("pay-*",), "pay", False),
        (("*",), "anything", True),
        (("*",), "__consumer_offsets", False),
        (("__secret",), "__secret", False),
        ((), "orders", False),
    ],
)
def test_patterns_permit_names_prefixes_and_everything_but_kafkas_own(
    patterns: tuple[str, ...], topic: str, permitted: bool
) -> None:
    assert permits(patterns, topic) is permitted
