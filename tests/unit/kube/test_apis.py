"""Paths of the Kubernetes API, and errors by whose turn it is."""

import pytest

from eventstreams.api.topic import Topic
from eventstreams.core.errors import NotYetError
from eventstreams.kube.apis import ALL, API, CONFIG_MAPS, LEASES, NODES, TOPICS, api_of, api_of_resource
from eventstreams.kube.errors import (
    AlreadyExistsError,
    ChangedError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    error_of,
)


@pytest.mark.parametrize(
    ("api", "place", "path"),
    [
        (CONFIG_MAPS, ("shop", "one"), "/api/v1/namespaces/shop/configmaps/one"),
        (CONFIG_MAPS, (None,), "/api/v1/configmaps"),
        (NODES, ("shop", "node0"), "/api/v1/nodes/node0"),
        (LEASES, ("shop",), "/apis/coordination.k8s.io/v1/namespaces/shop/leases"),
        (TOPICS, ("a", "b", "status"), "/apis/eventstreams.dev/v1beta1/namespaces/a/topics/b/status"),
        (TOPICS, ("a/../b", "c?d"), "/apis/eventstreams.dev/v1beta1/namespaces/a%2F..%2Fb/topics/c%3Fd"),
    ],
)
def test_a_path_names_the_object_and_nothing_else(api: API, place: tuple[str, ...], path: str) -> None:
    assert api.path(*place) == path


def test_every_api_is_found_by_a_manifest_of_its_kind() -> None:
    assert [api_of({"apiVersion": api.api_version, "kind": api.kind}) for api in ALL] == list(ALL)


def test_a_parsed_object_knows_its_api() -> None:
    topic = Topic.model_validate({"metadata": {"name": "orders"}, "spec": {"instanceRef": {"name": "demo"}}})

    assert api_of_resource(topic) == TOPICS


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (400, "BadRequest", InvalidError),
        (401, "Unauthorized", ForbiddenError),
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (409, "AlreadyExists", AlreadyExistsError),
        (409, "Conflict", ChangedError),
        (410, "Expired", ExpiredError),
        (422, "Invalid", InvalidError),
        (429, "TooManyRequests", NotYetError),
        (500, None, NotYetError),
    ],
)
def test_an_answer_becomes_the_error_of_whose_turn_it_is(
    status: int, reason: str | None, expected: type[Exception]
) -> None:
    error = error_of(status, {"reason": reason, "message": "so it is"}, "GET /api/v1/pods", 3.0)

    assert type(error) is expected
    assert str(error) == f"the Kubernetes API answered {status} to GET /api/v1/pods: so it is"
    assert not isinstance(error, NotYetError) or error.delay == 3.0
