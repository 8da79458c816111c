"""Waits for conditions, with a deadline, and without outliving the programs that should bring them about."""

import time
from collections.abc import Callable, Sequence

from local.errors import PlatformError
from local.processes import Daemon

POLL_SECONDS = 0.1


def wait_until(
    holds: Callable[[], bool],
    what: str,
    *,
    seconds: float,
    daemons: Sequence[Daemon] = (),
    poll: float = POLL_SECONDS,
) -> None:
    """Return as soon as `holds()` is true.

    Raises PlatformError when `seconds` are over, or at once when one of `daemons` has ended, with its last words.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        for daemon in daemons:
            if daemon.died():
                raise PlatformError(f"{daemon.name} ended while {what} was waited for:\n{daemon.last_words()}")
        if time.monotonic() > deadline:
            logs = ", ".join(str(daemon.log) for daemon in daemons)
            raise PlatformError(f"{what} did not happen within {seconds:.0f} s" + (f": look at {logs}" if logs else ""))
        time.sleep(poll)
