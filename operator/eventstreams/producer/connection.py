"""One client's connection: bytes in, requests to the site, answers back in order.

Invariants, each with a test of the same name:
1. Answers leave in the order of the requests (`_due` is first in, first out).
2. A request gets one answer or a closed socket; never two, never none.
3. Nothing here awaits or raises: every error becomes an answer, and the connection closes when it cannot be read on.
4. Reading pauses while `pipelined` requests are unanswered, the client does not read its answers, or the site says so.
5. After the connection is lost nothing touches the wire: a late delivery report finds its slot empty.
6. How the bytes are split over reads changes no answer.

Time is looked at in `sweep`, called about once a second for every connection: no timers on the hot path.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from typing_extensions import override

from eventstreams.producer import framing
from eventstreams.producer.allowance import Account
from eventstreams.producer.answers import CONTINUE, RefusalError
from eventstreams.producer.exchange import Exchange, Site, Task
from eventstreams.producer.framing import Body, Head
from eventstreams.producer.limits import Limits
from eventstreams.producer.states import BODY, HEAD, LINGER, LOST, MOVES, SHUT, Event
from eventstreams.producer.tls import Wire

logger = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """See the head of this module. `lane` is the site's to use; it is forgotten when no answer is due."""

    __slots__ = (
        "_body",
        "_can_write",
        "_clock",
        "_current",
        "_discarded",
        "_due",
        "_expires",
        "_has_peer_ended",
        "_head",
        "_held",
        "_is_parsing",
        "_is_reading",
        "_limits",
        "_owes_continue",
        "_pauses",
        "_room",
        "_since",
        "_site",
        "_state",
        "_task",
        "_wire",
        "account",
        "lane",
    )
    _wire: Wire
    _body: Body

    def __init__(self, site: Site, limits: Limits, clock: Callable[[], float], age_seconds: float) -> None:
        self._site = site
        self.lane: Any = None
        self.account: Account | None = None
        self._limits = limits
        self._room = limits.pipelined  # none while paused
        self._pauses = 0
        self._clock = clock
        self._state = HEAD
        self._due: deque[Exchange] = deque()
        self._held = b""  # read, but not taken yet
        self._head: Head | None = None  # of the request that is being read, once it is complete
        self._task: Task = None  # likewise
        self._current: Exchange | None = None  # the one inside `site.take`
        self._since = clock()  # of the last change that a deadline counts from
        self._expires = self._since + age_seconds
        self._discarded = 0
        self._is_reading = self._can_write = True
        self._is_parsing = self._owes_continue = self._has_peer_ended = False

    # what the wire tells

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast("Wire", transport)
        if self.reached(wire):
            self.wired()

    def reached(self, wire: Wire) -> bool:
        """Begin to count: somebody has connected. False when there are too many, and this one is to go."""
        self._wire = wire
        is_welcome = self._site.joined(self)
        if not is_welcome:
            self._move(Event.LOST)
            wire.abort()
        return is_welcome

    def wired(self) -> None:
        """Begin: the wire is ready for use."""
        self._since = self._clock()

    @override
    def data_received(self, data: bytes) -> None:
        if self._state is HEAD or self._state is BODY:
            account = self.account
            if account is not None and account.records >= self._site.turns.busy and self._room:
                self._site.turns.wait(self, account)
            self._read(self._held + data if self._held else data)
            return
        self._discarded += len(data)
        if self._discarded > self._limits.linger_bytes:
            self._wire.abort()

    @override
    def eof_received(self) -> bool:
        """Answer what was asked before the peer closed its half, then close (True: the wire stays open until then)."""
        self._has_peer_ended = True
        if self._state is LINGER:
            self._wire.close()
        elif self._state is BODY or (self._state is HEAD and self._held):
            self._shut_with(framing.bad("the connection ended before the request did"))
        else:
            self.retire()
        return True

    @override
    def pause_writing(self) -> None:
        self._can_write = False
        self._since = self._clock()
        self._regulate()

    @override
    def resume_writing(self) -> None:
        self._can_write = True
        self._go_on()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._move(Event.LOST)
        self._due.clear()
        self._held = b""
        self._site.left(self)

    # what the server tells

    def pause(self) -> None:
        """Take no further request until `resume`, as often as this was called: for a turn, and for a late answer."""
        self._pauses += 1
        self._room = 0
        self._regulate()

    def resume(self) -> None:
        """Go on after the last `pause`."""
        self._pauses -= 1
        if not self._pauses:
            self._room = self._limits.pipelined
            self._go_on()

    def retire(self) -> None:
        """Take no further request: close when what is due is answered. One that has begun to come is still taken."""
        if self._state is HEAD and not self._held.strip(b"\r\n"):
            self._move(Event.LAST_READ)
            if self._due:
                self._due[-1].is_last = True
            else:
                self._end()

    def abort(self) -> None:
        """Close now, whatever is due."""
        self._wire.abort()

    def sweep(self, now: float) -> None:
        """Enforce the deadlines."""
        while (due := self._due) and due[0].answer is None and now - due[0].started > self._limits.request_seconds:
            unknown = "Kafka did not confirm the record in time: it may or may not be stored"
            due[0].refuse(RefusalError(408, unknown))
        age = now - self._since
        if not self._can_write:
            if age > self._limits.write_seconds:
                self._wire.abort()
        elif self._state is LINGER:
            if age > self._limits.linger_seconds:
                self._wire.abort()
        elif self._is_reading:
            self._sweep_request(age)

    def _sweep_request(self, age: float) -> None:
        limits = self._limits
        if self._state is BODY:
            if age > limits.body_seconds:
                self._shut_with(framing.bad("the request's body did not arrive in time; not stored", 408))
        elif self._state is HEAD and self._held:
            if age > limits.head_seconds:
                self._shut_with(framing.bad("the request's head did not arrive in time", 408))
        elif self._state is HEAD and not self._due and age > limits.idle_seconds:
            self.retire()

    # bytes in

    def _read(self, data: bytes) -> None:
        """Take from `data` what is complete, as long as answers have room; the rest is held."""
        had_held, at, size, due = bool(self._held), 0, len(data), self._due
        self._is_parsing = True
        try:
            while at < size and self._can_write and len(due) < self._room:
                if self._state is HEAD:
                    after = self._read_head(data, at)
                elif self._state is BODY:
                    after = self._read_body(data, at)
                else:
                    after = size  # after a request that was the last
                if after is None:
                    break
                at = after
                if at < size and self.account is not None and self.account.records >= self._site.turns.busy:
                    self._site.turns.wait(self, self.account)
        except RefusalError as refusal:
            self._shut_with(refusal, is_bodiless=self._state is HEAD and data.startswith(b"HEAD ", at))
        except Exception:  # our outermost frame: a bug costs this connection and not the process
            logger.exception("Bug met while reading a request")
            self._shut_with(RefusalError(500, "internal error: the record may or may not be stored", closes=True))
        self._is_parsing = False
        if self._state is HEAD or self._state is BODY:
            self._held = data[at:]
            if self._held and (not had_held or data[:at].strip(b"\r\n")):  # empty lines before a head are no progress
                self._since = self._clock()
            self._regulate()

    def _read_head(self, data: bytes, at: int) -> int | None:
        """Read the head at `data[at:]`, and a body that is there too; return the position after, None if incomplete."""
        if data.startswith(b"\r\n", at):  # empty lines before a request are to be ignored (RFC 9112 §2.2)
            return at + 2
        end = data.find(framing.END, at)
        start = len(data) if end < 0 else end + 4
        if end < 0 or start - at > framing.SHORT_HEAD:
            framing.check_prefix(data[at:start], self._limits, 0 if at else len(self._held))
            if end < 0:
                return None
        line_end = data.find(b"\r\n", at) + 2
        line, fields = data[at:line_end], data[line_end:start]
        known = self._site.recall(line, fields)
        if known is None:
            self._head = head = framing.read_head(data[at:start], self._limits)
            task = self._judge(head)
            self._site.note(line, fields, head, task)
        else:
            head, task = known
            self._head = head
        self._task = task
        length = head.length or 0
        if length > self._limits.message_bytes:
            self._check_room(task, length)
        if not head.chunked and start + length <= len(data):
            self._take(head, task, data[start : start + length])
            return start + length
        self._body = framing.body_of(head, self._limits, self._site.room(task))
        self._owes_continue = head.expects_continue and start == len(data)
        self._since = self._clock()
        self._move(Event.HEAD_READ)
        self._continue()
        return start

    def _check_room(self, task: Task, length: int) -> None:
        """Raise RefusalError when the body is too large to be read, for that or for what the head says."""
        room = self._site.room(task)
        if isinstance(task, RefusalError):
            raise task
        if length > room.most:
            raise framing.too_large(room)

    def _judge(self, head: Head) -> Task:
        """Return what the site makes of a head, or its refusal when the connection can be read on after it."""
        try:
            return self._site.judge(head)
        except RefusalError as refusal:
            if refusal.closes or head.expects_continue:
                raise
            return refusal.with_traceback(None)  # its frames hold the bytes that were read, and they it

    def _read_body(self, data: bytes, at: int) -> int:
        at = self._body.take(data, at)
        self._owes_continue = False
        if self._body.is_complete and self._head is not None:
            value = self._body.value()
            self._move(Event.BODY_READ)
            self._take(self._head, self._site.confirm(self._task), value)
        return at

    def _take(self, head: Head, task: Task, body: bytes | None) -> None:
        """Hand a complete request to the site."""
        now = self._clock()
        self._head = self._task = None
        self._current = exchange = Exchange(self, self._site, task, now)
        self._due.append(exchange)
        if not head.keep_alive or now >= self._expires or self._site.is_draining:
            exchange.is_last = True
            self._move(Event.LAST_READ)
        exchange.is_bodiless = head.method == b"HEAD"
        if isinstance(task, RefusalError):
            exchange.refuse(task)
        else:
            self._site.take(task, body, exchange)
        self._current = None

    def _shut_with(self, refusal: RefusalError, *, is_bodiless: bool = False) -> None:
        """Refuse the request that is being read, and read no further."""
        if self._state is BODY and isinstance(self._task, RefusalError):
            refusal = self._task
        exchange, self._current = self._current, None
        if exchange is None:
            exchange = Exchange(self, self._site, self._task, self._clock())
            exchange.is_bodiless = is_bodiless or (self._head is not None and self._head.method == b"HEAD")
            self._due.append(exchange)
        exchange.is_last = True
        self._owes_continue = False
        if self._state is not SHUT:
            self._move(Event.LAST_READ)
        exchange.refuse(refusal)
        if self._state is SHUT and not self._due:  # it had been answered
            self._end()

    # answers out

    def flush(self) -> None:
        """Write the answers that are ready and whose turn it is. Called whenever one became ready."""
        if self._state is LOST:
            return
        due, is_last, written = self._due, False, b""
        while not is_last and due and (answer := due[0].answer) is not None:
            exchange = due.popleft()
            now = self._clock()
            is_last = exchange.is_last or ((now >= self._expires or self._site.is_draining) and self._is_between)
            written += answer.render(last=is_last, bodiless=exchange.is_bodiless)
            if exchange.is_counted:
                self._site.answered(answer.status, now - exchange.started)
        if written:
            self._wire.write(written)
        if is_last:
            self._end()
            return
        if not due:
            self.lane = None
            if self._state is HEAD and not self._held:
                self._since = self._clock()
            if self._owes_continue:
                self._continue()
        if not self._is_reading:
            self._go_on()

    @property
    def _is_between(self) -> bool:
        """Whether this is a moment to part without loss: nothing is due and no request has begun."""
        return not self._due and self._state is HEAD and not self._held and not self._is_parsing

    def _end(self) -> None:
        """Close our half and let the peer read the answer before it could see a reset."""
        if self._state is not SHUT:
            self._move(Event.LAST_READ)
        self._move(Event.ALL_ANSWERED)
        self._due.clear()
        self._held = b""
        self._since = self._clock()
        self._wire.write_eof()
        if self._has_peer_ended:
            self._wire.close()
        elif not self._is_reading:
            self._is_reading = True
            self._wire.resume_reading()

    def _continue(self) -> None:
        """Send 100 Continue when it is owed and its turn has come."""
        if self._owes_continue and not self._due:
            self._owes_continue = False
            self._wire.write(CONTINUE)

    @property
    def _has_room(self) -> bool:
        return self._can_write and len(self._due) < self._room

    def _go_on(self) -> None:
        """Take what was held back, if there is room again."""
        if not self._is_reading and not self._is_parsing and self._has_room:
            held, self._held = self._held, b""
            self._read(held)

    def _regulate(self) -> None:
        """Read from the wire exactly while there is room."""
        if self._has_room is not self._is_reading and (self._state is HEAD or self._state is BODY):
            self._is_reading = not self._is_reading
            (self._wire.resume_reading if self._is_reading else self._wire.pause_reading)()

    def _move(self, event: Event) -> None:
        """Assign `_state`, here and nowhere else; an event missing in MOVES is our bug."""
        if self._state is BODY:
            self._body.end()
        self._state = MOVES[self._state, event]
