"""Turns: connections of an owner that has much in flight are read one after the other, a few in each round of the loop.

Else the loop reads all that have news before it looks again, and whoever has one request waits behind hundreds of
another's. Owners alternate, however many connections each has. While one owner is alone nobody takes turns.

Beside a flood the loop never sleeps, and the request of one who asks for little waits for its rounds: half of one
until it is read, one more between Kafka's report and its answer. So while there is such a one rounds are short, for
which the flood pays with a fifth of its rate, and what is reported to such a one is answered first. Where the loop
shares a core with the threads of Kafka's client, the kernel lets it run on for milliseconds before they may send a
record: while such a one waits for Kafka, each round gives way to them.

Answers to records that were reported together leave together. Each write to a socket runs the kernel's whole network
stack, and often wakes the client up; between two of them our own code is cold. One after the other, they cost a tenth
less.
"""

import logging
import math
import os
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from eventstreams.producer.allowance import Account

logger = logging.getLogger(__name__)

BUSY: Final = 16
"""Records in flight from which an owner's connections take turns."""
READS: Final = 8
"""Connections that are read in one round of the loop."""
REPORTS: Final = 128
"""Reports that are told in one round of the loop."""
SHARED_ANSWERS: Final = 12
"""Answers to those who send all they can, in one round, while owners meet."""
FEW: Final = 4
"""Such answers, or connections, while somebody asks for little, who is not to wait for many others."""
COMPANY_LOOKS: Final = 60
"""So long after two owners met, in calls of `look`, another one is reckoned with."""


class Waiting(Protocol):
    """What takes turns: a connection."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def flush(self) -> None: ...


class Turns:
    """Who waits. `call_soon` is the loop's: what it is given runs once the loop has looked at the sockets again.

    `yield_core` lets the threads run that wait for this core.
    """

    def __init__(
        self, call_soon: Callable[[Callable[[], None]], object], yield_core: Callable[[], object] = os.sched_yield
    ) -> None:
        self._call_soon = call_soon
        self._yield_core = yield_core
        self._lines: dict[Account, deque[Waiting]] = {}
        self._has_round = False
        self._answered: list[Waiting] | None = None  # while reports are answered
        self._company = 0
        self.last: Account | None = None
        """Who asked last; keep it by `met`."""
        self.busy: float = math.inf
        """Records in flight from which an owner's connections take turns now."""
        self.is_awaited: Callable[[], bool] = lambda: False
        """Whether somebody who has little in flight waits for Kafka; who sends records sets it."""
        self.answer_first: Callable[[], None] = lambda: None
        """Has those answered who have little in flight; likewise."""
        self.is_crowded: Callable[[], bool] = lambda: False
        """Whether somebody has much in flight; likewise."""
        self.is_shared: Callable[[], bool] = lambda: False
        """Whether beside such a one somebody asks for little, or did a moment ago; likewise."""

    def met(self, account: Account) -> None:
        """Note that another owner asks than the last one."""
        if self.last is not None:
            self._company = COMPANY_LOOKS
            self.busy = BUSY
        self.last = account

    def has_company(self) -> bool:
        """Say whether owners meet."""
        return self.busy < math.inf

    def begin_reports(self, *, gives_way: bool) -> tuple[list[Waiting], int]:
        """Return whom the reports of this round have answered, none yet, and how many they may: answers take the time.

        Call `end_reports` after them, in the same round. `gives_way`: they may be reports to one who sends all it can.
        """
        is_flood = gives_way and self.has_company() and self.is_crowded()
        most = self._as_many_as(SHARED_ANSWERS) if is_flood else REPORTS  # others may be answered in it
        self._answered = []
        return self._answered, most

    def end_reports(self) -> None:
        """Let the answers to these reports leave."""
        answered, self._answered = self._answered or (), None
        for connection in answered:
            try:
                connection.flush()
            except Exception:  # an outermost frame: a bug in one answer must not cost the others theirs
                logger.exception("Bug met while answering")

    def answer(self, connection: Waiting) -> None:
        """Let a connection's answer leave: with the others of its round, or now."""
        if self._answered is None:
            connection.flush()
        else:
            self._answered.append(connection)

    def look(self) -> None:
        """Forget company that came long ago. Called about once a second."""
        self._company -= 1
        if self._company <= 0:
            self.busy = math.inf

    def wait(self, connection: Waiting, account: Account) -> None:
        """Pause a connection until its turn has come."""
        connection.pause()
        line = self._lines.get(account)
        if line is None:
            line = self._lines[account] = deque()
        line.append(connection)
        if not self._has_round:
            self._has_round = True
            self._call_soon(self._round)

    def _round(self) -> None:
        """Read one connection of each owner, and again, until enough were read."""
        lines = self._lines
        for _ in range(self._as_many_as(READS)):
            account = next(iter(lines), None)
            if account is None:
                break
            line = lines.pop(account)
            connection = line.popleft()
            if line:
                lines[account] = line  # behind the others
            try:
                connection.resume()
            except Exception:  # likewise: all who wait would wait for ever
                logger.exception("Bug met while reading in turns")
        self._has_round = bool(lines)
        if lines:
            self._call_soon(self._round)

    def _as_many_as(self, most: int) -> int:
        """Return how many connections are read, or reports answered, in this round.

        Before, let others run on this core, if that brings a record to Kafka, or its report back, that is awaited; and
        answer what was reported.
        """
        if self.is_awaited():
            self._yield_core()
            self.answer_first()
        return FEW if self.is_shared() else most
