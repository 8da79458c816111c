"""Who holds a topic that several Topics name."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.core.key import Key
from eventstreams.topic.claims import Claimant, Names, holder
from unit.topic.samples import ID, OTHER_ID, T0


def claimant(uid: str, *, minutes: int = 0, recorded_id: str | None = None, is_deleting: bool = False) -> Claimant:
    return Claimant(Key("shop", uid), uid, T0 + timedelta(minutes=minutes), recorded_id, is_deleting)


CASES = [
    ("alone", [claimant("a")], ID, "a"),
    ("who has recorded the topic's id", [claimant("old"), claimant("new", minutes=9, recorded_id=ID)], ID, "new"),
    (
        "a record of another topic counts nothing",
        [claimant("old"), claimant("b", minutes=9, recorded_id=OTHER_ID)],
        ID,
        "old",
    ),
    ("the oldest", [claimant("a", minutes=2), claimant("b", minutes=1)], ID, "b"),
    ("the smaller UID at the same second", [claimant("b"), claimant("a")], None, "a"),
    ("the live one", [claimant("a", recorded_id=ID, is_deleting=True), claimant("b", minutes=9)], ID, "b"),
    ("no topic, no record counts", [claimant("a", minutes=1, recorded_id=ID), claimant("b")], None, "b"),
]


@pytest.mark.parametrize(("_why", "claimants", "topic_id", "wins"), CASES)
def test_one_claimant_holds_the_topic(
    _why: str, claimants: Sequence[Claimant], topic_id: str | None, wins: str
) -> None:
    assert holder(claimants, topic_id).uid == wins


claimants = st.lists(
    st.builds(
        claimant,
        st.sampled_from("abcd"),
        minutes=st.integers(0, 2),
        recorded_id=st.sampled_from([None, ID, OTHER_ID]),
        is_deleting=st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.uid,
)


@given(claimants, st.sampled_from([None, ID]), st.randoms())
def test_the_holder_does_not_depend_on_the_order(
    given_claimants: list[Claimant], topic_id: str | None, random: object
) -> None:
    backwards = list(reversed(given_claimants))
    assert holder(given_claimants, topic_id) == holder(backwards, topic_id)


@given(claimants)
def test_no_live_claim_loses_its_topic_to_one_that_goes(given_claimants: list[Claimant]) -> None:
    if any(not one.is_deleting for one in given_claimants):
        assert not holder(given_claimants, ID).is_deleting


def test_the_index_knows_all_topics_of_a_name_and_forgets_who_is_gone() -> None:
    names = Names()
    one, two = Key("shop", "one"), Key("pay", "two")
    names.note(one, "orders")
    names.note(two, "orders")
    assert names.same_as(one) == {one, two}
    names.forget(two)
    assert names.same_as(one) == {one}
    assert names.same_as(two) == frozenset()


def test_the_index_follows_an_object_that_was_made_anew_with_another_name() -> None:
    names = Names()
    key = Key("shop", "one")
    names.note(key, "orders")
    names.note(key, "payments")
    names.note(Key("shop", "two"), "orders")
    assert names.same_as(key) == {key}
