"""What live objects say, and what is reported of an instance."""

from collections.abc import Mapping
from typing import Any

import pytest

from eventstreams.api.conditions import Finding
from eventstreams.api.instance import CAStatus, Endpoint, Scope
from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance import plan
from eventstreams.instance.plan import Facts, Rollout
from unit.instance.samples import EXTERNAL, NOW, instance

STATEFUL_SET = {"metadata": {"generation": 3}, "status": {"observedGeneration": 3, "updateRevision": "new"}}
RUNNING = {"running": {"startedAt": "2026-11-23T12:00:00Z"}}
CRASHED = {"waiting": {"reason": "CrashLoopBackOff"}}
AWAY = NotYetError(Reason.KAFKA_UNAVAILABLE, "Kafka does not answer")
FOREIGN = RefusedError(Reason.SECRET_CONFLICT, "Secret x is not ours")


def pod(
    *, revision: str = "old", ready: bool = True, state: Mapping[str, Any] = RUNNING, deleted: bool = False
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "demo-kafka-0", "labels": {"controller-revision-hash": revision}}
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    status = {
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"name": "kafka", "state": dict(state)}],
    }
    return {"metadata": metadata, "status": status}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(pod(), True, id="outdated and ready"),
        pytest.param(pod(revision="new"), False, id="current"),
        pytest.param(pod(ready=False), False, id="outdated and checking its logs"),
        pytest.param(
            pod(ready=False, state=CRASHED), True, id="outdated and not running: the new settings may cure it"
        ),
        pytest.param(pod(deleted=True), False, id="going already"),
        pytest.param(None, False, id="absent"),
    ],
)
def test_an_outdated_broker_is_replaced_when_that_does_no_harm(found: dict[str, Any] | None, *, expected: bool) -> None:
    assert plan.has_to_be_replaced(STATEFUL_SET, found) is expected


def test_no_broker_is_replaced_by_what_a_controller_said_of_an_older_spec() -> None:
    assert not plan.has_to_be_replaced(STATEFUL_SET | {"metadata": {"generation": 4}}, pod())


OWN = {"kind": "StatefulSet", "name": "demo-kafka", "uid": "u-2", "controller": True}
SELECTED = {"eventstreams.dev/instance": "demo"}


def pod_of(*owners: Mapping[str, Any], **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "demo-kafka-0", "labels": labels, "ownerReferences": [dict(one) for one in owners]}}


def demand(found: dict[str, Any]) -> None:
    live = {"metadata": {"name": "demo-kafka", "uid": "u-2"}, "spec": {"selector": {"matchLabels": SELECTED}}}
    plan.demand_own_pod(live, found)


def test_a_pod_that_the_stateful_set_controls_is_its_own() -> None:
    demand(pod_of(OWN))


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(pod_of(), id="nobody's"),
        pytest.param(pod_of(**SELECTED | {"eventstreams.dev/instance": "other"}), id="with labels of another instance"),
        pytest.param(pod_of(OWN | {"kind": "Job", "uid": "u-9"}, **SELECTED), id="another controller's"),
        pytest.param(pod_of(OWN | {"controller": False}), id="owned without being controlled"),
    ],
)
def test_a_pod_of_a_brokers_name_that_is_not_ours_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="Pod demo-kafka-0 exists and does not belong to this instance"):
        demand(found)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(pod_of(OWN | {"uid": "u-1"}), id="about to be collected"),
        pytest.param(pod_of(**SELECTED), id="about to be adopted"),
    ],
)
def test_a_pod_of_a_former_stateful_set_is_waited_for(found: dict[str, Any]) -> None:
    with pytest.raises(NotYetError, match="left from a former StatefulSet"):
        demand(found)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "the broker's pod is being created"),
        (pod(deleted=True), "broker demo-kafka-0 is being restarted"),
        (pod(ready=False), "broker demo-kafka-0 is starting"),
        (
            pod(ready=False, state=CRASHED),
            "broker demo-kafka-0 ends again and again; see kubectl logs demo-kafka-0 --previous",
        ),
        (
            pod(ready=False, state={"waiting": {"reason": "ImagePullBackOff"}}),
            "pod demo-kafka-0 waits: ImagePullBackOff; see kubectl describe pod demo-kafka-0",
        ),
    ],
)
def test_the_message_says_what_a_broker_waits_for(found: dict[str, Any] | None, says: str) -> None:
    assert plan.why_not_ready(found).startswith(says)


def test_the_message_quotes_the_scheduler() -> None:
    found = pod(ready=False)
    found["status"]["conditions"].append({"type": "PodScheduled", "status": "False", "message": "0/1 nodes available"})

    assert plan.why_not_ready(found) == "pod demo-kafka-0 has no node: 0/1 nodes available"


@pytest.mark.parametrize(("asked", "size", "grows"), [("1Gi", "2Gi", True), ("1Gi", "1024Mi", False)])
def test_a_claim_grows_when_it_asks_for_less(asked: str, size: str, *, grows: bool) -> None:
    claim = {"spec": {"resources": {"requests": {"storage": asked}}}}

    assert plan.has_to_grow(claim, size) is grows


def deployment(*, generation: int = 1, **status: int) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "status": {"observedGeneration": 1, **status}}


