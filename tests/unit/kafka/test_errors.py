"""Kafka's error codes and whose turn they are."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.kafka.errors import MEANINGS, translated

CASES = [
    (KafkaError.INVALID_CONFIG, RefusedError, Reason.CONFIG_REFUSED),
    (KafkaError.INVALID_REPLICATION_FACTOR, RefusedError, Reason.REPLICATION_FACTOR_REFUSED),
    (KafkaError.TOPIC_EXCEPTION, RefusedError, Reason.NAME_REFUSED),
    (KafkaError.TOPIC_ALREADY_EXISTS, NotYetError, Reason.TOPIC_EXISTS),
    (KafkaError.TOPIC_AUTHORIZATION_FAILED, NotYetError, Reason.KAFKA_NOT_AUTHORIZED),
    (KafkaError._TIMED_OUT, NotYetError, Reason.KAFKA_UNAVAILABLE),
    (KafkaError.NOT_CONTROLLER, NotYetError, Reason.KAFKA_UNAVAILABLE),
    (KafkaError.UNKNOWN, NotYetError, Reason.KAFKA_UNAVAILABLE),
]


@pytest.mark.parametrize(("code", "turn", "reason"), CASES)
def test_a_code_becomes_the_error_of_whose_turn_it_is(code: int, turn: type[Exception], reason: Reason) -> None:
    error = translated(KafkaException(KafkaError(code, "said so.")), "topic orders")
    assert type(error) is turn
    assert error.reason is reason


def test_kafkas_words_are_quoted_without_a_full_stop() -> None:
    error = translated(KafkaException(KafkaError(KafkaError.INVALID_CONFIG, "Unknown name: x.")), "topic orders")
    assert error.message == "topic orders: Kafka says: Unknown name: x"


def test_what_is_not_kafkas_error_is_our_bug_and_stays_it() -> None:
    with pytest.raises(ZeroDivisionError):
        translated(ZeroDivisionError(), "topic orders")


def test_every_meaning_names_its_source() -> None:
    assert all(meaning.source for meaning in MEANINGS.values())
