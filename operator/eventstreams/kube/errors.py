"""What can go wrong at the Kubernetes API, told apart by whose turn it is.

| status | raised | turn |
|---|---|---|
| 401, 403 | ForbiddenError | the world's: whoever installs the operator grants rights |
| 404 | NotFoundError | the world's: the caller decides what absence means |
| 409 AlreadyExists | AlreadyExistsError | the world's |
| 409 otherwise | ChangedError | the world's: read again, judge again |
| 410 | ExpiredError | the world's: list again |
| 400, 422 | InvalidError | ours: we sent what the API does not take |
| anything else, no answer | NotYetError | the world's |
"""

from collections.abc import Mapping
from typing import Any

from eventstreams.core.errors import NotYetError
from eventstreams.core.reasons import Reason


class ChangedError(NotYetError):
    """The object changed since it was read, or a precondition on its UID does not hold."""


class AlreadyExistsError(NotYetError):
    """An object of that name exists."""


class NotFoundError(NotYetError):
    """The object, or the namespace to create it in, does not exist."""


class ForbiddenError(NotYetError):
    """The operator's user lacks a right, or its token is not valid."""


class ExpiredError(NotYetError):
    """The resourceVersion asked for is too old: list again."""


class InvalidError(Exception):
    """The API server refused the content: our bug, as every field is ours or checked by the CRD's schema."""


def error_of(status: int, said: Mapping[str, Any], call: str, retry_after: float | None = None) -> Exception:
    """Return the error for an answer with `status` whose body is the Status object `said`.

    `call` names what was asked, for example `GET /api/v1/namespaces/shop/pods`.
    """
    message = f"the Kubernetes API answered {status} to {call}: {said.get('message') or 'no message'}"
    if status in (400, 422):
        return InvalidError(message)
    kind, reason = NotYetError, Reason.API_UNAVAILABLE
    match status, said.get("reason"):
        case ((401 | 403), _):
            kind = ForbiddenError
        case 404, _:
            kind = NotFoundError
        case 409, "AlreadyExists":
            kind, reason = AlreadyExistsError, Reason.API_CONFLICT
        case 409, _:
            kind, reason = ChangedError, Reason.API_CONFLICT
        case 410, _:
            kind = ExpiredError
    return kind(reason, message, delay=retry_after)
