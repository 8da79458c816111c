"""Makes one Kafka topic as declared: observe, plan, act, wait until it takes records, report.

Safe to stop between any two lines: nothing is remembered but status.topicId, and a topic that was made before its id
was recorded equals the spec, so the next pass adopts it.
"""

import asyncio
import logging
from typing import Final, assert_never

from eventstreams.api import conditions
from eventstreams.api.conditions import Finding
from eventstreams.api.topic import DeletionPolicy, Topic, TopicStatus
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.core.names import FINALIZER
from eventstreams.core.reasons import Reason
from eventstreams.kafka.admin import KafkaAdmin
from eventstreams.kafka.views import TopicToCreate, TopicView
from eventstreams.kube import events, finalizer
from eventstreams.kube.apis import TOPICS
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Outcome, key_of_resource
from eventstreams.topic.claims import Claimant, Names, holder
from eventstreams.topic.place import Place, agree, cluster_of, is_abandoned, place_of
from eventstreams.topic.plan import Action, Create, Delete, Note, Plan, Seen, Standing, abandoned, never_held, plan

logger = logging.getLogger(__name__)

START_SECONDS: Final = 10.0
"""How long one pass waits for the partitions of a topic that it made: 300 topics start within 2 s on a fast disk."""
GONE_SECONDS: Final = 2.0
"""How long one pass waits until no broker shows a deleted topic, so that a new one of its name finds none."""
LOOK_SECONDS: Final = 0.2
"""Pause between two looks at a topic that is starting or going; the looks of all topics share their calls."""
OFFLINE_SECONDS: Final = 10.0
"""Until the next attempt while partitions of a topic are not usable."""

SYNCED: Final = "Synced"
CONFLICT: Final = "Conflict"

_CURES: Final = {
    Reason.CONFIG_REFUSED: "correct that entry of spec.config or remove it",
    Reason.REPLICATION_FACTOR_REFUSED: "lower spec.replicationFactor, or leave it out for the broker's default",
    Reason.NAME_REFUSED: "choose another spec.name",
}


