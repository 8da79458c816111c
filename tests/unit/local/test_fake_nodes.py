"""A fake node reports what a kubelet would, and nothing twice."""

from typing import Any

import pytest

from local.fake_nodes import pod_status, volume

Object = dict[str, Any]


def pod(*, annotations: dict[str, str] | None = None, status: Object | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "1", "annotations": annotations or {}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}], **spec},
        "status": status or {"phase": "Pending"},
    }


def outcome(status: Object | None) -> tuple[str, str]:
    assert status is not None
    ready = next(condition["status"] for condition in status["conditions"] if condition["type"] == "Ready")
    return status["phase"], ready


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod(), ("Running", "True")),
        (pod(annotations={"fake/ready": "false"}), ("Running", "False")),
        (pod(annotations={"fake/phase": "Failed"}), ("Failed", "False")),
        (pod(restartPolicy="Never"), ("Succeeded", "False")),
        (pod(restartPolicy="OnFailure", annotations={"fake/phase": "Running"}), ("Running", "True")),
    ],
)
def test_a_pod_becomes_what_its_annotations_and_restart_policy_say(given: Object, expected: tuple[str, str]) -> None:
    assert outcome(pod_status(given, "10.245.0.1")) == expected


@pytest.mark.parametrize("annotations", [{}, {"fake/ready": "false"}, {"fake/phase": "Failed"}])
def test_a_reported_state_is_not_reported_again(annotations: dict[str, str]) -> None:
    reported = pod_status(pod(annotations=annotations), "10.245.0.1")
    assert pod_status(pod(annotations=annotations, status=reported), "10.245.0.2") is None


def test_a_pod_keeps_its_address_and_start_when_its_state_changes() -> None:
    running = pod_status(pod(), "10.245.0.1")
    assert running is not None
    unready = pod_status(pod(annotations={"fake/ready": "false"}, status=running), "10.245.0.2")
    assert unready is not None
    assert (unready["podIP"], unready["startTime"]) == ("10.245.0.1", running["startTime"])


def test_a_volume_has_the_size_modes_and_class_of_its_claim() -> None:
    claim = {
        "metadata": {"name": "data", "namespace": "default", "uid": "7"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local-path",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    spec = volume(claim)["spec"]
    assert (spec["capacity"]["storage"], spec["accessModes"], spec["storageClassName"]) == (
        "1Gi",
        ["ReadWriteOnce"],
        "local-path",
    )
    assert spec["claimRef"] == {"namespace": "default", "name": "data", "uid": "7"}
