"""Conditions: what the operator found about a resource, in the words that kubectl, kstatus and GitOps tools read.

`Ready` says whether the resource is usable, `Reconciling` that the operator is working or will try again by itself,
`Stalled` that nothing will happen until somebody changes something. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from eventstreams.api.model import Condition
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.reasons import Reason

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"

ConditionStatus = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition as just judged; `merged` gives it its times."""

    type: str
    status: ConditionStatus
    reason: Reason
    message: str = ""


def ready(message: str = "") -> tuple[Finding, ...]:
    """Report that everything declared is in place and usable."""
    return _judged("True", Reason.READY, message)


def refused(error: RefusedError) -> tuple[Finding, ...]:
    """Report the user's turn: nothing happens until the spec or the rights change."""
    return _judged("False", error.reason, error.message, stalled="True")


def not_yet(error: NotYetError, next_try: str = "") -> tuple[Finding, ...]:
    """Report the world's turn: tried again; `next_try` says when, for example `next attempt within 8 s`."""
    message = f"{error.message}; {next_try}" if next_try else error.message
    return _judged("False", error.reason, message, reconciling="True")


def bug() -> tuple[Finding, ...]:
    """Report our turn: the traceback is in the operator's log; it is tried again, slowly."""
    message = "the operator met an error of its own; its log has the traceback, report it"
    return _judged("Unknown", Reason.INTERNAL_ERROR, message, reconciling="True")


def merged(
    old: Sequence[Condition], findings: Sequence[Finding], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return `old` with `findings` put in by type, sorted by type.

    A condition whose status did not change keeps its lastTransitionTime; types that no finding names stay as they
    are. The last finding of a type wins.
    """
    conditions = {condition.type: condition for condition in old}
    for finding in findings:
        before = conditions.get(finding.type)
        same = before is not None and before.status == finding.status
        conditions[finding.type] = Condition(
            type=finding.type,
            status=finding.status,
            reason=str(finding.reason),
            message=finding.message,
            last_transition_time=before.last_transition_time if before is not None and same else now,
            observed_generation=generation,
        )
    return tuple(conditions[name] for name in sorted(conditions))


def is_true(conditions: Sequence[Condition], name: str) -> bool:
    """Tell whether the condition `name` is there and holds."""
    return any(condition.type == name and condition.status == "True" for condition in conditions)


def _judged(
    is_ready: ConditionStatus,
    reason: Reason,
    message: str,
    *,
    reconciling: ConditionStatus = "False",
    stalled: ConditionStatus = "False",
) -> tuple[Finding, ...]:
    return (
        Finding(READY, is_ready, reason, message),
        Finding(RECONCILING, reconciling, reason),
        Finding(STALLED, stalled, reason),
    )
