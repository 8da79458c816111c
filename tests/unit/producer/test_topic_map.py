"""What the topic map believes, with an admin client that the test drives."""

import asyncio
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import TopicDescription

from eventstreams.producer.topic_map import ABSENT_SECONDS, AWAY_SECONDS, NO_LEADER, Admin, TopicMap
from local.waiting import wait_until


class Loop:
    """A loop whose time stands still; what is called soon is called when told."""

    def __init__(self) -> None:
        self.now = 50.0
        self._soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)

    def call_soon_threadsafe(self, call: Callable[..., None], *arguments: Any) -> None:
        call(*arguments)

    def turn(self) -> None:
        soon, self._soon = self._soon, []
        for call in soon:
            call()


class Kafka:
    """Answers when told; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.topics: dict[str, int] = {"orders": 3}
        self.leaderless = 0
        self.refuses = False
        self._due: list[tuple[str | None, Future[Any]]] = []

    def describe_topics(
        self,
        topics: TopicCollection,
        *,
        request_timeout: float,  # noqa: ARG002  as the real one
    ) -> Mapping[str, Future[TopicDescription]]:
        if self.refuses:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG))
        self.asked.append(list(topics.topic_names))
        futures: dict[str, Future[TopicDescription]] = {name: Future() for name in topics.topic_names}
        self._due += futures.items()
        return futures

    def describe_cluster(self, *, request_timeout: float) -> Future[Any]:  # noqa: ARG002  as the real one
        future: Future[Any] = Future()
        self._due.append((None, future))
        return future

    def set_sasl_credentials(self, username: str, password: str) -> None:
        pass

    def answer(self, error: int | None = None) -> None:
        due, self._due = self._due, []
        for name, future in due:
            code = KafkaError.UNKNOWN_TOPIC_OR_PART if name is not None and name not in self.topics else error
            if code is not None:
                future.set_exception(KafkaException(KafkaError(code)))
            else:
                count = self.topics.get(name or "", 0)
                leaders = [None if number < self.leaderless else "a broker" for number in range(count)]
                future.set_result(SimpleNamespace(partitions=[SimpleNamespace(leader=leader) for leader in leaders]))


class Rig:
    def __init__(self) -> None:
        self.loop, self.kafka = Loop(), Kafka()
        self.made = 0
        self.changed: list[str] = []
        self.map = TopicMap({}, cast("asyncio.AbstractEventLoop", self.loop), self.changed.append, self.make)
        self.called: list[str] = []

    def make(self, _config: Mapping[str, Any]) -> Admin:
        self.made += 1
        return cast("Admin", self.kafka)

    def ask(self, topic: str) -> bool:
        return self.map.ask(topic, lambda: self.called.append(topic))

    def learn(self, topic: str) -> None:
        self.ask(topic)
        self.loop.turn()
        self.kafka.answer()

    def refresh(self) -> None:
        self.map._refresh()
        self.kafka.answer()


def test_a_topic_is_unknown_until_it_is_asked_for() -> None:
    rig = Rig()
    assert rig.map.find("orders") is None

    rig.learn("orders")

    assert (rig.map.find("orders"), rig.called) == (3, ["orders"])


def test_all_who_miss_at_once_are_served_by_one_question() -> None:
    rig = Rig()
    for topic in ("orders", "gone", "orders", "orders"):
        rig.ask(topic)
    rig.loop.turn()
    rig.ask("orders")
    rig.loop.turn()
    rig.kafka.answer()

    assert rig.kafka.asked == [["orders", "gone"]]
    assert sorted(rig.called) == ["gone", "orders", "orders", "orders", "orders"]


def test_that_a_topic_does_not_exist_is_believed_for_a_second() -> None:
    rig = Rig()
    rig.learn("gone")
    assert rig.map.find("gone") == 0

    rig.loop.now += ABSENT_SECONDS

    assert rig.map.find("gone") is None


def test_a_deleted_topic_is_noticed_by_the_next_refresh_and_a_grown_one_too() -> None:
    rig = Rig()
    rig.kafka.topics["pay"] = 1
    rig.learn("orders")
    rig.learn("pay")

    del rig.kafka.topics["orders"]
    rig.kafka.topics["pay"] = 5
    rig.refresh()

    assert (rig.map.find("orders"), rig.map.find("pay")) == (0, 5)


def test_who_sends_is_told_once_that_a_topic_has_grown() -> None:
    rig = Rig()
    rig.learn("orders")

    rig.kafka.topics["orders"] = 5
    rig.refresh()
    rig.refresh()

    assert rig.changed == ["orders"]


@pytest.mark.parametrize(("leaderless", "told"), [(2, 3), (3, NO_LEADER)], ids=["some", "all"])
def test_a_topic_whose_partitions_all_have_no_leader_for_some_time_is_told(leaderless: int, told: int) -> None:
    rig = Rig()
    rig.learn("orders")
    rig.kafka.leaderless = leaderless
    rig.refresh()
    rig.loop.now += AWAY_SECONDS
    rig.refresh()
    seen = [rig.map.find("orders")]

    rig.loop.now += 1
    rig.refresh()
    seen.append(rig.map.find("orders"))
    rig.kafka.leaderless = 0
    rig.refresh()
    seen.append(rig.map.find("orders"))

    assert seen == [3, told, 3], "an election is waited for, and its end is noticed"


def test_kafka_away_changes_nothing_that_is_known_and_is_said() -> None:
    rig = Rig()
    seen = [rig.map.is_away]
    rig.learn("orders")
    seen.append(rig.map.is_away)

    rig.loop.now += AWAY_SECONDS + 1
    rig.map._refresh()
    rig.kafka.answer(KafkaError._TRANSPORT)
    seen.append(rig.map.is_away)
    rig.refresh()
    seen.append(rig.map.is_away)

    assert seen == [True, False, True, False]
    assert rig.map.find("orders") == 3


def test_without_topics_in_use_kafka_is_still_looked_at() -> None:
    rig = Rig()

    rig.refresh()

    assert rig.map.has_answered


def test_those_who_ask_are_called_when_kafka_gives_no_answer() -> None:
    rig = Rig()
    rig.ask("orders")
    rig.loop.turn()

    rig.kafka.answer(KafkaError._TIMED_OUT)

    assert (rig.called, rig.map.find("orders")) == (["orders"], None)


def test_those_who_ask_are_called_when_the_client_takes_no_question() -> None:
    rig = Rig()
    rig.kafka.refuses = True
    rig.ask("orders")
    rig.loop.turn()

    assert (rig.called, rig.map.find("orders")) == (["orders"], None)
    rig.map._refresh()
    assert rig.made == 2, "a new client, as after silence"


def test_a_slow_kafka_is_not_asked_again_before_it_answered() -> None:
    rig = Rig()
    rig.learn("orders")

    rig.map._refresh()
    rig.map._refresh()

    assert rig.kafka.asked == [["orders"], ["orders"]]


def test_questions_of_those_who_wait_do_not_put_off_refreshes() -> None:
    rig = Rig()
    rig.learn("orders")
    rig.ask("slow")
    rig.loop.turn()

    rig.map._refresh()

    assert rig.kafka.asked == [["orders"], ["slow"], ["orders"]]


def test_who_waits_already_is_not_asked_for_again() -> None:
    rig = Rig()
    rig.ask("one")
    rig.loop.turn()
    rig.ask("another")
    rig.loop.turn()

    assert rig.kafka.asked == [["one"], ["another"]]


def test_what_does_not_exist_is_forgotten_though_kafka_does_not_answer_a_refresh() -> None:
    rig = Rig()
    rig.map._refresh()
    rig.ask("gone")
    rig.loop.turn()
    rig.kafka.answer()
    rig.map._refresh()

    rig.loop.now += ABSENT_SECONDS
    rig.map._refresh()

    assert not rig.map._absent


def test_the_log_has_no_name_of_what_is_not_known_to_be_a_topic(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    with caplog.at_level("DEBUG"):
        rig.ask("an-api-key")
        rig.loop.turn()
        rig.kafka.topics["an-api-key"] = 1
        rig.kafka.answer(KafkaError._TIMED_OUT)

    assert caplog.records
    assert not [record for record in caplog.records if "an-api-key" in str(vars(record))]


def test_a_topic_out_of_use_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventstreams.producer.topic_map._UNUSED_ROUNDS", 3)
    rig = Rig()
    rig.kafka.topics["pay"] = 1
    rig.learn("orders")
    rig.learn("pay")

    for _ in range(6):
        rig.map.find("pay")
        rig.refresh()

    assert (len(rig.map), rig.map.find("pay")) == (1, 1)


def test_too_many_unknown_topics_at_once_are_turned_away() -> None:
    rig = Rig()

    assert all(rig.ask(f"t-{number}") for number in range(1000))
    assert not rig.ask("one-more")


def test_after_silence_a_new_client_asks_for_the_old_one_may_stay_with_a_dead_broker() -> None:
    rig = Rig()
    rig.learn("orders")
    rig.map._refresh()
    rig.kafka.answer(KafkaError._TIMED_OUT)

    rig.refresh()
    rig.refresh()

    assert (rig.made, rig.map.is_away) == (2, False)


def test_a_broker_that_hangs_does_not_make_kafka_seem_away_another_is_asked_in_time() -> None:
    rig = Rig()
    rig.learn("orders")
    hanging = rig.kafka
    rig.map._refresh()
    rig.kafka = Kafka()
    for _ in range(4):
        rig.loop.now += 1
        rig.map._refresh()
    rig.kafka.answer()
    made = rig.made
    hanging.answer(KafkaError._TIMED_OUT)
    rig.loop.now += 1
    rig.refresh()

    assert rig.kafka.asked, "the second client's question"
    assert not rig.map.is_away
    assert (made, rig.made) == (4, 4), "one each second in doubt, and none for what the one before did not answer"


def test_a_kafka_that_is_away_is_asked_by_one_client_at_a_time() -> None:
    rig = Rig()
    rig.learn("orders")
    rig.map._refresh()
    rig.loop.now += AWAY_SECONDS + 1

    rig.map._refresh()

    assert rig.made == 1


def test_a_brokers_refusal_is_an_answer_and_keeps_the_client() -> None:
    rig = Rig()
    rig.learn("orders")
    rig.map._refresh()
    rig.kafka.answer(KafkaError.TOPIC_AUTHORIZATION_FAILED)

    rig.refresh()

    assert rig.made == 1


def test_a_replaced_client_is_held_until_it_has_answered() -> None:
    clients: list[Kafka] = []

    def make(_config: Mapping[str, Any]) -> Admin:
        clients.append(Kafka())
        return cast("Admin", clients[-1])

    loop = Loop()
    topics = TopicMap({}, cast("asyncio.AbstractEventLoop", loop), lambda _topic: None, make)
    topics._refresh()
    old = weakref.ref(clients.pop(0))

    topics.renew()
    assert old() is not None, "dropped, it would never answer, and nobody would ask again"
    held = old()
    assert held is not None
    held.answer()
    del held
    topics._refresh()

    wait_until(lambda: old() is None, "the end of the client, in a thread", seconds=5)


def test_a_bug_in_one_who_waits_costs_the_others_nothing() -> None:
    loop, kafka, told = Loop(), Kafka(), list[str]()
    topics = TopicMap({}, cast("asyncio.AbstractEventLoop", loop), lambda _topic: None, lambda _: cast("Admin", kafka))

    topics.ask("orders", lambda: told.append(str(1 / 0)))
    topics.ask("orders", lambda: told.append("told"))
    loop.turn()
    kafka.answer()

    assert told == ["told"]
