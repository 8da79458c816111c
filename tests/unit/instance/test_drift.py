"""Whether a live object still is what we made it."""

import copy
from typing import Any

import pytest

from eventstreams.core import names
from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance.drift import is_as_applied, refuse_foreign, stamped
from eventstreams.instance.quantities import number_of

WANTED: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "demo-rest", "labels": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "demo"}},
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "producer",
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "command": ["run"],
                        "resources": {"limits": {"memory": "1Gi", "cpu": "0.5"}},
                        "emptyDir": {},
                    }
                ]
            }
        },
    },
}


def live(path: str = "", value: object = None) -> dict[str, Any]:
    """Return WANTED as the API server would give it back, with one thing changed."""
    out = copy.deepcopy(stamped(WANTED))
    out["metadata"]["uid"] = "u"
    out["status"] = {"replicas": 1}
    container = out["spec"]["template"]["spec"]["containers"][0]
    container["terminationMessagePath"] = "/dev/termination-log"
    container["resources"]["limits"] = {"memory": "1024Mi", "cpu": "500m"}
    if path:
        *parents, last = path.split("/")
        target: Any = out
        for key in parents:
            target = target[int(key)] if key.isdigit() else target[key]
        target[last] = value
    return out


CONTAINER = "spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", None),
        ("metadata/annotations/theirs", "x"),
        ("metadata/labels/theirs", "x"),
        (f"{CONTAINER}/env", [{"name": "X", "value": "9"}, {"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
        (
            "spec/template/spec/containers",
            [{"name": "sidecar"}, live()["spec"]["template"]["spec"]["containers"][0]],
        ),
    ],
    ids=["defaults", "annotation", "label", "variables in another order and one more", "sidecar"],
)
def test_what_others_add_is_theirs(path: str, value: object) -> None:
    assert is_as_applied(stamped(WANTED), live(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/replicas", 3),
        ("metadata/labels", {}),
        ("metadata/annotations", {}),
        (f"{CONTAINER}/env", [{"name": "A", "value": "1"}]),
        (f"{CONTAINER}/env", [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]),
        (f"{CONTAINER}/command", ["run", "wild"]),
        (f"{CONTAINER}/resources/limits", {"memory": "2Gi", "cpu": "500m"}),
        ("spec/selector/matchLabels", {"app": "demo", "more": "x"}),
    ],
)
def test_what_others_change_of_ours_is_noticed(path: str, value: object) -> None:
    assert not is_as_applied(stamped(WANTED), live(path, value))


def test_a_field_that_we_gave_up_is_noticed() -> None:
    fewer = copy.deepcopy(WANTED)
    del fewer["spec"]["replicas"]

    assert not is_as_applied(stamped(fewer), live())


@pytest.mark.parametrize(
    ("labels", "owner", "kind", "error", "reason"),
    [
        ({}, None, "Secret", RefusedError, "SecretConflict"),
        ({}, None, "Service", RefusedError, "ObjectConflict"),
        ({names.INSTANCE_LABEL: "other"}, None, "Secret", RefusedError, "SecretConflict"),
        ({names.INSTANCE_LABEL: "demo"}, "u-0", "Secret", NotYetError, "Reconciling"),
    ],
    ids=["foreign secret", "foreign service", "another instance's", "a former instance's"],
)
def test_an_object_of_somebody_else_is_not_touched(
    labels: dict[str, str], owner: str | None, kind: str, error: type[EventStreamsError], reason: str
) -> None:
    managed = {names.MANAGED_BY: names.MANAGED_BY_VALUE} if labels else {}
    owners = [] if owner is None else [{"kind": "EventStreamsInstance", "uid": owner}]
    found = {"kind": kind, "metadata": {"name": "x", "labels": labels | managed, "ownerReferences": owners}}

    with pytest.raises(error) as raised:
        refuse_foreign(found, instance="demo", uid="u-1")

    assert str(raised.value.reason) == reason


def test_credentials_of_a_service_id_under_a_name_that_the_instance_needs_are_not_touched() -> None:
    labels = {names.MANAGED_BY: names.MANAGED_BY_VALUE, names.INSTANCE_LABEL: "demo", names.SERVICE_ID_LABEL: "0f"}
    found = {"kind": "Secret", "metadata": {"name": "demo-identity", "labels": labels}}

    with pytest.raises(RefusedError) as raised:
        refuse_foreign(found, instance="demo", uid="u-1")

    assert raised.value.reason is Reason.SECRET_CONFLICT


@pytest.mark.parametrize("owners", [[], [{"kind": "EventStreamsInstance", "uid": "u-1"}]], ids=["kept", "owned"])
def test_our_own_objects_and_kept_ones_are_taken(owners: list[dict[str, str]]) -> None:
    labels = {names.MANAGED_BY: names.MANAGED_BY_VALUE, names.INSTANCE_LABEL: "demo"}

    refuse_foreign(
        {"kind": "Secret", "metadata": {"name": "x", "labels": labels, "ownerReferences": owners}},
        instance="demo",
        uid="u-1",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("1Gi", "1024Mi"), ("0.5", "500m"), ("1", 1), ("1e3", "1k"), ("1.5Gi", "1536Mi"), (".5", "0.5")],
)
def test_quantities_are_compared_as_numbers(one: str, other: str | int) -> None:
    assert number_of(one) == number_of(other)


@pytest.mark.parametrize("text", ["", "Gi", "1Xi", "one", "1 Gi", None, [1]])
def test_what_is_no_quantity_is_no_number(text: object) -> None:
    assert number_of(text) is None
