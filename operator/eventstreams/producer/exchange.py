"""Where a connection and what answers it meet: the site, and one request's place in the line of answers."""

from typing import Any, Protocol

from eventstreams.producer.allowance import Account
from eventstreams.producer.answers import Answer, RefusalError
from eventstreams.producer.framing import Head, Room
from eventstreams.producer.turns import Turns

Task = Any
"""What a site makes of a head and gets back with the body; a connection only carries it."""


class Site(Protocol):
    """What answers the requests of a listening port."""

    @property
    def is_draining(self) -> bool:
        """Whether every answer is to be the last of its connection."""
        ...

    def judge(self, head: Head) -> Task:
        """Say what a head asks for. Raises RefusalError, which is answered when the body has been read past."""
        ...

    def confirm(self, task: Task) -> Task:
        """Return what a head asks for whose body came later: the same, or the refusal that it has become meanwhile."""
        ...

    def recall(self, line: bytes, fields: bytes) -> tuple[Head, Task] | None:
        """Return what was made of such a head before, given as its request line and all that follows; or None."""
        ...

    def note(self, line: bytes, fields: bytes, head: Head, task: Task) -> None:
        """Remember, if that is of use, what `judge` said of a head."""
        ...

    def room(self, task: Task) -> Room:
        """Return how large the body may be; asked when it is larger than a record's value, or of unknown size."""
        ...

    def take(self, task: Task, body: bytes | None, exchange: "Exchange") -> None:
        """Do it, now or later, and call `exchange.finish` or `exchange.refuse` exactly once.

        `body` is None when it was not kept: its room said so, or its intake.
        """
        ...

    def refused(self, refusal: RefusalError, task: Task) -> Answer:
        """Return the answer to a refusal, its incident written to the log. `task` is None without a judged head."""
        ...

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer that leaves, and how long its request took."""
        ...

    @property
    def turns(self) -> Turns:
        """Where connections wait for their turn, to be read and to be answered."""
        ...

    def joined(self, connection: "Client") -> bool:
        """Note a connection; False when there are too many."""
        ...

    def left(self, connection: "Client") -> None:
        """Forget a connection."""
        ...


class Client(Protocol):
    """What a site sees of a connection.

    `lane` is the site's to use; it is forgotten when no answer is due. `account` is whose request was the last.
    """

    lane: Any
    account: Account | None

    def flush(self) -> None:
        """Write the answers that are ready and whose turn it is."""
        ...

    def pause(self) -> None:
        """Take no further request until `resume`."""
        ...

    def resume(self) -> None:
        """Go on after `pause`."""
        ...

    def retire(self) -> None:
        """Take no further request: close when what is due is answered."""
        ...

    def abort(self) -> None:
        """Close now, whatever is due."""
        ...

    def sweep(self, now: float) -> None:
        """Enforce the deadlines."""
        ...


class Exchange:
    """One request's place in the line of answers."""

    __slots__ = ("_site", "_task", "answer", "client", "is_bodiless", "is_counted", "is_last", "started")

    def __init__(self, client: Client, site: Site, task: Task, started: float) -> None:
        self._site = site
        self._task = task
        self.client = client
        self.started = started
        self.answer: Answer | None = None
        self.is_bodiless = False
        self.is_counted = True
        self.is_last = False

    def finish(self, answer: Answer) -> None:
        """Answer the request. A second answer is dropped."""
        if self.answer is None:
            self.answer = answer
            self._site.turns.answer(self.client)

    def refuse(self, refusal: RefusalError) -> None:
        """Answer the request with a refusal. After a second answer nothing happens."""
        if self.answer is None:
            self.finish(self._site.refused(refusal, self._task))
