"""The store: whatever order news comes in, it ends with the newest."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.api.topic import Topic
from eventstreams.core.key import Key
from eventstreams.runtime import store as store_module
from eventstreams.runtime.store import Store

ORDERS = Key("shop", "orders")


def manifest(version: int, *, uid: str = "u1", name: str = "orders", namespace: str = "shop", **spec: Any) -> Any:
    return {
        "apiVersion": "eventstreams.dev/v1beta1",
        "kind": "Topic",
        "metadata": {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": str(version)},
        "spec": {"instanceRef": {"name": "demo"}, **spec},
    }


def event(kind: str | None, version: int, **what: Any) -> dict[str, Any]:
    return {"type": kind, "object": manifest(version, **what)}


def topics() -> Store[Topic]:
    return Store(Topic.model_validate)


def version_in(store: Store[Topic], key: Key = ORDERS) -> str | None:
    topic = store.get(key)
    return None if topic is None else topic.metadata.resource_version


def test_an_event_that_tells_something_new_gives_its_key_and_an_old_one_none() -> None:
    store = topics()

    assert store.note(event("ADDED", 5)) == ORDERS
    assert store.note(event("MODIFIED", 5)) is None
    assert store.note(event(None, 4)) is None
    assert version_in(store) == "5"


def test_versions_are_compared_as_numbers() -> None:
    store = topics()
    store.note(event("ADDED", 9))
    store.note(event("MODIFIED", 10))

    assert version_in(store) == "10"


def test_after_the_answer_to_a_write_older_events_are_old_news() -> None:
    store = topics()
    store.put(manifest(7, partitions=3))

    assert store.note(event("MODIFIED", 6)) is None
    assert store.note(event("MODIFIED", 7)) is None


def test_an_answer_is_given_back_parsed_also_when_the_watch_was_faster() -> None:
    store = topics()
    store.note(event("MODIFIED", 8, partitions=9))

    assert store.put(manifest(7, partitions=3)).spec.partitions == 3
    assert version_in(store) == "8"


def test_a_late_answer_does_not_bring_a_deleted_object_back() -> None:
    store = topics()
    store.note(event("ADDED", 5))
    store.note(event("DELETED", 8))
    store.put(manifest(7))

    assert store.get(ORDERS) is None


def test_a_deletion_told_late_does_not_remove_the_object_made_anew() -> None:
    store = topics()
    store.note(event("ADDED", 9, uid="u2"))

    assert store.note(event("DELETED", 8, uid="u1")) is None
    assert version_in(store) == "9"


def test_forget_drops_the_object_it_means_and_not_its_successor() -> None:
    store = topics()
    store.note(event("ADDED", 5, uid="u2"))

    store.forget(ORDERS, "u1")
    assert store.has(ORDERS)
    store.forget(ORDERS, "u2")
    assert not store.has(ORDERS)


def test_an_object_that_does_not_fit_the_model_is_logged_once_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    store = topics()
    broken = {"type": "ADDED", "object": {**manifest(5), "spec": {"partitions": "many"}}}

    with caplog.at_level(logging.ERROR):
        assert store.note(broken) == ORDERS
        store.note(broken)

    assert store.has(ORDERS)
    assert store.get(ORDERS) is None
    assert list(store.values()) == []
    assert len(caplog.records) == 1
    assert store.note(event("MODIFIED", 6)) == ORDERS
    assert version_in(store) == "6"


def test_listeners_hear_of_every_change_with_before_and_after() -> None:
    store = topics()
    heard: list[tuple[str | None, str | None]] = []

    def listener(_: Key, before: Topic | None, after: Topic | None) -> None:
        heard.append(
            (
                before.metadata.resource_version if before else None,
                after.metadata.resource_version if after else None,
            )
        )

    store.subscribe(listener)
    store.note(event("ADDED", 1))
    store.put(manifest(2))
    store.note(event("MODIFIED", 2))
    store.note(event("DELETED", 3))

    assert heard == [(None, "1"), ("1", "2"), ("2", None)]


def test_a_sweep_drops_ghosts_names_what_was_missed_and_spares_what_is_newer_than_the_list() -> None:
    store = topics()
    for name, version in (("ghost", 3), ("same", 4), ("stale", 5), ("newer", 20)):
        store.note(event("ADDED", version, name=name))
    listed = [manifest(4, name="same"), manifest(9, name="stale"), manifest(7, name="unheard")]

    swept = store.sweep(listed, "10")

    assert swept.gone == (Key("shop", "ghost"),)
    assert swept.missed == {Key("shop", "stale"): 9, Key("shop", "unheard"): 7}
    assert store.has(Key("shop", "newer"))


def test_a_sweep_sees_through_an_object_deleted_and_made_anew_under_its_name() -> None:
    store = topics()
    store.note(event("ADDED", 3, uid="u1"))

    swept = store.sweep([manifest(8, uid="u2")], "10")

    assert swept.gone == (ORDERS,)
    assert swept.missed == {ORDERS: 8}


def test_a_sweep_of_one_namespace_leaves_the_others_alone() -> None:
    store = topics()
    store.note(event("ADDED", 3, namespace="other"))

    assert store.sweep([], "10", namespace="shop").gone == ()


def test_a_sweep_does_not_call_missed_what_was_deleted_after_the_list() -> None:
    store = topics()
    store.note(event("DELETED", 12))

    assert store.sweep([manifest(8)], "10").missed == {}


def test_deletions_are_remembered_for_a_while_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TOMBSTONES", 2)
    store = topics()
    for number in range(3):
        store.note(event("DELETED", 10 + number, name=f"t{number}"))

    assert [store.version(Key("shop", f"t{number}")) for number in range(3)] == [0, 11, 12]


Lives = list[tuple[str, int, str]]


@st.composite
def histories(draw: st.DrawFn) -> Lives:
    """Draw what happens to one name, in order: (type, version, uid)."""
    out: Lives = []
    version = 0
    for life in range(draw(st.integers(1, 3))):
        for kind in ["ADDED", *["MODIFIED"] * draw(st.integers(0, 3)), "DELETED"]:
            version += draw(st.integers(1, 3))
            out.append((kind, version, f"u{life}"))
    if draw(st.booleans()):
        out.pop()  # the last life goes on
    return out


@given(history=histories(), data=st.data())
def test_news_in_any_order_and_any_number_ends_in_the_newest_state(history: Lives, data: st.DataObject) -> None:
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=5))
    store = topics()

    for kind, version, uid in data.draw(st.permutations(repeated)):
        if kind != "DELETED" and data.draw(st.booleans()):
            store.put(manifest(version, uid=uid))
        else:
            store.note(event(kind, version, uid=uid))

    kind, version, _ = history[-1]
    assert version_in(store) == (None if kind == "DELETED" else str(version))


@given(history=histories(), data=st.data())
def test_a_sweep_at_the_end_heals_whatever_was_not_told(history: Lives, data: st.DataObject) -> None:
    store = topics()
    for kind, version, uid in data.draw(st.permutations(data.draw(st.lists(st.sampled_from(history), unique=True)))):
        store.note(event(kind, version, uid=uid))
    kind, version, uid = history[-1]
    alive = [] if kind == "DELETED" else [manifest(version, uid=uid)]

    for key in store.sweep(alive, str(version)).missed:
        store.put(alive[0])
        assert key == ORDERS

    assert version_in(store) == (None if kind == "DELETED" else str(version))
    assert store.sweep(alive, str(version)).missed == {}
