"""Status patches: they hold what differs and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventstreams.api import conditions
from eventstreams.api.topic import TopicStatus
from eventstreams.runtime.status import difference, merge_patch, settled

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

documents = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers(0, 2) | st.lists(st.integers(0, 2), max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


def merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch as RFC 7386 section 2 has it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(old=documents, new=documents)
def test_a_merge_patch_turns_the_old_into_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merged(old, merge_patch(old, new)) == new


@given(document=documents)
def test_equal_documents_need_no_patch(document: dict[str, Any]) -> None:
    assert merge_patch(document, json.loads(json.dumps(document))) == {}


def test_a_field_that_is_no_more_is_removed() -> None:
    assert difference(TopicStatus(partitions=3, topic_id="x"), TopicStatus(partitions=3)) == {"topicId": None}


def test_a_status_judged_again_without_news_needs_no_write() -> None:
    first = settled(TopicStatus(), TopicStatus(partitions=3), conditions.ready("3 partitions"), generation=2, now=NOW)
    stored = TopicStatus.model_validate_json(first.model_dump_json(by_alias=True))

    again = settled(
        stored, TopicStatus(partitions=3), conditions.ready("3 partitions"), generation=2, now=datetime.now(UTC)
    )

    assert difference(stored, again) == {}


def test_conditions_come_from_the_findings_and_not_from_the_given_status() -> None:
    theirs = settled(TopicStatus(), TopicStatus(), conditions.bug(), generation=1, now=NOW)

    status = settled(TopicStatus(), theirs, conditions.ready(), generation=4, now=NOW)

    assert {one.type: one.status for one in status.conditions} == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
    }
    assert status.observed_generation == 4
