"""Which topics exist: asked of Kafka only for those in use, about every second, by calls that never create one.

A topic that is not known yet is asked for when somebody with the right to it produces to it: one question for all who
wait, answered in milliseconds. "It does not exist" is believed for a second at most. Kafka that stops answering changes
nothing that is known; `is_away` says so.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription

logger = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 1.0
ABSENT_SECONDS: Final = 1.0
AWAY_SECONDS: Final = 5.0
"""Without an answer for so long, Kafka is away and produce requests are refused at once; likewise a topic's leaders."""

NO_LEADER: Final = -1
"""Told in place of a number of partitions: none of them has a leader, as when the brokers that hold them are down."""

_TIMEOUT_SECONDS: Final = 2.0
_DOUBT_SECONDS: Final = 1.5
_UNUSED_ROUNDS: Final = 600
_MOST_WAITING: Final = 1000


class Admin(Protocol):
    """What the map needs of confluent_kafka's AdminClient."""

    def describe_topics(
        self, topics: TopicCollection, *, request_timeout: float
    ) -> Mapping[str, Future[TopicDescription]]: ...
    def describe_cluster(self, *, request_timeout: float) -> Future[Any]: ...
    def set_sasl_credentials(self, username: str, password: str) -> None: ...


MakeAdmin = Callable[[Mapping[str, Any]], Admin]


def make_admin(config: Mapping[str, Any]) -> Admin:
    """Make a real admin client. It logs nothing: the producers meet the same troubles and do."""
    admin: Admin = AdminClient({**config, "log_level": 0})
    return admin


class _Topic:
    __slots__ = ("is_used", "led_at", "partitions", "told", "unused_rounds")

    def __init__(self, partitions: int, now: float) -> None:
        self.partitions = self.told = partitions
        self.led_at = now
        self.is_used = True
        self.unused_rounds = 0