class TopicReconciler:
    """Brings one Topic to its declared state; the only one that changes topics in Kafka."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names = Names()
        for topic in context.topics.store.values():
            self._names.note(key_of_resource(topic), topic.topic_name)
        context.topics.store.subscribe(self._changed)

    async def reconcile(self, resource: Topic) -> Outcome[TopicStatus] | None:
        """Make Kafka's topic what the spec says and report; None when there is nothing to report.

        Raises RefusedError when the instance does not allow the topic, NotYetError while something is missing.
        """
        if _is_deleting(resource):
            await self._let_go(resource)
            return None
        agree(resource)
        if resource.spec.deletion_policy is DeletionPolicy.DELETE:  # before Kafka is needed, which may be away
            stored = await finalizer.add(self._context.kube, TOPICS, resource)
            if stored is not None:
                resource = self._context.topics.store.put(stored)
        elif FINALIZER in resource.metadata.finalizers:
            await finalizer.drop(self._context.kube, TOPICS, resource)
            return None  # the change wakes the key again
        return await self._keep(resource, place_of(resource, self._context))

    def _changed(self, key: Key, before: Topic | None, after: Topic | None) -> None:
        """Keep the index, and hand a Kafka topic over when one of its claimants goes: the others look again."""
        if after is not None:
            self._names.note(key, after.topic_name)
        if before is not None and (after is None or (_is_deleting(after) and not _is_deleting(before))):
            for other in self._names.same_as(key) - {key}:
                self._context.topics.wake(other)
        if after is None:
            self._names.forget(key)

    async def _keep(self, resource: Topic, place: Place) -> Outcome[TopicStatus]:
        view = await place.admin.describe(resource.topic_name)
        seen = await self._seen(resource, view, place.admin)
        todo = plan(resource.spec, seen, self._standing(resource, place, seen))
        try:
            for action in todo.actions:
                await self._act(action, place.admin)
        except RefusedError as error:
            cure = _CURES.get(error.reason, "correct the spec")
            todo = Plan(refusal=RefusedError(error.reason, f"{error.message}; {cure}"))
        await self._tell(resource, todo.note)
        if todo.holds:
            is_new = bool(todo.actions)
            view = await self._usable(resource, view, place.admin, patience_seconds=START_SECONDS if is_new else 0.0)
        return Outcome(_status(resource, todo, view), _findings(todo))

    async def _let_go(self, resource: Topic) -> None:
        """Do what the deletion policy says, then let the resource go.

        Raises NotYetError while Kafka, which still exists, does not answer; RefusedError when it will not delete.
        """
        if FINALIZER not in resource.metadata.finalizers:
            return
        if resource.spec.deletion_policy is DeletionPolicy.DELETE:
            if is_abandoned(resource, self._context):
                await self._tell(resource, abandoned(resource.topic_name))
            elif resource.status.topic_id is None:  # so Kafka need not be asked
                await self._tell(resource, never_held(resource.topic_name))
            else:
                await self._end(resource)
        await finalizer.drop(self._context.kube, TOPICS, resource)

    async def _end(self, resource: Topic) -> None:
        place = place_of(resource, self._context)
        seen = await self._seen(resource, await place.admin.describe(resource.topic_name), place.admin)
        todo = plan(resource.spec, seen, self._standing(resource, place, seen))
        for action in todo.actions:
            await self._act(action, place.admin)
        await self._tell(resource, todo.note)

    async def _seen(self, resource: Topic, view: TopicView | None, admin: KafkaAdmin) -> Seen | None:
        """Return what a plan needs; the configuration, dear to read, only when it may differ from the spec."""
        if view is None:
            return None
        config = None
        status = resource.status
        is_settled = (
            view.topic_id == status.topic_id
            and status.observed_generation == resource.metadata.generation
            and conditions.is_true(status.conditions, conditions.READY)
        )
        if resource.spec.config and not is_settled and not _is_deleting(resource):
            entries = await admin.topic_config(resource.topic_name)
            config = {name: entry.value for name, entry in entries.items()}
        return Seen(view.topic_id, view.partitions, view.replication_factor, config)

    def _standing(self, resource: Topic, place: Place, seen: Seen | None) -> Standing:
        rivals = [
            topic
            for key in self._names.same_as(key_of_resource(resource))
            if (topic := self._context.topics.store.get(key)) is not None
            and topic.metadata.uid != resource.metadata.uid
            and cluster_of(topic, self._context) == place.cluster_id
        ]
        best = holder([_claimant(topic) for topic in (resource, *rivals)], seen.topic_id if seen else None)
        return Standing(
            name=resource.topic_name,
            recorded_id=resource.status.topic_id,
            held_by=None if best.uid == resource.metadata.uid else best.key,
            is_deleting=_is_deleting(resource),
        )

    async def _act(self, action: Action, admin: KafkaAdmin) -> None:
        match action:
            case Create(name, partitions, replication_factor, config):
                await admin.create(TopicToCreate(name, partitions, replication_factor, config))
                logger.info("Created topic", extra={"topic": name, "partitions": partitions})
            case Delete(name, topic_id):
                await admin.delete(name)
                logger.info("Deleted topic", extra={"topic": name, "topic_id": topic_id})
                await self._until_gone(name, topic_id, admin)
            case _:
                assert_never(action)

    async def _usable(
        self, resource: Topic, view: TopicView | None, admin: KafkaAdmin, *, patience_seconds: float
    ) -> TopicView:
        """Wait until every partition takes records: Kafka answers a create before their logs exist.

        Raises NotYetError(PARTITIONS_STARTING) when that takes longer; what is known is recorded before.
        """
        name = resource.topic_name
        deadline = self._context.clock.monotonic() + patience_seconds
        while True:
            if view is not None and not view.offline and await admin.is_usable(name, view.partitions):
                return view
            if self._context.clock.monotonic() >= deadline:
                break
            await asyncio.sleep(LOOK_SECONDS)
            view = await admin.describe(name)
        if view is not None:
            await self._context.topics.write_status(resource, _status(resource, Plan(holds=True), view))
        without_leader = f", {view.offline} of {view.partitions} have no leader" if view and view.offline else ""
        raise NotYetError(
            Reason.PARTITIONS_STARTING,
            f"partitions of topic {name} take no records yet{without_leader}",
            delay=OFFLINE_SECONDS,
        )

    async def _until_gone(self, name: str, topic_id: str, admin: KafkaAdmin) -> None:
        deadline = self._context.clock.monotonic() + GONE_SECONDS
        while self._context.clock.monotonic() < deadline:
            view = await admin.describe(name)
            if view is None or view.topic_id != topic_id:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell(self, resource: Topic, note: Note | None) -> None:
        if note is not None:
            await events.emit(
                self._context.kube,
                resource,
                type="Warning" if note.is_warning else "Normal",
                reason=str(note.reason),
                message=note.message,
            )


def _is_deleting(topic: Topic) -> bool:
    return topic.metadata.deletion_timestamp is not None


def _claimant(topic: Topic) -> Claimant:
    metadata = topic.metadata
    if metadata.creation_timestamp is None:
        raise ValueError("a stored Topic has a creationTimestamp")
    return Claimant(
        key=key_of_resource(topic),
        uid=metadata.uid,
        created=metadata.creation_timestamp,
        recorded_id=topic.status.topic_id,
        is_deleting=_is_deleting(topic),
    )


def _status(resource: Topic, todo: Plan, view: TopicView | None) -> TopicStatus:
    """Return what is known of the topic when it is this resource's. A lost claim forgets its id, a refusal does not."""
    if todo.holds and view is not None:
        return TopicStatus(
            topic_name=view.name,
            topic_id=view.topic_id,
            partitions=view.partitions,
            replication_factor=view.replication_factor,
        )
    is_lost = todo.refusal is not None and todo.refusal.reason is Reason.TOPIC_CLAIMED
    return TopicStatus(topic_name=resource.topic_name, topic_id=None if is_lost else resource.status.topic_id)


def _findings(todo: Plan) -> tuple[Finding, ...]:
    if todo.refusal is None:
        return (
            *conditions.ready(),
            Finding(SYNCED, "True", Reason.READY),
            Finding(CONFLICT, "False", Reason.READY),
        )
    reason = todo.refusal.reason
    return (
        *conditions.refused(todo.refusal),
        Finding(SYNCED, "False", reason),
        Finding(CONFLICT, "True" if todo.is_conflict else "False", reason),
    )
