"""The API port: the order of judgement, and a record's way to Kafka and back.

Order: the path (404) and method (405); the key (401); its right to the topic (403); what the head says (400, 411,
415); then, with the body: the limits of the ServiceID (429), whether the topic exists (404), whether Kafka is there
(503), the body itself (400), and whether more may wait for Kafka (503).
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Protocol

from confluent_kafka import KafkaError
from typing_extensions import override

from eventstreams.core import apikey
from eventstreams.producer import hints, request
from eventstreams.producer.allowance import LaterError, Window
from eventstreams.producer.answers import JSON, Answers, RefusalError, unavailable
from eventstreams.producer.credentials import credentials
from eventstreams.producer.delivery import Lane, Ticket, refusal_of
from eventstreams.producer.exchange import Exchange, Task
from eventstreams.producer.framing import Head
from eventstreams.producer.json_text import check_json
from eventstreams.producer.keys import Grant, Keys
from eventstreams.producer.limits import Limits
from eventstreams.producer.metrics import Tally
from eventstreams.producer.pages import Page, Pages, PageSite
from eventstreams.producer.recall import Recall
from eventstreams.producer.record import Attributes
from eventstreams.producer.request import Order
from eventstreams.producer.turns import Turns


class Topics(Protocol):
    """What the endpoint needs of the topic map."""

    def find(self, topic: str) -> int | None: ...
    def ask(self, topic: str, then: Callable[[], None]) -> bool: ...
    @property
    def is_away(self) -> bool: ...


class Sender(Protocol):
    """What the endpoint needs of the delivery."""

    def send(
        self, topic: str, value: bytes | None, beside: Attributes, ticket: Ticket, lane: Lane | None, own: int
    ) -> Lane: ...


CallLater = Callable[[float, Callable[[], None]], object]
"""Calls after about so many seconds."""


class Health(Protocol):
    """How the process is: what it still lacks to be ready, and whether a part of it hangs."""

    def lacks(self) -> list[str]: ...
    def is_stuck(self) -> bool: ...


class Pending:
    """A record on its way, and the request that waits for it."""

    __slots__ = ("_endpoint", "body", "comment", "exchange", "order")

    def __init__(self, endpoint: "Endpoint", exchange: Exchange, order: Order, body: bytes) -> None:
        self._endpoint = endpoint
        self.exchange = exchange
        self.order = order
        self.body = body
        self.comment = b""

    def stored(self, partition: int, offset: int, timestamp_ms: int) -> None:
        """Answer 200."""
        endpoint = self._endpoint
        endpoint.window.give(self.order.grant.account, 1, len(self.body))
        endpoint.tally.record_bytes += len(self.body)
        answer = endpoint.answers.stored(self.order.topic, partition, offset, timestamp_ms, self.comment)
        self.exchange.finish(answer)

    def failed(self, error: KafkaError) -> None:
        """Answer what a failed delivery means."""
        self._endpoint.window.give(self.order.grant.account, 1, len(self.body))
        self.refuse(refusal_of(error))

    def refuse(self, refusal: RefusalError) -> None:
        """Answer a refusal."""
        self.exchange.refuse(_known_as(refusal, self.order.topic, self.order.grant))


class Endpoint(PageSite):
    """Answers the API port."""

    def __init__(  # noqa: PLR0913  the parts of the whole
        self,
        *,
        answers: Answers,
        tally: Tally,
        limits: Limits,
        keys: Keys,
        topics: Topics,
        sender: Sender,
        window: Window,
        call_later: CallLater,
        turns: Turns,
        health: Health,
        pages: Pages,
    ) -> None:
        super().__init__(answers, tally, limits, {b"/alive": self._alive, b"/ready": self._ready, **pages}, turns)
        self.answers = answers
        self.tally = tally
        self.window = window
        self._keys = keys
        self._recall = Recall(keys, limits, keys.wall)
        self._topics = topics
        self._sender = sender
        self._call_later = call_later
        self._health = health

    @override
    def judge(self, head: Head) -> Task:
        topic = request.topic_of(head)
        if topic is None:
            return super().judge(head)
        grant = self._keys.find(credentials(head))
        if not grant.permits(topic):
            message = "the API key may not produce to this topic: add it to the ServiceID's topics"
            raise _known_as(RefusalError(403, message), topic, grant)
        try:
            return request.order(head, topic, grant, self._limits)
        except RefusalError as refusal:
            raise _known_as(refusal, topic, grant) from None

    @override
    def recall(self, line: bytes, fields: bytes) -> tuple[Head, Task] | None:
        return self._recall.find(line, fields)

    @override
    def note(self, line: bytes, fields: bytes, head: Head, task: Task) -> None:
        self._recall.note(line, fields, head, task)

    @override
    def take(self, task: Task, body: bytes, exchange: Exchange) -> None:
        if not isinstance(task, Order):
            super().take(task, body, exchange)
            return
        pending = Pending(self, exchange, task, body)
        account = exchange.client.account = task.grant.account
        if account is not self.turns.last:
            self.turns.met(account)
        if account.is_limited:
            try:
                account.spend(len(body), exchange.started)
            except LaterError as refusal:
                self._refuse_later(pending, refusal)
                return
        if self._topics.find(task.topic) is not None or self._topics.is_away:
            self._send(pending)
        elif not self._topics.ask(task.topic, partial(self._send, pending)):
            pending.refuse(unavailable("too many requests wait for topics that are not known yet"))

    def _send(self, pending: Pending) -> None:
        """Give the record to Kafka's client, whose report answers the request, or say now why not."""
        order, client, size = pending.order, pending.exchange.client, len(pending.body)
        try:
            self._check(pending)
            self.window.take(order.grant.account, 1, size)
        except LaterError as refusal:
            self._refuse_later(pending, refusal)
            return
        except RefusalError as refusal:
            pending.refuse(refusal)
            return
        try:
            client.lane = self._sender.send(
                order.topic, pending.body, order, pending, client.lane, order.grant.account.records
            )
        except RefusalError as refusal:
            self.window.give(order.grant.account, 1, size)
            pending.refuse(refusal)

    def _refuse_later(self, pending: Pending, refusal: LaterError) -> None:
        """Refuse in a moment, and read no more of the client until then: one that does not wait is made to.

        The answer is what is late, so that a proxy does not take the connection for one that is free for others.
        """
        self.tally.told_later[refusal.reason] += 1
        pending.exchange.client.pause()
        self._call_later(self._limits.later_seconds, partial(_refuse_and_resume, pending, refusal))

    @override
    def sweep(self, now: float) -> None:
        super().sweep(now)
        self.window.look()

    def _check(self, pending: Pending) -> None:
        order = pending.order
        partitions = self._topics.find(order.topic)
        if partitions == 0:
            raise RefusalError(404, "the topic does not exist: create it, or correct the path")
        if self._topics.is_away:
            raise unavailable("Kafka does not answer", retry_after_seconds=2)
        if partitions is None:
            raise unavailable("Kafka does not say whether the topic exists")
        if not pending.body:
            raise RefusalError(411, "the request has no data: send a body")
        request.check_partition(order, partitions)
        if order.is_json:
            pending.comment = hints.comment(check_json(pending.body))

    def _alive(self) -> Page:
        stuck = self._health.is_stuck()
        return Page(JSON, json.dumps({"alive": not stuck}).encode(), 500 if stuck else 200)

    def _ready(self) -> Page:
        lacks = ["a stop was asked for"] if self.is_draining else self._health.lacks()
        return Page(JSON, json.dumps({"ready": not lacks, "lacks": lacks}).encode(), 503 if lacks else 200)


def _refuse_and_resume(pending: Pending, refusal: RefusalError) -> None:
    pending.refuse(refusal)
    pending.exchange.client.resume()


def _known_as(refusal: RefusalError, topic: str, grant: Grant) -> RefusalError:
    """Note topic and key id in a refusal, for its answer and the log; not a name that is no topic's, or is a key."""
    can_be_told = request.TOPIC_NAME.fullmatch(topic) and not apikey.PATTERN.search(topic)
    refusal.topic = topic if can_be_told else None
    refusal.key_id = grant.key_id
    return refusal
