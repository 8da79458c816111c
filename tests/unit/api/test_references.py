"""What a resource's references mean."""

import pytest

from eventstreams.api.serviceid import ServiceID
from eventstreams.api.topic import Topic
from eventstreams.core.key import Key


@pytest.mark.parametrize(
    ("ref", "key"),
    [({"name": "demo"}, Key("own", "demo")), ({"name": "demo", "namespace": "shop"}, Key("shop", "demo"))],
)
def test_an_instance_is_looked_for_beside_the_resource_unless_it_says_otherwise(ref: dict[str, str], key: Key) -> None:
    metadata = {"name": "x", "namespace": "own"}
    topic = Topic.model_validate({"metadata": metadata, "spec": {"instanceRef": ref}})
    spec = {"instanceRef": ref, "role": "editor", "topics": ["*"]}

    assert topic.instance_key == key
    assert ServiceID.model_validate({"metadata": metadata, "spec": spec}).instance_key == key
