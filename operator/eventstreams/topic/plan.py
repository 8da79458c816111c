"""Decides what to do about one Kafka topic. Pure: no client, no clock.

A topic that this resource does not hold yet is taken over only when it equals the spec, so that two owners never pull
at one topic and a mistyped name never changes somebody's data. Only a topic whose id is recorded is ever deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from eventstreams.api.topic import DeletionPolicy, TopicSpec
from eventstreams.core.errors import RefusedError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Seen:
    """A topic in Kafka. `config` None: not asked for, taken as equal; a value None: Kafka does not show it."""

    topic_id: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the resource is to the topic.

    `name` is Kafka's. `recorded_id` is the id in the resource's status. `held_by` names the Topic that holds the
    topic when it is another one.
    """

    name: str
    recorded_id: str | None = None
    held_by: Key | None = None
    is_deleting: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """Make the topic; `replication_factor` None: the broker's default."""

    name: str
    partitions: int
    replication_factor: int | None
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the topic with its records. Its id was `topic_id` a moment ago; Kafka's clients delete by name alone."""

    name: str
    topic_id: str


UNSET = "<unset>"

Action = Create | Delete


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should read in an event once the actions are done."""

    reason: Reason
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order, and what to report.

    `holds`: the topic in Kafka, or the one to be created, is this resource's. `refusal`: why Kafka cannot be made to
    equal the spec.
    """

    actions: tuple[Action, ...] = ()
    holds: bool = False
    refusal: RefusedError | None = None
    note: Note | None = None

    @property
    def is_conflict(self) -> bool:
        """Whether somebody else's topic or claim is in the way."""
        return self.refusal is not None and self.refusal.reason in (Reason.TOPIC_CLAIMED, Reason.TOPIC_EXISTS)


@dataclass(frozen=True, slots=True)
class _Difference:
    """One part of the spec that the topic does not meet: what is, what was asked, what to do on a live topic."""

    reason: Reason
    says: str
    cure: str


def plan(spec: TopicSpec, seen: Seen | None, standing: Standing) -> Plan:
    """Return the actions that turn `seen` into `spec`; `seen` is None when Kafka has no such topic."""
    if standing.is_deleting:
        return _farewell(spec.deletion_policy, seen, standing)
    if standing.held_by is not None:
        return Plan(refusal=_claimed(standing.name, standing.held_by))
    if seen is None:
        return _creation(spec, standing)
    if seen.topic_id == standing.recorded_id:
        return Plan(holds=True, refusal=_unsupported(standing.name, differences(spec, seen)))
    return _adoption(spec, seen, standing)


def config_of(spec: TopicSpec) -> dict[str, str]:
    """Return the declared configuration as Kafka's texts."""
    return {key: str(value) for key, value in spec.config.items()}


def differences(spec: TopicSpec, seen: Seen) -> tuple[_Difference, ...]:
    """Return where the topic differs from what the spec says; what the spec leaves open never differs."""
    found = []
    if spec.partitions is not None and spec.partitions != seen.partitions:
        found.append(_other_partitions(seen.partitions, spec.partitions))
    if spec.replication_factor is not None and spec.replication_factor != seen.replication_factor:
        found.append(
            _Difference(
                Reason.REPLICATION_FACTOR_CHANGE,
                f"replication factor {seen.replication_factor}, spec asks for {spec.replication_factor}",
                f"set spec.replicationFactor to {seen.replication_factor}, or move the replicas with "
                "kafka-reassign-partitions.sh",
            )
        )
    if seen.config is not None:
        found += [
            _other_config(key, seen.config.get(key, UNSET), value)
            for key, value in sorted(config_of(spec).items())
            if not _is_same(seen.config.get(key, UNSET), value)
        ]
    return tuple(found)


def never_held(name: str) -> Note:
    """Return what to say when a resource goes that no topic's id was recorded in: what Kafka has is not its own."""
    return Note(Reason.TOPIC_KEPT, f"topic {name}, if there is one, stays in Kafka: this resource never held it")


