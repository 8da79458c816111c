"""The credentials Secret: how it looks, whose it is, what it holds."""

import base64
import copy
import hashlib
from datetime import timedelta
from typing import Any

import pytest

from eventstreams.core.errors import NotYetError
from eventstreams.core.reasons import Reason
from eventstreams.serviceid.credentials import (
    Endpoints,
    Manifest,
    credentials_secret,
    endpoints_of,
    held_by,
    is_ours,
    label_value,
    updated,
)
from eventstreams.serviceid.keys import Held
from unit.serviceid.samples import CA_PEM, NOW, instance, key_status, service_id, some_key

APP = service_id("app")
ENDPOINTS = Endpoints("https://es-rest.team.svc:443", "https://203.0.113.7:32443")
LATER = NOW + timedelta(hours=1)


def secret(**changes: Any) -> Manifest:
    made = credentials_secret(APP, key_status(1), some_key(1), endpoints=ENDPOINTS, ca_pem=CA_PEM)
    live: Manifest = copy.deepcopy(made)
    live["metadata"] |= {"uid": "uid-secret", "resourceVersion": "7"} | changes.pop("metadata", {})
    return live | changes


def texts(manifest: Manifest) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in manifest["data"].items()}


def test_the_secret_holds_what_an_application_needs() -> None:
    assert texts(secret()) == {
        "type": "kafka",
        "provider": "eventstreams",
        "api-key": some_key(1).reveal(),
        "api-endpoint": "https://es-rest.team.svc:443",
        "api-endpoint-external": "https://203.0.113.7:32443",
        "ca.crt": CA_PEM,
    }


def test_the_secret_has_a_name_a_type_an_owner_and_the_keys_history() -> None:
    made = credentials_secret(APP, key_status(1), some_key(1), endpoints=ENDPOINTS, ca_pem=CA_PEM)
    assert made["type"] == "servicebinding.io/kafka"
    assert made["metadata"] == {
        "namespace": "team",
        "name": "app-credentials",
        "labels": {
            "app.kubernetes.io/name": "eventstreams",
            "app.kubernetes.io/managed-by": "eventstreams-operator",
            "app.kubernetes.io/component": "credentials",
            "eventstreams.dev/instance": "es",
            "eventstreams.dev/service-id": hashlib.sha256(b"app").hexdigest()[:16],
        },
        "annotations": {
            "eventstreams.dev/key-id": some_key(1).id,
            "eventstreams.dev/key-generation": "1",
            "eventstreams.dev/key-created-at": "2026-11-01T12:00:00Z",
        },
        "ownerReferences": [
            {
                "apiVersion": "eventstreams.dev/v1beta1",
                "kind": "ServiceID",
                "name": "app",
                "uid": "uid-app",
                "controller": True,
            }
        ],
    }


def test_without_an_external_endpoint_its_key_is_absent() -> None:
    made = credentials_secret(APP, key_status(1), some_key(1), endpoints=Endpoints("https://a", ""), ca_pem=CA_PEM)
    assert "api-endpoint-external" not in made["data"]


def test_the_longest_name_gives_a_label_that_kubernetes_takes() -> None:
    assert len(label_value("a" * 240)) == 16


def test_what_the_secret_holds_is_read_back() -> None:
    assert held_by(secret(), LATER) == Held(some_key(1), 1, NOW)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"api-key": ""},
        {"api-key": "not base64!"},
        {"api-key": base64.b64encode(b"\xff\xfe").decode()},
        {"api-key": base64.b64encode(some_key(1).reveal()[:-1].encode()).decode()},
        {"api-key": base64.b64encode(some_key(1).reveal().encode() + b"\n").decode()},
    ],
)
def test_a_damaged_secret_holds_no_key(data: dict[str, str] | None) -> None:
    assert held_by(secret(data=data), LATER) is None


@pytest.mark.parametrize("generation", ["", "0", "-1", "x", "1" * 30])
def test_damaged_annotations_count_as_absent(generation: str) -> None:
    annotations = {"eventstreams.dev/key-generation": generation, "eventstreams.dev/key-created-at": "yesterday"}
    assert held_by(secret(metadata={"annotations": annotations}), LATER) == Held(some_key(1), 1, LATER)


def test_a_secret_that_the_operator_made_for_this_service_id_is_ours() -> None:
    assert is_ours(secret(), APP)


def test_a_secret_that_a_restore_left_without_owner_is_ours() -> None:
    assert is_ours(secret(metadata={"ownerReferences": None}), APP)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "Opaque"},
        {"metadata": {"labels": None}},
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "eventstreams-operator"}}},
        {"metadata": {"ownerReferences": [{"kind": "ServiceID", "name": "app", "uid": "an-earlier-one"}]}},
        {"metadata": {"ownerReferences": [{"uid": "uid-app"}, {"uid": "another"}]}},
    ],
)
def test_any_other_secret_is_somebody_elses(changes: dict[str, Any]) -> None:
    assert not is_ours(secret(**changes), APP)


def test_a_secret_that_says_it_already_is_not_written() -> None:
    assert updated(secret(), secret()) is None


def test_labels_and_annotations_of_others_stay() -> None:
    live = secret(metadata={"labels": {"team": "blue"}, "annotations": {"note": "mine"}})
    new = updated(live, secret())
    assert new is not None
    assert new["metadata"]["labels"] == secret()["metadata"]["labels"] | {"team": "blue"}
    assert new["metadata"]["annotations"] == secret()["metadata"]["annotations"] | {"note": "mine"}
    assert new["metadata"]["resourceVersion"] == "7"


def test_keys_that_are_not_ours_leave_the_data() -> None:
    live = secret()
    live["data"] = live["data"] | {"old": "eA=="}
    new = updated(live, secret())
    assert new is not None
    assert new["data"] == secret()["data"]


def test_endpoints_come_from_the_instance() -> None:
    assert endpoints_of(instance()) == ENDPOINTS


def test_an_instance_without_endpoint_is_waited_for() -> None:
    with pytest.raises(NotYetError, match="instance es has no endpoint yet") as wait:
        endpoints_of(instance(endpoints=[]))
    assert wait.value.reason is Reason.INSTANCE_NOT_READY
