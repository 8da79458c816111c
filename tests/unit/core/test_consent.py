"""Who may use an instance."""

import pytest

from eventstreams.core.consent import Grant, InstanceRef, Request, consent
from eventstreams.core.errors import RefusedError
from eventstreams.core.reasons import Reason

INSTANCE = InstanceRef("team", "my-instance")


def test_an_instance_serves_its_own_namespace() -> None:
    assert consent(INSTANCE, Request("team", ("orders", "pay-*"))) == Grant(("orders", "pay-*"))


def test_another_namespace_is_refused_and_told_where_to_go() -> None:
    with pytest.raises(RefusedError, match="create it in team") as refusal:
        consent(INSTANCE, Request("elsewhere", ("orders",)))
    assert refusal.value.reason is Reason.NOT_PERMITTED


def test_kafkas_own_topics_are_never_granted() -> None:
    with pytest.raises(RefusedError, match="__consumer_offsets") as refusal:
        consent(INSTANCE, Request("team", ("orders", "__consumer_offsets")))
    assert refusal.value.reason is Reason.ACCESS_REFUSED
