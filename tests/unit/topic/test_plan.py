"""What is decided about a topic: by tables, and by properties over all worlds that Hypothesis finds."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.api.topic import DeletionPolicy, TopicSpec
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.topic.plan import Create, Delete, Plan, Seen, Standing, config_of, plan
from unit.topic.samples import DELETE, ID, OTHER_ID, RETAIN, seen, spec, standing

RIVAL = Key("shop", "rival")


def test_a_missing_topic_is_created_with_what_the_spec_says_and_kafkas_defaults() -> None:
    made = plan(spec(partitions=6, config={"retention.ms": 1000}), None, standing(recorded_id=None))
    assert made.actions == (Create("orders", 6, None, {"retention.ms": "1000"}),)
    assert made.holds


def test_absent_partitions_mean_one_at_creation() -> None:
    assert plan(spec(), None, standing(recorded_id=None)).actions == (Create("orders", 1, None, {}),)


def test_a_vanished_topic_is_created_again_and_a_warning_says_that_it_is_empty() -> None:
    made = plan(spec(), None, standing())
    assert isinstance(made.actions[0], Create)
    assert made.note is not None
    assert made.note.reason is Reason.TOPIC_RECREATED
    assert made.note.is_warning
    assert "empty" in made.note.message


def test_a_topic_as_declared_needs_nothing() -> None:
    assert plan(spec(partitions=3, replicationFactor=1), seen(), standing()) == Plan(holds=True)


REFUSALS = [
    (
        {"partitions": 2},
        {},
        Reason.PARTITIONS_CANNOT_SHRINK,
        (
            "topic orders has 3 partitions, spec asks for 2: Kafka cannot remove any, "
            "set spec.partitions to 3 or remove it"
        ),
    ),
    (
        {"partitions": 6},
        {},
        Reason.CHANGE_NOT_SUPPORTED,
        (
            "topic orders has 3 partitions, spec asks for 6: this version adds none to a live topic, "
            "run kafka-topics.sh --alter --partitions 6 or set 3"
        ),
    ),
    (
        {"partitions": 2},
        {"partitions": 1},
        Reason.CHANGE_NOT_SUPPORTED,
        (
            "topic orders has 1 partition, spec asks for 2: this version adds none to a live topic, "
            "run kafka-topics.sh --alter --partitions 2 or set 1"
        ),
    ),
    (
        {"replicationFactor": 3},
        {},
        Reason.REPLICATION_FACTOR_CHANGE,
        (
            "topic orders has replication factor 1, spec asks for 3: set spec.replicationFactor to 1, "
            "or move the replicas with kafka-reassign-partitions.sh"
        ),
    ),
    (
        {"config": {"retention.ms": 2000}},
        {"config": {"retention.ms": "1000"}},
        Reason.CHANGE_NOT_SUPPORTED,
        (
            "topic orders has retention.ms=1000, spec asks for 2000: this version does not change a live topic's "
            "configuration, run kafka-configs.sh --alter or set 1000"
        ),
    ),
]


@pytest.mark.parametrize(("asked", "has", "reason", "message"), REFUSALS)
def test_a_change_that_is_not_made_is_refused_with_what_is_and_what_to_do(
    asked: dict[str, Any], has: dict[str, Any], reason: Reason, message: str
) -> None:
    made = plan(spec(**asked), seen(**has), standing())
    assert made.refusal is not None
    assert (made.refusal.reason, made.refusal.message) == (reason, message)
    assert made.holds
    assert not made.actions
    assert not made.is_conflict


EQUAL = [
    ({}, {}),
    ({"partitions": 3, "replicationFactor": 1}, {}),
    ({"config": {"cleanup.policy": "compact,delete"}}, {"config": {"cleanup.policy": "compact, delete"}}),
    ({"config": {"retention.ms": 1000}}, {"config": {"retention.ms": "1000", "segment.ms": "5"}}),
    ({"config": {"hidden": "1"}}, {"config": {"hidden": None}}),
]


@pytest.mark.parametrize(("asked", "has"), EQUAL)
def test_an_equal_topic_that_exists_is_adopted_with_an_event(asked: dict[str, Any], has: dict[str, Any]) -> None:
    made = plan(spec(**asked), seen(**has), standing(recorded_id=None))
    assert (made.actions, made.holds, made.refusal) == ((), True, None)
    assert made.note is not None
    assert made.note.reason is Reason.TOPIC_ADOPTED


def test_a_different_topic_that_exists_is_refused_with_every_difference() -> None:
    made = plan(
        spec(partitions=6, replicationFactor=2, config={"retention.ms": 1, "nope": "x"}),
        seen(config={"retention.ms": "2"}),
        standing(recorded_id=None),
    )
    assert made.is_conflict
    assert not made.holds
    assert made.refusal is not None
    assert made.refusal.reason is Reason.TOPIC_EXISTS
    assert made.refusal.message == (
        "topic orders exists already and has 3 partitions, spec asks for 6; replication factor 1, spec asks for 2; "
        "nope=<unset>, spec asks for x; retention.ms=2, spec asks for 1: make the spec equal to adopt it, delete the "
        "topic, or choose another spec.name"
    )


def test_a_topic_made_anew_behind_our_back_is_not_ours_and_the_message_says_so() -> None:
    made = plan(spec(partitions=6), seen(topic_id=OTHER_ID), standing())
    assert made.refusal is not None
    assert made.refusal.message.startswith(f"topic orders was deleted and made anew by somebody else (id {OTHER_ID})")


def test_an_equal_topic_made_anew_behind_our_back_is_adopted_with_a_warning() -> None:
    made = plan(spec(), seen(topic_id=OTHER_ID), standing())
    assert made.holds
    assert made.note is not None
    assert made.note.is_warning


def test_a_topic_that_another_holds_is_a_conflict_that_names_the_other() -> None:
    made = plan(spec(), seen(), standing(recorded_id=None, held_by=RIVAL))
    assert made.is_conflict
    assert made.refusal is not None
    assert "shop/rival" in made.refusal.message


FAREWELLS = [
    ("held and Delete", DELETE, {}, {}, (Delete("orders", ID),)),
    ("Retain", RETAIN, {}, {}, ()),
    ("another id", DELETE, {"topic_id": OTHER_ID}, {}, ()),
    ("nothing recorded", DELETE, {}, {"recorded_id": None}, ()),
    ("another declares it", DELETE, {}, {"held_by": RIVAL}, ()),
]


@pytest.mark.parametrize(("_why", "policy", "has", "stands", "actions"), FAREWELLS)
def test_only_a_held_topic_is_deleted(
    _why: str, policy: str, has: dict[str, Any], stands: dict[str, Any], actions: tuple[Delete, ...]
) -> None:
    made = plan(spec(deletionPolicy=policy), seen(**has), standing(is_deleting=True, **stands))
    assert made.actions == actions


def test_a_topic_that_is_gone_already_needs_no_farewell() -> None:
    assert plan(spec(deletionPolicy=DELETE), None, standing(is_deleting=True)) == Plan()


@dataclass(frozen=True)
class World:
    """A spec, what Kafka has, and what the resource is to it."""

    spec: TopicSpec
    seen: Seen | None
    standing: Standing


keys = st.sampled_from(["retention.ms", "cleanup.policy"])
ids = st.sampled_from([ID, OTHER_ID])
counts = st.integers(1, 4)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    fields: dict[str, Any] = {
        "config": draw(st.dictionaries(keys, st.sampled_from([1, "delete"]))),
        "deletionPolicy": draw(st.sampled_from([DELETE, RETAIN])),
        "partitions": draw(st.none() | counts),
        "replicationFactor": draw(st.none() | counts),
    }
    config = draw(st.none() | st.dictionaries(keys, st.sampled_from(["1", "delete", None])))
    has = draw(st.none() | st.builds(Seen, ids, counts, counts, st.just(config)))
    stands = Standing("orders", draw(st.none() | ids), draw(st.none() | st.just(RIVAL)), draw(st.booleans()))
    return World(spec(**{name: value for name, value in fields.items() if value is not None}), has, stands)


def run(world: World, made: Plan) -> World:
    """Do a plan's actions to a world, as Kafka would, and record what the resource then holds."""
    has = world.seen
    for action in made.actions:
        match action:
            case Create(_, partitions, replication_factor, config):
                has = Seen("BBBBe1pRQK2wCkcFZm1p2g", partitions, replication_factor or 1, config)
            case Delete():
                has = None
    recorded = has.topic_id if made.holds and has is not None else world.standing.recorded_id
    return replace(world, seen=has, standing=replace(world.standing, recorded_id=recorded))


