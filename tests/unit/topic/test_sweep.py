"""What a sweep finds worth a look."""

from dataclasses import replace

import pytest

from eventstreams.api.topic import Topic
from eventstreams.core.errors import NotYetError
from eventstreams.core.reasons import Reason
from eventstreams.kafka.views import TopicView
from eventstreams.topic.sweep import needs_look
from unit.topic.samples import OTHER_ID, topic

VIEW = TopicView("orders", "vJs3e1pRQK2wCkcFZm1p2g", partitions=3, replication_factor=1)

CASES = [
    ("as recorded", topic(), VIEW, False),
    ("not ready", topic(ready=False), VIEW, True),
    ("gone", topic(), None, True),
    ("made anew", topic(), replace(VIEW, topic_id=OTHER_ID), True),
    ("grown", topic(), replace(VIEW, partitions=6), True),
    ("replicas moved", topic(), replace(VIEW, replication_factor=3), True),
    ("without a leader", topic(), replace(VIEW, offline=1), True),
    ("no answer", topic(), NotYetError(Reason.KAFKA_UNAVAILABLE, "away"), False),
    ("no answer and not ready", topic(ready=False), NotYetError(Reason.KAFKA_UNAVAILABLE, "away"), False),
]


@pytest.mark.parametrize(("_why", "resource", "seen", "needed"), CASES)
def test_only_what_differs_needs_a_look(
    _why: str, resource: Topic, seen: TopicView | NotYetError | None, *, needed: bool
) -> None:
    assert needs_look(resource, seen) is needed
