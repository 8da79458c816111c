"""Kafka's error codes, told apart by whose turn it is. An unknown code is the world's turn: it is tried again."""

from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means to us: the error it becomes, its reason, and where Kafka documents it."""

    turn: type[RefusedError] | type[NotYetError]
    reason: Reason
    source: str


_PROTOCOL: Final = "kafka.apache.org/protocol#protocol_error_codes"
_CLIENT: Final = "librdkafka rdkafka.h, rd_kafka_resp_err_t below 0: raised by the client, not by a broker"


def _refused(reason: Reason, source: str = _PROTOCOL) -> Meaning:
    return Meaning(RefusedError, reason, source)


def _not_yet(reason: Reason, source: str = _PROTOCOL) -> Meaning:
    return Meaning(NotYetError, reason, source)


MEANINGS: Final = {
    KafkaError.TOPIC_EXCEPTION: _refused(Reason.NAME_REFUSED),  # bad name, or one that collides (`a.b` and `a_b`)
    KafkaError.TOPIC_ALREADY_EXISTS: _not_yet(Reason.TOPIC_EXISTS),  # somebody was faster: look again, then decide
    KafkaError.INVALID_PARTITIONS: _refused(Reason.KAFKA_REFUSED),
    KafkaError.INVALID_REPLICATION_FACTOR: _refused(Reason.REPLICATION_FACTOR_REFUSED),
    KafkaError.INVALID_REPLICA_ASSIGNMENT: _refused(Reason.KAFKA_REFUSED),
    KafkaError.INVALID_CONFIG: _refused(Reason.CONFIG_REFUSED),
    KafkaError.INVALID_REQUEST: _refused(Reason.KAFKA_REFUSED),
    KafkaError.POLICY_VIOLATION: _refused(Reason.KAFKA_REFUSED, "KIP-108, KIP-133: the cluster's own policy class"),
    KafkaError.TOPIC_DELETION_DISABLED: _refused(Reason.KAFKA_REFUSED, "KIP-322"),
    KafkaError.UNACCEPTABLE_CREDENTIAL: _refused(Reason.KAFKA_REFUSED, "KIP-554"),
    KafkaError.UNSUPPORTED_SASL_MECHANISM: _refused(Reason.KAFKA_REFUSED, "KIP-554"),
    KafkaError.SECURITY_DISABLED: _refused(Reason.KAFKA_REFUSED, "KIP-140: no authorizer is configured"),
    KafkaError.UNSUPPORTED_VERSION: _refused(Reason.KAFKA_REFUSED),
    # the operator's own rights: the platform team may grant them at any time, so it is tried again
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _not_yet(Reason.KAFKA_NOT_AUTHORIZED),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _not_yet(Reason.KAFKA_NOT_AUTHORIZED),
    KafkaError.SASL_AUTHENTICATION_FAILED: _not_yet(Reason.KAFKA_NOT_AUTHORIZED),
    KafkaError._AUTHENTICATION: _not_yet(Reason.KAFKA_NOT_AUTHORIZED, _CLIENT),  # noqa: SLF001  # Kafka's own name
}


def translated(error: BaseException, subject: str) -> EventStreamsError:
    """Return the error that a caller may see; `subject` says what was asked, as `topic orders`.

    What is no KafkaException is our bug and comes back as it was raised: by raising.
    """
    if not isinstance(error, KafkaException):
        raise error
    cause: KafkaError = error.args[0]
    meaning = MEANINGS.get(cause.code(), _not_yet(Reason.KAFKA_UNAVAILABLE))
    said = (cause.str() or cause.name()).rstrip(". ")
    return meaning.turn(meaning.reason, f"{subject}: Kafka says: {said}")


def code_of(error: BaseException | None) -> int | None:
    """Return Kafka's code of an error, None when it is not Kafka's."""
    return error.args[0].code() if isinstance(error, KafkaException) else None
