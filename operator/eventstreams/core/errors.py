"""The three kinds of error, told apart by whose turn it is.

`RefusedError`: the user's (spec or rights); waits for a change. `NotYetError`: the world's (broker, instance,
API server); tried again with back-off. Anything else is our bug: logged once with its traceback, tried slowly.
A message says what is, what was asked and what to do; it holds no secret and no class name.
"""

from eventstreams.core.reasons import Reason


class EventStreamsError(Exception):
    """An expected failure. `reason` is API (documented in docs/reference/reasons.md), `message` is for a person."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class RefusedError(EventStreamsError):
    """The user's turn: the spec or the rights have to change before another try makes sense."""


class NotYetError(EventStreamsError):
    """The world's turn: try again after `delay` seconds, or after the queue's own back-off when None."""

    def __init__(self, reason: Reason, message: str, *, delay: float | None = None) -> None:
        super().__init__(reason, message)
        self.delay = delay
