"""A controller on a real API server: what becomes of a reconcile's end."""

import asyncio
import logging

import pytest

from eventstreams.api import conditions
from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import EVENTS, TOPICS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import ChangedError
from eventstreams.runtime.controller import Outcome
from eventstreams.runtime.metrics import Metrics
from integration.runtime.conftest import Running, TopicController
from integration.runtime.topics import Scripted, make_topic, read_topic, ready_condition, succeed
from integration.waiting import eventually

pytestmark = pytest.mark.integration


def count(metrics: Metrics, result: str) -> float:
    return (
        metrics.registry.get_sample_value("eventstreams_reconciliations_total", {"kind": "Topic", "result": result})
        or 0.0
    )


def writes(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("eventstreams_status_writes_total", {"kind": "Topic"}) or 0.0


async def reconciled(metrics: Metrics, result: str, times: int = 1) -> None:
    async def look() -> bool:
        return count(metrics, result) >= times

    await eventually(look, f"{times} reconciles that end {result}", seconds=10)


async def test_what_was_found_is_written_with_the_generation_it_was_judged_on(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async with running(Scripted(succeed)):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "done")

    topic = await read_topic(kube, namespace)
    assert (topic.status.partitions, topic.status.observed_generation) == (3, 1)
    assert ready_condition(topic) == ("True", "Ready", "")


async def test_our_own_write_is_in_the_store_at_once_and_its_watch_event_wakes_nobody(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    reconciler = Scripted(succeed)
    async with running(reconciler):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "done")
        stored = await kube.get(TOPICS, namespace, "orders")
        controller.seen({"type": "MODIFIED", "object": stored})

    assert len(controller.queue) == 0
    assert len(reconciler.seen) == 1


async def test_a_second_look_that_finds_the_same_writes_nothing(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async with running(Scripted(succeed)):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "done")
        controller.wake(Key(namespace, "orders"))
        await reconciled(metrics, "done", times=2)

    assert writes(metrics) == 1


async def test_a_refusal_waits_for_a_change_and_is_told_in_condition_and_event(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def refuse(_: Topic) -> Outcome[TopicStatus]:
        raise RefusedError(Reason.NAME_REFUSED, "that name is taken: choose another")

    async with running(Scripted(refuse)):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "refused")

    topic = await read_topic(kube, namespace)
    assert ready_condition(topic) == ("False", "NameRefused", "that name is taken: choose another")
    assert conditions.is_true(topic.status.conditions, conditions.STALLED)
    (event,) = (await kube.list(EVENTS, namespace)).items
    assert (event["type"], event["reason"]) == ("Warning", "NameRefused")
    assert controller.queue.take() is None


async def test_what_is_not_yet_possible_is_tried_again_and_says_when(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def fail_twice(topic: Topic) -> Outcome[TopicStatus]:
        if len(reconciler.seen) <= 2:
            raise NotYetError(Reason.KAFKA_STARTING, "the brokers are starting")
        return await succeed(topic)

    reconciler = Scripted(fail_twice)
    async with running(reconciler):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "not_yet", times=2)
        second = reconciler.seen[1]
        await reconciled(metrics, "done")

    assert ready_condition(second) == ("False", "KafkaStarting", "the brokers are starting; next attempt within 10 s")
    assert ready_condition(await read_topic(kube, namespace))[0] == "True"
    assert (await kube.list(EVENTS, namespace)).items == ()


async def test_errors_that_come_in_a_group_are_judged_by_the_worst_of_them(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def fail_in_a_group(_: Topic) -> Outcome[TopicStatus]:
        waits, refusal = NotYetError(Reason.KAFKA_STARTING, "wait"), RefusedError(Reason.NAME_REFUSED, "no")
        raise ExceptionGroup("several", [waits, ExceptionGroup("inner", [refusal])])

    async with running(Scripted(fail_in_a_group)):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "refused")

    assert ready_condition(await read_topic(kube, namespace)) == ("False", "NameRefused", "no")


async def test_a_controller_has_caught_up_when_all_it_began_with_was_worked_on_once(
    kube: Kube, namespace: str, controller: TopicController, running: Running
) -> None:
    may_end = asyncio.Event()

    async def wait(topic: Topic) -> Outcome[TopicStatus]:
        await may_end.wait()
        return await succeed(topic)

    for name in ("a", "b"):
        controller.found(await make_topic(kube, namespace, name))
    async with running(Scripted(wait)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await controller.caught_up()
        may_end.set()
        await controller.caught_up()

    assert len(controller.queue) == 0


async def test_a_bug_is_logged_once_with_its_traceback_and_harms_no_other_object(
    kube: Kube,
    namespace: str,
    controller: TopicController,
    running: Running,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stumble(topic: Topic) -> Outcome[TopicStatus]:
        if topic.metadata.name == "bad":
            raise KeyError("oops")
        return await succeed(topic)

    with caplog.at_level(logging.ERROR):
        async with running(Scripted(stumble)):
            controller.found(await make_topic(kube, namespace, "bad"))
            controller.found(await make_topic(kube, namespace, "good"))
            await reconciled(metrics, "bug", times=3)
            await reconciled(metrics, "done")

    assert [record.message for record in caplog.records if record.exc_info] == ["Reconcile met a bug"]
    assert ready_condition(await read_topic(kube, namespace, "bad"))[:2] == ("Unknown", "InternalError")
    assert ready_condition(await read_topic(kube, namespace, "good"))[0] == "True"


async def test_a_reconcile_that_hangs_is_broken_off(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def hang(_: Topic) -> None:
        await asyncio.Event().wait()

    async with running(Scripted(hang)):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "bug")


async def test_an_edit_during_the_work_is_kept_and_judged_next(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def edited_meanwhile(topic: Topic) -> Outcome[TopicStatus]:
        if topic.metadata.generation == 1:
            await kube.patch(TOPICS, namespace, "orders", {"spec": {"partitions": 6}})
        return await succeed(topic)

    reconciler = Scripted(edited_meanwhile)
    async with running(reconciler):
        controller.found(await make_topic(kube, namespace, partitions=3))
        await reconciled(metrics, "done", times=2)

    assert [topic.spec.partitions for topic in reconciler.seen] == [3, 6]
    assert (await read_topic(kube, namespace)).status.observed_generation == 2


async def test_a_status_that_somebody_else_wrote_is_judged_anew_and_not_overwritten(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def overtaken(topic: Topic) -> Outcome[TopicStatus]:
        if len(reconciler.seen) == 1:
            await kube.patch(TOPICS, namespace, "orders", {"status": {"topicId": "theirs"}}, subresource="status")
        return await succeed(topic)

    reconciler = Scripted(overtaken)
    async with running(reconciler):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "done")

    assert [topic.status.topic_id for topic in reconciler.seen] == [None, "theirs"]
    assert (await read_topic(kube, namespace)).status.topic_id == "theirs"


async def test_a_status_write_in_the_middle_holds_only_on_the_state_it_was_judged_on(
    kube: Kube, namespace: str, controller: TopicController
) -> None:
    controller.found(await make_topic(kube, namespace))
    topic = controller.store.get(Key(namespace, "orders"))
    assert topic is not None

    pending = topic.status.model_copy(update={"topic_id": "pending"})
    written = await controller.write_status(topic, pending)
    assert written.status.topic_id == "pending"
    assert controller.store.get(Key(namespace, "orders")) == written
    with pytest.raises(ChangedError):
        await controller.write_status(topic, topic.status.model_copy(update={"topic_id": "late"}))


async def test_a_conflict_reads_again_and_goes_unmentioned(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def conflict_once(topic: Topic) -> Outcome[TopicStatus]:
        if len(reconciler.seen) == 1:
            await kube.patch(TOPICS, namespace, "orders", {"metadata": {"labels": {"a": "b"}}})
            await controller.write_status(topic, topic.status.model_copy(update={"partitions": 1}))
        return await succeed(topic)

    reconciler = Scripted(conflict_once)
    async with running(reconciler):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "done")

    assert count(metrics, "conflict") == 1
    assert reconciler.seen[1].metadata.labels == {"a": "b"}
    assert (await kube.list(EVENTS, namespace)).items == ()


async def test_an_object_that_goes_during_the_work_is_no_error(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async def gone_meanwhile(topic: Topic) -> Outcome[TopicStatus]:
        await kube.delete(TOPICS, namespace, "orders")
        return await succeed(topic)

    async with running(Scripted(gone_meanwhile)):
        controller.found(await make_topic(kube, namespace))
        await reconciled(metrics, "done")

    assert controller.store.get(Key(namespace, "orders")) is None


async def test_a_reconciler_hears_of_what_is_gone(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    reconciler = Scripted(succeed)
    manifest: Manifest = await make_topic(kube, namespace)
    controller.found(manifest)
    newer = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "999999999"}}
    controller.seen({"type": "DELETED", "object": newer})
    async with running(reconciler):
        await reconciled(metrics, "gone")

    assert (reconciler.seen, reconciler.forgotten) == ([], [Key(namespace, "orders")])


async def test_an_object_that_cannot_be_read_is_not_taken_for_gone(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    reconciler = Scripted(succeed)
    manifest: Manifest = await make_topic(kube, namespace)
    controller.found({**manifest, "spec": {"unknown": "field"}})
    async with running(reconciler):
        await reconciled(metrics, "unreadable")

    assert (reconciler.seen, reconciler.forgotten) == ([], [])


async def test_many_objects_are_worked_on_at_once_but_not_more_than_allowed(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    at_once: list[int] = []
    inside = 0

    async def counted(topic: Topic) -> Outcome[TopicStatus]:
        nonlocal inside
        inside += 1
        at_once.append(inside)
        await kube.get(TOPICS, namespace, topic.metadata.name)
        inside -= 1
        return await succeed(topic)

    for number in range(12):
        controller.found(await make_topic(kube, namespace, f"t{number}"))
    async with running(Scripted(counted)):
        await reconciled(metrics, "done", times=12)

    assert max(at_once) == 4


async def test_resources_are_counted_by_their_ready_condition(
    kube: Kube, namespace: str, controller: TopicController, running: Running, metrics: Metrics
) -> None:
    async with running(Scripted(succeed)):
        controller.found(await make_topic(kube, namespace, "a"))
        await reconciled(metrics, "done")
    controller.found(await make_topic(kube, namespace, "b"))

    counted = {
        status: metrics.registry.get_sample_value("eventstreams_resources", {"kind": "Topic", "ready": status})
        for status in ("True", "False", "Unknown")
    }
    assert counted == {"True": 1, "False": 0, "Unknown": 1}