@pytest.mark.parametrize(
    ("live", "rollout"),
    [
        (deployment(replicas=2, updatedReplicas=2, availableReplicas=2), Rollout(2, 2, is_complete=True)),
        (deployment(replicas=2, updatedReplicas=2, availableReplicas=1), Rollout(2, 1, is_complete=False)),
        (deployment(replicas=3, updatedReplicas=2, availableReplicas=3), Rollout(2, 3, is_complete=False)),
        (
            deployment(generation=2, replicas=2, updatedReplicas=2, availableReplicas=2),
            Rollout(2, 2, is_complete=False),
        ),
    ],
)
def test_a_rollout_is_complete_when_all_pods_are_new_and_serve(live: dict[str, Any], rollout: Rollout) -> None:
    assert plan.rollout_of(instance(replicas=2), live) == rollout


def test_without_a_pod_that_serves_the_producer_is_not_available() -> None:
    with pytest.raises(NotYetError, match="none of 2"):
        plan.rollout_of(instance(replicas=2), deployment(replicas=2))


STUCK = {"type": "Progressing", "status": "False", "message": "ReplicaSet x has timed out progressing."}
OVER_QUOTA = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ([], "yet; see"),
        ([{"type": "Progressing", "status": "True", "message": "is progressing"}], "yet; see"),
        ([STUCK], "yet: ReplicaSet x has timed out progressing"),
        ([STUCK, OVER_QUOTA], "yet: exceeded quota; see"),
    ],
)
def test_the_message_says_why_no_producer_serves_and_where_to_look(conditions: list[dict[str, str]], says: str) -> None:
    live = deployment(replicas=2)
    live["status"]["conditions"] = conditions

    with pytest.raises(NotYetError, match=says) as error:
        plan.rollout_of(instance(replicas=2), live)

    assert error.value.message.endswith(
        "kubectl get pods -n shop -l eventstreams.dev/instance=demo,app.kubernetes.io/component=rest-producer"
    )


def test_a_rollout_that_is_stuck_says_why() -> None:
    live = deployment(replicas=3, updatedReplicas=1, availableReplicas=2)
    live["status"]["conditions"] = [OVER_QUOTA]

    found = plan.findings({}, plan.rollout_of(instance(replicas=2), live))

    assert "2 of 2 REST producer pods serve, exceeded quota" in [one.message for one in found]


def test_no_replicas_are_what_was_asked_for() -> None:
    assert plan.rollout_of(instance(replicas=0), deployment()).is_complete


def summary(findings: tuple[Finding, ...]) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, str(one.reason)) for one in findings}


@pytest.mark.parametrize(
    ("problems", "rollout", "expected"),
    [
        pytest.param(
            {"KafkaAvailable": ()},
            Rollout(2, 2, is_complete=True),
            {
                "KafkaAvailable": ("True", "Ready"),
                "Ready": ("True", "Ready"),
                "Reconciling": ("False", "Ready"),
                "Stalled": ("False", "Ready"),
            },
            id="all is well",
        ),
        pytest.param(
            {"KafkaAvailable": (AWAY,)},
            None,
            {
                "KafkaAvailable": ("False", "KafkaUnavailable"),
                "Ready": ("False", "KafkaUnavailable"),
                "Reconciling": ("True", "KafkaUnavailable"),
                "Stalled": ("False", "KafkaUnavailable"),
            },
            id="the world's turn",
        ),
        pytest.param(
            {"KafkaAvailable": (AWAY,), "CertificatesReady": (FOREIGN,)},
            None,
            {
                "KafkaAvailable": ("False", "KafkaUnavailable"),
                "CertificatesReady": ("False", "SecretConflict"),
                "Ready": ("False", "SecretConflict"),
                "Reconciling": ("False", "SecretConflict"),
                "Stalled": ("True", "SecretConflict"),
            },
            id="a person's turn comes first",
        ),
        pytest.param(
            {},
            Rollout(2, 1, is_complete=False),
            {
                "Ready": ("True", "Ready"),
                "Reconciling": ("True", "ProducerStarting"),
                "Stalled": ("False", "Ready"),
            },
            id="serving while pods roll",
        ),
    ],
)
def test_conditions_say_whose_turn_it_is(
    problems: dict[str, tuple[EventStreamsError, ...]],
    rollout: Rollout | None,
    expected: dict[str, tuple[str, str]],
) -> None:
    assert summary(plan.findings(problems, rollout)) == expected


def test_the_next_attempt_comes_as_soon_as_an_error_asks() -> None:
    soon = NotYetError(Reason.RECONCILING, "is about to go", delay=2)

    assert plan.retry_after([AWAY, FOREIGN]) == 10
    assert plan.retry_after([AWAY, soon]) == 2


def test_what_was_not_learnt_this_time_stays_in_the_status() -> None:
    told = plan.status_of(
        instance(EXTERNAL),
        Facts(
            endpoints=(Endpoint(name="kafka", uri="k:1", scope=Scope.EXTERNAL),),
            ca_fingerprints=("ab",),
            ca=CAStatus(generation=1, not_after=NOW),
            endpoint_not_after=NOW,
            cluster_id="c",
            brokers=3,
            storage_size="1Gi",
        ),
    )
    known = instance(EXTERNAL, status=told.model_dump(mode="json", by_alias=True))

    assert plan.status_of(known, Facts()) == told
