"""Many records of one request: one answer, when the last is reported."""

from collections.abc import Sequence

from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.answers import RefusalError, unavailable
from eventstreams.producer.batch import Batch
from eventstreams.producer.formats import Outcome
from eventstreams.producer.lane import Ticket
from eventstreams.producer.record import Record, Stored


@given(st.integers(1, 6).flatmap(lambda size: st.permutations(range(size))))
def test_it_is_done_once_when_the_last_is_reported_and_the_outcomes_are_in_the_order_of_the_records(
    reported: list[int],
) -> None:
    done: list[Sequence[Outcome]] = []
    tickets: list[Ticket] = []
    records = [Record(value=b"%d" % number) for number in range(len(reported))]
    batch = Batch(done.append)
    batch.send(records, lambda _, ticket: tickets.append(ticket))

    for number in reported:
        assert not done
        tickets[number].stored(0, number, 1)

    assert done == [[Stored(0, number, 1) for number in range(len(reported))]]


def test_after_a_record_that_is_not_taken_none_is_sent() -> None:
    done: list[Sequence[Outcome]] = []
    tickets: list[Ticket] = []
    full = unavailable("too many records wait for Kafka already")

    def send(record: Record, ticket: Ticket) -> None:
        if record.value == b"full":
            raise full
        tickets.append(ticket)

    Batch(done.append).send([Record(value=b"a"), Record(value=b"full"), Record(value=b"b")], send)
    tickets[0].stored(0, 7, 1)

    assert len(tickets) == 1
    assert done == [[Stored(0, 7, 1), full, full]]


def test_a_failed_delivery_is_the_outcome_of_its_record_alone() -> None:
    done: list[Sequence[Outcome]] = []
    tickets: list[Ticket] = []
    records = [Record(value=b"a"), Record(value=b"b")]
    Batch(done.append).send(records, lambda _, ticket: tickets.append(ticket))

    tickets[1].failed(KafkaError(KafkaError._MSG_TIMED_OUT))
    tickets[0].stored(0, 7, 1)

    stored, failed = done[0]
    assert stored == Stored(0, 7, 1)
    assert isinstance(failed, RefusalError)
    assert failed.status == 408