class TopicMap:
    """The topics in use, with their number of partitions. All in the event loop but the client's own thread."""

    def __init__(
        self,
        config: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop,
        changed: Callable[[str], None],
        make: MakeAdmin = make_admin,
    ) -> None:
        """Take Kafka's configuration, and whom to tell that a topic has another number of partitions than before."""
        self._changed = changed
        self._make = make
        self._config = config
        self._loop = loop
        self._admin = make(config)
        self._known: dict[str, _Topic] = {}
        self._absent: dict[str, float] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._replaced: list[Admin] = []  # held while they owe answers: one that is dropped never gives them
        self._is_silent = False
        self._outstanding = 0
        self._is_asking = False
        self._answered_at: float | None = None

    def find(self, topic: str) -> int | None:
        """Return how many partitions a topic has, or NO_LEADER; 0 when it does not exist, None when not known."""
        known = self._known.get(topic)
        if known is not None:
            known.is_used = True
            return known.told
        until = self._absent.get(topic)
        return 0 if until is not None and until > self._loop.time() else None

    def ask(self, topic: str, then: Callable[[], None]) -> bool:
        """Ask Kafka and call `then` when it answered or did not in time. False: too many wait already."""
        waiting = self._waiting.get(topic)
        if waiting is not None:
            waiting.append(then)
            return True
        if len(self._waiting) >= _MOST_WAITING:
            return False
        self._waiting[topic] = [then]
        if not self._is_asking:
            self._is_asking = True
            self._loop.call_soon(self._ask_for_waiting)
        return True

    @property
    def is_away(self) -> bool:
        """Whether Kafka has not answered for some time, or never."""
        return self._answered_at is None or self._loop.time() - self._answered_at > AWAY_SECONDS

    @property
    def has_answered(self) -> bool:
        """Whether Kafka has ever answered."""
        return self._answered_at is not None

    def __len__(self) -> int:
        return len(self._known)

    async def keep(self) -> None:
        """Refresh for ever."""
        was_away = True
        while True:
            self._refresh()
            await asyncio.sleep(REFRESH_SECONDS)
            if self.is_away is not was_away:
                was_away = not was_away
                if was_away:
                    logger.warning("Kafka does not answer", extra={"seconds": AWAY_SECONDS})
                else:
                    logger.info("Kafka answers")

    def use_credentials(self, username: str, password: str) -> None:
        """Log in with these from the next connection on."""
        self._config = {**self._config, "sasl.username": username, "sasl.password": password}
        self._admin.set_sasl_credentials(username, password)

    def renew(self) -> None:
        """Replace the client, as for a changed CA. Raises KafkaException when none can be made; the old one stays."""
        new = self._make(self._config)
        self._replaced.append(self._admin)
        self._admin = new

    def _refresh(self) -> None:
        """Ask for every topic in use, or only whether Kafka is there.

        While the last question stands another is asked only in doubt: the one broker that was asked may hang, and
        another client may find one that answers before Kafka is taken for away.
        """
        now = self._loop.time()
        if not self._outstanding:
            self._replaced.clear()
        elif self._answered_at is not None and _DOUBT_SECONDS < now - self._answered_at <= AWAY_SECONDS:
            self._is_silent = True
        else:
            return
        if self._is_silent:
            self._ask_elsewhere()
        self._absent = {topic: until for topic, until in self._absent.items() if until > now}
        for name, topic in tuple(self._known.items()):
            topic.unused_rounds = 0 if topic.is_used else topic.unused_rounds + 1
            topic.is_used = False
            if topic.unused_rounds > _UNUSED_ROUNDS:
                del self._known[name]
        if self._known:
            self._describe(self._known)
        else:
            self._outstanding += 1
            cluster = self._admin.describe_cluster(request_timeout=_TIMEOUT_SECONDS)
            cluster.add_done_callback(partial(self._tell, None, self._admin))

    def _ask_elsewhere(self) -> None:
        """Begin with a new client: the old one keeps asking the one broker that it chose, though others may answer."""
        self._is_silent = False
        try:
            self.renew()
        except KafkaException as error:
            logger.debug("Kept the client that got no answer", extra={"error": str(error)})

    def _ask_for_waiting(self) -> None:
        self._is_asking = False
        self._describe(self._waiting)

    def _describe(self, topics: Iterable[str]) -> None:
        names = list(topics)
        try:
            futures = self._admin.describe_topics(TopicCollection(names), request_timeout=_TIMEOUT_SECONDS)
        except KafkaException as error:  # the client takes no question
            logger.debug("Kafka cannot be asked for topics", extra={"error": str(error)})
            self._is_silent = True
            for name in names:
                self._tell_waiting(name)
            return
        self._outstanding += len(futures)
        for name, future in futures.items():
            future.add_done_callback(partial(self._tell, name, self._admin))

    def _tell(self, name: str | None, asked: Admin, future: "Future[Any]") -> None:
        """Carry an answer from the client's thread to the loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(self._learn, name, asked, future)

    def _learn(self, name: str | None, asked: Admin, future: "Future[Any]") -> None:
        self._outstanding -= 1
        error = future.exception()
        if error is None:
            self._answered_at = self._loop.time()
            if name is not None:
                partitions = future.result().partitions
                self._note(name, len(partitions), has_leader=any(one.leader is not None for one in partitions))
        else:
            code = error.args[0].code() if isinstance(error, KafkaException) else 0
            if code > 0:  # a broker's answer, not the client's own trouble
                self._answered_at = self._loop.time()
            elif asked is self._admin:
                self._is_silent = True
            if code == KafkaError.UNKNOWN_TOPIC_OR_PART and name is not None:
                self._note(name, 0)
            else:
                logger.debug("Kafka did not describe a topic", extra={"topic": name, "error": str(error)})
        if name is not None:
            self._tell_waiting(name)

    def _tell_waiting(self, name: str) -> None:
        for then in self._waiting.pop(name, ()):
            then()

    def _note(self, name: str, partitions: int, *, has_leader: bool = False) -> None:
        now = self._loop.time()
        if partitions == 0:
            self._known.pop(name, None)
            self._absent[name] = now + ABSENT_SECONDS
            return
        self._absent.pop(name, None)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = _Topic(partitions, now)
        elif known.partitions != partitions:
            known.partitions = partitions
            self._changed(name)
        if has_leader:
            known.led_at = now
        was_told, known.told = known.told, partitions if now - known.led_at <= AWAY_SECONDS else NO_LEADER
        if known.told == NO_LEADER != was_told:
            logger.warning("No partition of a topic has a leader", extra={"topic": name, "seconds": AWAY_SECONDS})
