"""How a command fails: one sentence that says what is, one that says what to do."""

from typing import TYPE_CHECKING

from eventstreams.core.errors import EventStreamsError
from eventstreams.core.reasons import Reason

if TYPE_CHECKING:
    from eventstreams.kube.errors import InvalidError

_CURES = {reason.value.name: reason.value.cure for reason in Reason}

UNREACHABLE = "check --kubeconfig and --context, and your rights with: kubectl auth can-i --list"


class FailedError(Exception):
    """The command cannot do what was asked: `message` for a person, `cure` says what to do about it."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


def cure_of(reason: str) -> str:
    """Return the cure of a condition's reason; empty when there is none or the reason is not ours."""
    return _CURES.get(reason, "")


def failure_of(error: EventStreamsError) -> FailedError:
    """Return what a command says of an error from below."""
    cure = UNREACHABLE if error.reason is Reason.API_UNAVAILABLE else error.reason.value.cure
    return FailedError(error.message, cure)


def refusal_of(error: "InvalidError") -> FailedError:
    """Return what a command says when the API server refused a manifest: its rules are for the user's eyes."""
    said = str(error).partition(": ")[2] or str(error)  # what precedes is the request
    said = said.replace(': Invalid value: "object"', "")  # all that it says of a rule over several fields
    return FailedError(said, "correct what it names and run the command again")
