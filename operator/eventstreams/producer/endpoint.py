"""The API port: the order of judgement, and the way of records to Kafka and back.

Order: the path (404) and method (405); the key (401); its right to the topic (403); what the head says (400, 411,
415); then, with the body: the limits of the ServiceID (429), whether the topic exists (404), whether Kafka is there
(503), the body itself (400), and whether more may wait for Kafka (503). A body that came in pieces, and was too much to
keep, is 503 after the limits.
A plain record is a Pending, the records that a format finds in a body are a PendingBatch.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from confluent_kafka import KafkaError
from typing_extensions import override

from eventstreams.core import apikey
from eventstreams.producer import hints, request, routes
from eventstreams.producer.allowance import Intake, LaterError, Window
from eventstreams.producer.answers import JSON, Answer, Answers, RefusalError, unavailable
from eventstreams.producer.batch import Batch
from eventstreams.producer.credentials import BEARER_CHALLENGE, CHALLENGE, credentials
from eventstreams.producer.delivery import Owner, refusal_of
from eventstreams.producer.exchange import Exchange, Task
from eventstreams.producer.formats import Bounds, Outcome, check_partition
from eventstreams.producer.framing import Head, Room
from eventstreams.producer.json_text import check_json
from eventstreams.producer.keys import Grant, Keys
from eventstreams.producer.lane import Lane, Ticket
from eventstreams.producer.limits import Limits
from eventstreams.producer.metrics import Tally
from eventstreams.producer.pages import Page, Pages, PageSite
from eventstreams.producer.recall import Recall
from eventstreams.producer.record import Attributes, Record, Stored
from eventstreams.producer.request import Asked, BatchOrder, Order
from eventstreams.producer.routes import Route
from eventstreams.producer.topic_map import NO_LEADER
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
        self, topic: str, value: bytes | None, beside: Attributes, ticket: Ticket, lane: Lane | None, owner: Owner
    ) -> Lane | None: ...


_NO_RIGHT: Final = "the API key may not produce to this topic: add it to the ServiceID's topics"

CallLater = Callable[[float, Callable[[], None]], object]
"""Calls after about so many seconds."""


class Health(Protocol):
    """How the process is: what it still lacks to be ready, and whether a part of it hangs."""

    def lacks(self) -> list[str]: ...
    def is_stuck(self) -> bool: ...


class Pending:
    """A record on its way, and the request that waits for it. `count` and `size` are records and bytes in flight."""

    __slots__ = ("_endpoint", "body", "comment", "exchange", "order", "size")
    count: Final = 1

    def __init__(self, endpoint: "Endpoint", exchange: Exchange, order: Order, body: bytes) -> None:
        self._endpoint = endpoint
        self.exchange = exchange
        self.order = order
        self.body = body
        self.comment = b""
        self.size = len(body)

    def check(self, limits: Limits, partitions: int) -> None:  # noqa: ARG002  as PendingBatch
        """Raise RefusalError for what is wrong with the body, or asks for what the topic does not have."""
        check_partition(self.order, partitions)
        if self.order.is_json:
            self.comment = hints.comment(check_json(self.body))

    def send(self, sender: Sender) -> None:
        """Give the record to Kafka's client, whose report answers the request. Raises RefusalError if it takes none."""
        order, client = self.order, self.exchange.client
        client.lane = sender.send(order.topic, self.body, order, self, client.lane, order.grant.account)
        self.drop()

    def drop(self) -> None:
        """Keep nothing of the body: Kafka's client has it, or nobody is to."""
        self.body = b""

    def stored(self, partition: int, offset: int, timestamp_ms: int) -> None:
        """Answer 200."""
        endpoint, order = self._endpoint, self.order
        endpoint.window.give(order.grant.account, 1, self.size)
        endpoint.tally.record_bytes += self.size
        self.exchange.finish(endpoint.answers.stored(order.topic, partition, offset, timestamp_ms, self.comment))

    def failed(self, error: KafkaError) -> None:
        """Answer what a failed delivery means."""
        self._endpoint.window.give(self.order.grant.account, 1, self.size)
        self._endpoint.tally.records_failed += 1
        self.refuse(refusal_of(error))

    def refuse(self, refusal: RefusalError) -> None:
        """Answer a refusal."""
        self.exchange.refuse(_known_as(refusal, self.order.topic, self.order.grant))