@given(worlds())
def test_running_a_plan_leaves_nothing_to_plan(world: World) -> None:
    made = plan(world.spec, world.seen, world.standing)
    after = run(world, made)
    again = plan(after.spec, after.seen, after.standing)
    assert again.actions == ()
    assert again.note is None or after.standing.is_deleting


@given(worlds())
def test_no_plan_deletes_a_topic_that_is_not_the_recorded_one_or_that_another_claims(world: World) -> None:
    for action in plan(world.spec, world.seen, world.standing).actions:
        if isinstance(action, Delete):
            assert world.standing.is_deleting
            assert world.spec.deletion_policy is DeletionPolicy.DELETE
            assert world.standing.held_by is None
            assert world.seen is not None
            assert action.topic_id == world.seen.topic_id == world.standing.recorded_id


@given(worlds())
def test_what_a_plan_creates_equals_the_spec(world: World) -> None:
    for action in plan(world.spec, world.seen, world.standing).actions:
        if isinstance(action, Create):
            assert world.seen is None
            assert action.config == config_of(world.spec)
            assert action.partitions == (world.spec.partitions or 1)


@given(worlds())
def test_a_plan_never_both_acts_and_refuses(world: World) -> None:
    made = plan(world.spec, world.seen, world.standing)
    assert not (made.actions and made.refusal)
