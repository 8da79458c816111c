"""How a status is written: the smallest merge patch (RFC 7386) between what is stored and what is wanted. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from eventstreams.api.conditions import Finding, merged
from eventstreams.api.model import Status

S = TypeVar("S", bound=Status)


def settled(old: Status, new: S, findings: Sequence[Finding], *, generation: int, now: datetime) -> S:
    """Return `new` with the conditions of `old` and `findings`, judged on `generation`."""
    conditions = merged(old.conditions, findings, generation=generation, now=now)
    return new.model_copy(update={"conditions": conditions, "observed_generation": generation})


def difference(old: Status, new: Status) -> dict[str, Any]:
    """Return the merge patch that turns `old` into `new`; empty when they are equal."""
    return merge_patch(_json(old), _json(new))


def merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch that turns `old` into `new`: lists are replaced whole, null removes a field."""
    patch: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())
    for name, value in new.items():
        before = old.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            if inner := merge_patch(before, value):
                patch[name] = inner
        elif name not in old or before != value:
            patch[name] = value
    return patch


def _json(status: Status) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
