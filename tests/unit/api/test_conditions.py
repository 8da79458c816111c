"""Conditions: merging what was just found into what stood before."""

from datetime import UTC, datetime, timedelta

import pytest

from eventstreams.api import conditions
from eventstreams.api.conditions import Finding
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.reasons import Reason

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (conditions.ready(), ("True", "False", "False")),
        (conditions.refused(RefusedError(Reason.NAME_REFUSED, "no")), ("False", "False", "True")),
        (conditions.not_yet(NotYetError(Reason.KAFKA_STARTING, "wait")), ("False", "True", "False")),
        (conditions.bug(), ("Unknown", "True", "False")),
    ],
    ids=["ready", "refused", "not yet", "bug"],
)
def test_each_end_says_whose_turn_it_is(findings: tuple[Finding, ...], expected: tuple[str, str, str]) -> None:
    judged = {finding.type: finding.status for finding in findings}

    assert (judged["Ready"], judged["Reconciling"], judged["Stalled"]) == expected


def test_the_next_attempt_stands_in_the_message() -> None:
    (ready, *_) = conditions.not_yet(NotYetError(Reason.KAFKA_STARTING, "brokers start"), "next attempt within 8 s")

    assert ready.message == "brokers start; next attempt within 8 s"


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    before = conditions.merged((), conditions.ready(), generation=1, now=NOW)
    after = conditions.merged(before, conditions.ready("still"), generation=2, now=LATER)

    assert {one.last_transition_time for one in after} == {NOW}
    assert {one.observed_generation for one in after} == {2}


def test_a_condition_whose_status_changes_gets_the_time_of_now() -> None:
    before = conditions.merged((), conditions.ready(), generation=1, now=NOW)
    after = conditions.merged(before, conditions.bug(), generation=1, now=LATER)

    times = {one.type: one.last_transition_time for one in after}
    assert times == {"Ready": LATER, "Reconciling": LATER, "Stalled": NOW}


def test_types_that_nobody_judged_stay_and_the_order_is_by_type() -> None:
    synced = Finding("Synced", "True", Reason.READY)
    before = conditions.merged((), (synced,), generation=1, now=NOW)
    after = conditions.merged(before, conditions.ready(), generation=2, now=LATER)

    assert [one.type for one in after] == ["Ready", "Reconciling", "Stalled", "Synced"]
    assert after[-1] == before[0]


def test_is_true_asks_for_a_condition_that_is_there_and_holds() -> None:
    found = conditions.merged((), conditions.ready(), generation=1, now=NOW)

    assert conditions.is_true(found, "Ready")
    assert not conditions.is_true(found, "Stalled")
    assert not conditions.is_true((), "Ready")