class PendingBatch:
    """The records of a body on their way, and the request that waits for them all; otherwise as Pending."""

    __slots__ = ("_endpoint", "_records", "_sizes", "body", "count", "exchange", "order", "size")

    def __init__(self, endpoint: "Endpoint", exchange: Exchange, order: BatchOrder, body: bytes) -> None:
        self._endpoint = endpoint
        self.exchange = exchange
        self.order = order
        self.body = body
        self._records: Sequence[Record] = ()
        self._sizes: Sequence[int] = ()
        self.count, self.size = 0, len(body)

    def check(self, limits: Limits, partitions: int) -> None:
        """Find the records in the body. Raises RefusalError for what is wrong with it."""
        self._records = self.order.format.records(self.body, self.order, Bounds(limits, partitions))
        self._sizes = [len(one.value or b"") for one in self._records]
        self.count = len(self._records)

    def send(self, sender: Sender) -> None:
        """Give all records to Kafka's client, whose last report answers the request."""
        topic, client, owner = self.order.topic, self.exchange.client, self.order.grant.account

        def send(record: Record, ticket: Ticket) -> None:
            value, record.value = record.value, None  # what is beside it waits for the report
            client.lane = sender.send(topic, value, record, ticket, client.lane, owner)

        records = self._records
        self.drop()
        Batch(self._done).send(records, send)

    def drop(self) -> None:
        """Keep nothing of the body, as in Pending."""
        self.body, self._records = b"", ()

    def refuse(self, refusal: RefusalError) -> None:
        """Answer a refusal."""
        self.exchange.refuse(_known_as(refusal, self.order.topic, self.order.grant))

    def _done(self, outcomes: Sequence[Outcome]) -> None:
        endpoint, order = self._endpoint, self.order
        endpoint.window.give(order.grant.account, self.count, self.size)
        stored = [size for size, of in zip(self._sizes, outcomes, strict=True) if isinstance(of, Stored)]
        endpoint.tally.record_bytes += sum(stored)
        endpoint.tally.records_failed += self.count - len(stored)
        try:
            body = order.format.answer(order.topic, outcomes)
        except RefusalError as refusal:
            self.refuse(refusal)
        else:
            answer = endpoint.answers.page(200, order.format.content_type, json.dumps(body).encode())
            self.exchange.finish(answer)


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
        self._recall = Recall(keys, limits)
        self._topics = topics
        self._sender = sender
        self._call_later = call_later
        self._health = health

    @override
    def judge(self, head: Head) -> Task:
        found = routes.find(head)
        if found is None:
            return super().judge(head)
        route, topic = found
        try:
            return self._judge(head, route, topic)
        except RefusalError as refusal:
            refusal.shape = route.shape
            if not route.takes_basic and refusal.headers is CHALLENGE:
                refusal.headers = BEARER_CHALLENGE
            raise

    def _judge(self, head: Head, route: Route, topic: str) -> Asked:
        if head.method != b"POST":
            raise RefusalError(405, "records are produced with POST", headers={"Allow": "POST"})
        grant = self._keys.find(credentials(head, takes_basic=route.takes_basic))
        if not grant.permits(topic):
            raise _known_as(RefusalError(403, _NO_RIGHT), topic, grant)
        try:
            return route.order(head, topic, grant, self._limits)
        except RefusalError as refusal:
            raise _known_as(refusal, topic, grant) from None

    @override
    def confirm(self, task: Task) -> Task:
        if not isinstance(task, Asked):
            return task
        refusal: RefusalError
        try:
            if self._keys.current(task.grant).permits(task.topic):
                return task
            refusal = RefusalError(403, _NO_RIGHT)
        except RefusalError as revoked:
            refusal = revoked.with_traceback(None)
        if isinstance(task, BatchOrder):
            refusal.shape = task.format
        return _known_as(refusal, task.topic, task.grant)

    @override
    def recall(self, line: bytes, fields: bytes) -> tuple[Head, Task] | None:
        return self._recall.find(line, fields)

    @override
    def note(self, line: bytes, fields: bytes, head: Head, task: Task) -> None:
        self._recall.note(line, fields, head, task)

    @override
    def take(self, task: Task, body: bytes | None, exchange: Exchange) -> None:
        pending: Pending | PendingBatch
        if isinstance(task, Order):
            pending = Pending(self, exchange, task, body or b"")
        elif isinstance(task, BatchOrder):
            pending = PendingBatch(self, exchange, task, body or b"")
        else:
            super().take(task, body, exchange)
            return
        account = exchange.client.account = task.grant.account
        if account is not self.turns.last:
            self.turns.met(account)
        if account.is_limited:
            try:
                account.spend(pending.size, exchange.started)
            except LaterError as refusal:
                self._refuse_later(pending, refusal)
                return
        if body is None:
            self._refuse_later(pending, self.window.too_much_comes_in())
            return
        partitions = self._topics.find(task.topic)
        if partitions is not None or self._topics.is_away:
            self._send(pending, partitions)
        else:
            self._ask(pending)

    def _ask(self, pending: Pending | PendingBatch) -> None:
        """Have the request wait until Kafka told of the topic. It counts as in flight meanwhile."""
        account = pending.order.grant.account
        try:
            self.window.take(account, 1, pending.size)
        except LaterError as refusal:
            self._refuse_later(pending, refusal)
            return
        if not self._topics.ask(pending.order.topic, partial(self._send_now, pending)):
            self.window.give(account, 1, pending.size)
            pending.refuse(unavailable("too many topics that are not known yet are asked for"))

    def _send_now(self, pending: Pending | PendingBatch) -> None:
        """Send what waited until Kafka told of the topic, or did not in time."""
        self.window.give(pending.order.grant.account, 1, pending.size)
        self._send(pending, self._topics.find(pending.order.topic))

    def _send(self, pending: Pending | PendingBatch, partitions: int | None) -> None:
        """Send what a request asks for, or say now why not. `partitions` is what is known of its topic."""
        account = pending.order.grant.account
        try:
            if not partitions or partitions == NO_LEADER or not pending.body or self._topics.is_away:
                raise self._why_not(partitions)
            pending.check(self._limits, partitions)
            self.window.take(account, pending.count, pending.size)
        except LaterError as refusal:
            self._refuse_later(pending, refusal)
            return
        except RefusalError as refusal:
            pending.refuse(refusal)
            return
        try:
            pending.send(self._sender)
        except RefusalError as refusal:
            self.window.give(account, pending.count, pending.size)
            pending.refuse(refusal)

    def _refuse_later(self, pending: Pending | PendingBatch, refusal: LaterError) -> None:
        """Refuse in a moment, and read no more of the client until then: one that does not wait is made to.

        The answer is what is late, so that a proxy does not take the connection for one that is free for others.
        """
        self.tally.told_later[refusal.reason] += 1
        pending.drop()
        pending.exchange.client.pause()
        refusal = refusal.with_traceback(None)  # its frames hold the body too
        self._call_later(self._limits.later_seconds, partial(_refuse_and_resume, pending, refusal))

    @override
    def sweep(self, now: float) -> None:
        super().sweep(now)
        self.window.look()

    def _why_not(self, partitions: int | None) -> RefusalError:
        """Return why nothing is sent: 404, 503, or else 411."""
        if partitions == 0:
            return RefusalError(404, "the topic does not exist: create it, or correct the path")
        if self._topics.is_away:
            return unavailable("Kafka does not answer", retry_after_seconds=2)
        if partitions is None:
            return unavailable("Kafka does not say whether the topic exists")
        if partitions == NO_LEADER:
            return unavailable("no partition of the topic has a leader: its brokers are down", retry_after_seconds=2)
        return RefusalError(411, "the request has no data: send a body")

    @override
    def room(self, task: Task) -> Room:
        if isinstance(task, Order):
            return Room(self._limits.message_bytes, intake=Intake(self.window, task.grant.account))
        if not isinstance(task, BatchOrder):
            return super().room(task)
        most = max(self._limits.request_bytes, self._limits.message_bytes)
        return Room(most, task.format.too_large, intake=Intake(self.window, task.grant.account))

    @override
    def refused(self, refusal: RefusalError, task: Task) -> Answer:
        if isinstance(task, BatchOrder):
            refusal.shape = task.format
        return super().refused(refusal, task)

    def _alive(self) -> Page:
        stuck = self._health.is_stuck()
        return Page(JSON, json.dumps({"alive": not stuck}).encode(), 500 if stuck else 200, is_counted=False)

    def _ready(self) -> Page:
        lacks = ["a stop was asked for"] if self.is_draining else self._health.lacks()
        body = json.dumps({"ready": not lacks, "lacks": lacks}).encode()
        return Page(JSON, body, 503 if lacks else 200, is_counted=False)


def _refuse_and_resume(pending: Pending | PendingBatch, refusal: RefusalError) -> None:
    pending.refuse(refusal)
    pending.exchange.client.resume()


def _known_as(refusal: RefusalError, topic: str, grant: Grant) -> RefusalError:
    """Note topic and key id in a refusal, for its answer and the log; not a name that is no topic's, or is a key."""
    can_be_told = request.TOPIC_NAME.fullmatch(topic) and not apikey.PATTERN.search(topic)
    refusal.topic = topic if can_be_told else None
    refusal.key_id = grant.key_id
    return refusal
