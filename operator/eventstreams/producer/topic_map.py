"""Which topics exist: asked of Kafka only for those in use, about every second, by calls that never create one.

A topic that is not known yet is asked for when somebody with the right to it produces to it: one question for all who
wait, answered in milliseconds. "It does not exist" is believed for a second at most. Kafka that stops answering changes
nothing that is known; `is_away` says so.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
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


class _Client:
    """A client, and how many answers it owes: one that is dropped before never gives them."""

    __slots__ = ("admin", "owes")

    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self.owes = 0


class _Topic:
    __slots__ = ("is_used", "leaderless_from", "partitions", "told", "unused_rounds")

    def __init__(self, partitions: int) -> None:
        self.partitions = self.told = partitions
        self.leaderless_from: float | None = None
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
        self._clients = {0: _Client(make(config))}  # by the number of their making; the newest is asked
        self._newest = 0
        self._known: dict[str, _Topic] = {}
        self._absent: dict[str, float] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._unasked: list[str] = []
        self._is_silent = False
        self._due = 0  # answers to refreshes, not to those who wait: these would put refreshes off for ever
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
        self._unasked.append(topic)
        if len(self._unasked) == 1:
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
        for client in self._clients.values():
            client.admin.set_sasl_credentials(username, password)

    def renew(self) -> None:
        """Replace the client, as for a changed CA. Raises KafkaException when none can be made; the old one stays."""
        client = _Client(self._make(self._config))
        self._newest += 1
        self._clients[self._newest] = client

    def _refresh(self) -> None:
        """Ask for every topic in use, or only whether Kafka is there.

        While the last refresh stands, Kafka is asked again only in doubt: the one broker that was asked may hang, and
        another client may find one that answers before Kafka is taken for away.
        """
        now = self._loop.time()
        self._part()
        self._absent = {topic: until for topic, until in self._absent.items() if until > now}
        if self._due:
            if self._answered_at is None or not _DOUBT_SECONDS < now - self._answered_at <= AWAY_SECONDS:
                return
            self._is_silent = True
        if self._is_silent:
            self._ask_elsewhere()
        for name, topic in tuple(self._known.items()):
            topic.unused_rounds = 0 if topic.is_used else topic.unused_rounds + 1
            topic.is_used = False
            if topic.unused_rounds > _UNUSED_ROUNDS:
                del self._known[name]
        self._ask(list(self._known), is_refresh=True)

    def _part(self) -> None:
        """Drop the clients that are done, in a thread: the end of one waits for a name that is being looked up."""
        done = [number for number, one in self._clients.items() if not one.owes and number != self._newest]
        if done:
            parted = [self._clients.pop(number) for number in done]
            threading.Thread(target=parted.clear, name="kafka-parting", daemon=True).start()

    def _ask_elsewhere(self) -> None:
        """Begin with a new client: the old one keeps asking the one broker that it chose, though others may answer."""
        self._is_silent = False
        try:
            self.renew()
        except KafkaException as error:
            logger.debug("Kept the client that got no answer", extra={"error": str(error)})

    def _ask_for_waiting(self) -> None:
        names, self._unasked = self._unasked, []
        self._ask(names, is_refresh=False)

    def _ask(self, names: list[str], *, is_refresh: bool) -> None:
        """Ask for topics, or when there are none whether Kafka is there."""
        client = self._clients[self._newest]
        futures: Mapping[str, Future[Any]]
        try:
            if names:
                futures = client.admin.describe_topics(TopicCollection(names), request_timeout=_TIMEOUT_SECONDS)
            else:
                futures = {"": client.admin.describe_cluster(request_timeout=_TIMEOUT_SECONDS)}
        except KafkaException as error:  # the client takes no question
            logger.debug("Kafka cannot be asked", extra={"error": str(error)})
            self._is_silent = True
            for name in names:
                self._tell_waiting(name)
            return
        client.owes += len(futures)
        self._due += len(futures) if is_refresh else 0
        for name, future in futures.items():
            future.add_done_callback(partial(self._tell, name, self._newest, is_refresh))

    def _tell(self, name: str, number: int, is_refresh: bool, future: "Future[Any]") -> None:  # noqa: FBT001  a partial
        """Carry an answer from the client's thread to the loop. The client's number: its last owner is the loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(self._learn, name, number, is_refresh, future)

    def _learn(self, name: str, number: int, is_refresh: bool, future: "Future[Any]") -> None:  # noqa: FBT001  likewise
        self._clients[number].owes -= 1
        self._due -= is_refresh
        error = future.exception()
        if error is None:
            self._answered_at = self._loop.time()
            if name:
                partitions = future.result().partitions
                self._note(name, len(partitions), has_leader=any(one.leader is not None for one in partitions))
        else:
            code = error.args[0].code() if isinstance(error, KafkaException) else 0
            if code > 0:  # a broker's answer, not the client's own trouble
                self._answered_at = self._loop.time()
            elif number == self._newest:
                self._is_silent = True
            if code == KafkaError.UNKNOWN_TOPIC_OR_PART and name:
                self._note(name, 0)
            else:  # without the name: it need not be a topic's, and may be an API key in the wrong place
                logger.debug("Kafka did not answer as asked", extra={"error": str(error)})
        self._tell_waiting(name)

    def _tell_waiting(self, name: str) -> None:
        for then in self._waiting.pop(name, ()):
            try:
                then()
            except Exception:  # an outermost frame: a bug in one answer must not cost the others theirs
                logger.exception("Bug met while answering who waited for a topic")

    def _note(self, name: str, partitions: int, *, has_leader: bool = False) -> None:
        now = self._loop.time()
        if partitions == 0:
            self._known.pop(name, None)
            self._absent[name] = now + ABSENT_SECONDS
            return
        self._absent.pop(name, None)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = _Topic(partitions)
        elif known.partitions != partitions:
            known.partitions = partitions
            self._changed(name)
        if has_leader:
            known.leaderless_from = None
        elif known.leaderless_from is None:
            known.leaderless_from = now
        self._tell_leaders(name, known, now)

    def _tell_leaders(self, name: str, topic: _Topic, now: float) -> None:
        """Have a topic that no leader comes to be refused: until then its records wait for the election."""
        is_refused = topic.leaderless_from is not None and now - topic.leaderless_from > AWAY_SECONDS
        if is_refused and topic.told != NO_LEADER:
            logger.warning("No partition of a topic has a leader", extra={"topic": name, "seconds": AWAY_SECONDS})
        elif topic.told == NO_LEADER and not is_refused:
            logger.info("A topic has a leader again", extra={"topic": name})
        topic.told = NO_LEADER if is_refused else topic.partitions
