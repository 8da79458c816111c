"""A site of plain pages (GET and HEAD): health, the API's document and page on its port, metrics on theirs."""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from eventstreams.producer.answers import Answer, Answers, RefusalError
from eventstreams.producer.exchange import Client, Exchange, Task
from eventstreams.producer.framing import Head, Room
from eventstreams.producer.limits import Limits
from eventstreams.producer.metrics import Tally
from eventstreams.producer.turns import Turns

logger = logging.getLogger(__name__)

LOGGED_A_SECOND: Final = 20
"""Refusals that are logged one by one in a second; of the rest the number is logged: a flood must not fill disks."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says now."""

    content_type: str
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_counted: bool = True


Pages = Mapping[bytes, Callable[[], Page]]


def fixed(content_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> Callable[[], Page]:
    """Return a page that stays as it is: clients may keep it, and ask by its ETag whether it still is."""
    kept = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    page = Page(content_type, body, headers=kept | dict(headers or {}))
    return lambda: page


class PageSite:
    """Answers GET and HEAD of some paths, and keeps what every site keeps: clients, incidents, the count of answers."""

    def __init__(self, answers: Answers, tally: Tally, limits: Limits, pages: Pages, turns: Turns) -> None:
        self._answers = answers
        self._tally = tally
        self._limits = limits
        self._pages = pages
        self.turns = turns
        self._incident_prefix, self._incidents = secrets.token_hex(4), 0
        self._logged = 0
        self.clients: set[Client] = set()
        self.emptied = asyncio.Event()
        """Set when the last client left."""
        self.is_draining = False

    def judge(self, head: Head) -> Task:
        """Return the page that is asked for. Raises RefusalError 404 or 405."""
        page = self._pages.get(head.target.partition(b"?")[0])
        if page is None:
            raise RefusalError(404, "there is nothing at this path; records go to POST /topics/<topic>/records")
        if head.method not in {b"GET", b"HEAD"}:
            raise RefusalError(405, "this page is read with GET", headers={"Allow": "GET, HEAD"})
        held = head.fields.get(b"if-none-match")
        return page if held is None else partial(_unless_held, page, held)

    def confirm(self, task: Task) -> Task:
        """Return the same: a page stays a page."""
        return task

    def recall(self, line: bytes, fields: bytes) -> tuple[Head, Task] | None:  # noqa: ARG002  see Site
        """Return None: pages are too seldom read to be remembered."""
        return None

    def note(self, line: bytes, fields: bytes, head: Head, task: Task) -> None:
        """Do nothing."""

    def room(self, task: Task) -> Room:  # noqa: ARG002  the same for all
        """Return how large a body may be; nobody reads it."""
        return Room(self._limits.message_bytes, is_kept=False)

    def take(self, task: Task, body: bytes | None, exchange: Exchange) -> None:  # noqa: ARG002  pages ignore bodies
        """Answer with the page as it is now."""
        page: Page = task()
        exchange.is_counted = page.is_counted
        exchange.finish(self._answers.page(page.status, page.content_type, page.body, page.headers))

    def refused(self, refusal: RefusalError, task: Task) -> Answer:  # noqa: ARG002  the same for all
        """Return the error answer; its incident is in the log unless too many come in a second."""
        self._incidents += 1
        incident = f"{self._incident_prefix}{self._incidents:08x}"
        self._logged += 1
        if self._logged <= LOGGED_A_SECOND:
            values = {"incident": incident, "status": refusal.status, "topic": refusal.topic, "key_id": refusal.key_id}
            known = {name: value for name, value in values.items() if value is not None}
            logger.info("Refused a request", extra={**known, "reason": refusal.message})
        return self._answers.refused(refusal, incident)

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self._tally.answered(status, seconds)

    def joined(self, client: Client) -> bool:
        """Note a client; False when there are too many."""
        self.clients.add(client)
        self._tally.connections += 1
        self.emptied.clear()
        return len(self.clients) <= self._limits.connections

    def left(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)
        if not self.clients:
            self.emptied.set()

    def sweep(self, now: float) -> None:
        """Enforce the clients' deadlines. Called about once a second."""
        for client in tuple(self.clients):
            client.sweep(now)
        self.turns.look()
        if self._logged > LOGGED_A_SECOND:
            logger.info("Refused more requests", extra={"requests": self._logged - LOGGED_A_SECOND})
        self._logged = 0


def _unless_held(page: Callable[[], Page], held: bytes) -> Page:
    """Return the page, or 304 when the client holds it: `held` is its If-None-Match (RFC 9110 §13.1.2)."""
    now = page()
    tag = now.headers.get("ETag")
    tags = {one.strip().removeprefix("W/") for one in held.decode("latin-1").split(",")}
    if tag is None or not tags & {tag, "*"}:
        return now
    return Page("", b"", 304, now.headers)