def abandoned(name: str) -> Note:
    """Return what to say when a resource goes whose instance is gone, going, or does not allow it."""
    return Note(
        Reason.TOPIC_KEPT,
        f"topic {name} stays in Kafka, if that is still there: it is not reached without the instance",
    )


def _farewell(policy: DeletionPolicy, seen: Seen | None, standing: Standing) -> Plan:
    name = standing.name
    if seen is None or standing.recorded_id is None:
        return Plan()
    match policy:
        case DeletionPolicy.RETAIN:
            return Plan(note=_kept(name, "spec.deletionPolicy is Retain"))
        case DeletionPolicy.DELETE if standing.held_by is not None:
            return Plan(note=_kept(name, f"Topic {standing.held_by} declares it too"))
        case DeletionPolicy.DELETE if seen.topic_id != standing.recorded_id:
            return Plan(note=_kept(name, "it is not the one that this resource held"))
        case DeletionPolicy.DELETE:
            note = Note(Reason.TOPIC_DELETED, f"deleted topic {name} with its records")
            return Plan((Delete(name, seen.topic_id),), holds=True, note=note)
        case _:
            assert_never(policy)


def _creation(spec: TopicSpec, standing: Standing) -> Plan:
    note = None  # its Ready condition tells it as well
    if standing.recorded_id is not None:
        message = f"topic {standing.name} was gone from Kafka with its records: created it again, empty"
        note = Note(Reason.TOPIC_RECREATED, message, is_warning=True)
    create = Create(standing.name, spec.partitions or 1, spec.replication_factor, config_of(spec))
    return Plan((create,), holds=True, note=note)


def _adoption(spec: TopicSpec, seen: Seen, standing: Standing) -> Plan:
    """Judge a topic that this resource does not hold: adopt it when equal."""
    name = standing.name
    is_new = standing.recorded_id is None
    history = "exists already" if is_new else f"was deleted and made anew by somebody else (id {seen.topic_id})"
    found = differences(spec, seen)
    if not found:
        message = f"topic {name} {history} and equals the spec: adopted it"
        return Plan(holds=True, note=Note(Reason.TOPIC_ADOPTED, message, is_warning=not is_new))
    values = "; ".join(one.says for one in found)
    cure = "make the spec equal to adopt it, delete the topic, or choose another spec.name"
    return Plan(refusal=RefusedError(Reason.TOPIC_EXISTS, f"topic {name} {history} and has {values}: {cure}"))


def _kept(name: str, why: str) -> Note:
    return Note(Reason.TOPIC_KEPT, f"topic {name} stays in Kafka: {why}")


def _claimed(name: str, other: Key) -> RefusedError:
    return RefusedError(
        Reason.TOPIC_CLAIMED,
        f"topic {name} is held by Topic {other}, this resource declares it too: delete one of the two, the topic stays",
    )


def _unsupported(name: str, found: tuple[_Difference, ...]) -> RefusedError | None:
    if not found:
        return None
    says = "; ".join(f"{one.says}: {one.cure}" for one in found)
    return RefusedError(found[0].reason, f"topic {name} has {says}")


def _other_partitions(has: int, asked: int) -> _Difference:
    says = f"{has} partition{'' if has == 1 else 's'}, spec asks for {asked}"
    if asked < has:
        cure = f"Kafka cannot remove any, set spec.partitions to {has} or remove it"
        return _Difference(Reason.PARTITIONS_CANNOT_SHRINK, says, cure)
    cure = f"this version adds none to a live topic, run kafka-topics.sh --alter --partitions {asked} or set {has}"
    return _Difference(Reason.CHANGE_NOT_SUPPORTED, says, cure)


def _other_config(key: str, has: str | None, asked: str) -> _Difference:
    return _Difference(
        Reason.CHANGE_NOT_SUPPORTED,
        f"{key}={has}, spec asks for {asked}",
        f"this version does not change a live topic's configuration, run kafka-configs.sh --alter or set {has}",
    )


def _is_same(has: str | None, asked: str) -> bool:
    """Compare two configuration values; lists by their items. What Kafka hides (None) counts as equal."""
    return has is None or [one.strip() for one in has.split(",")] == [one.strip() for one in asked.split(",")]
