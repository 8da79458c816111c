"""Who has much in flight takes turns; who has little is read at once."""

import pytest

from eventstreams.core.keyring import KeyGrant, Shard
from eventstreams.producer.connection import Connection
from eventstreams.producer.turns import BUSY, COMPANY_LOOKS, FEW, READS
from unit.producer.rig import GRANT, OTHER_KEY, Rig, Wire, post

OTHER = KeyGrant(OTHER_KEY.id, OTHER_KEY.digest, "apps/other", ("orders",))
OTHERS_POST = post(key=OTHER_KEY.reveal())


class Loop(Rig):
    """Two owners that have met, and the rounds of the loop."""

    def __init__(self, *, have_met: bool = True) -> None:
        super().__init__()
        self.keys.replace(0, Shard(2, (GRANT, OTHER)))
        self.talk([post()])
        if have_met:
            self.talk([OTHERS_POST])

    def connections(self, number: int, request: bytes = post()) -> list[tuple[Connection, Wire]]:
        """Return connections that have stored a record each: it is known whose they are."""
        made = [self.connect() for _ in range(number)]
        for connection, _ in made:
            connection.data_received(request)
            self.kafka.confirm()
        return made

    def busy(self, connections: list[tuple[Connection, Wire]]) -> None:
        """Send from the first connections until their owner is busy."""
        for connection, _ in connections[:BUSY]:
            connection.data_received(post())
        assert len(self.kafka.sent) == BUSY

    def taken_in_rounds(self, waiting: list[tuple[Connection, Wire]]) -> list[int]:
        """Send from these too, and return how many of their records were sent on before each of four rounds."""
        before, taken = len(self.kafka.sent), []
        for connection, _ in waiting:
            connection.data_received(post())
        for _ in range(4):
            taken.append(len(self.kafka.sent) - before)
            self.round()
        return taken

    def round(self) -> None:
        """Go round once, as the loop does."""
        due, self.rounds[:] = tuple(self.rounds), []
        for call in due:
            call()


def test_connections_of_a_busy_owner_are_read_a_few_in_each_round() -> None:
    loop = Loop()
    made = loop.connections(BUSY + 2 * READS + 1)
    loop.busy(made)

    assert loop.taken_in_rounds(made[BUSY:]) == [0, READS, 2 * READS, 2 * READS + 1]
    assert loop.rounds == []
    assert all(wire.is_reading for _, wire in made)


def test_fewer_are_read_while_there_is_one_who_asks_for_little() -> None:
    loop = Loop()
    made = loop.connections(BUSY + 3 * FEW)
    loop.busy(made)
    loop.turns.is_shared = lambda: True

    assert loop.taken_in_rounds(made[BUSY:]) == [0, FEW, 2 * FEW, 3 * FEW]


def test_who_has_little_in_flight_waits_for_nobody() -> None:
    loop = Loop()
    made, (other, _) = loop.connections(BUSY + 5), loop.connections(1, OTHERS_POST)[0]
    loop.busy(made)
    for connection, _ in made[BUSY:]:
        connection.data_received(post())

    other.data_received(OTHERS_POST)

    assert len(loop.kafka.sent) == BUSY + 1


def test_busy_owners_alternate_however_many_connections_each_has() -> None:
    loop = Loop()
    made, others = loop.connections(BUSY + 10), loop.connections(BUSY + 2, OTHERS_POST)
    loop.busy(made)
    for connection, _ in others[:BUSY]:
        connection.data_received(OTHERS_POST)
    for connection, _ in made[BUSY:]:
        connection.data_received(post(body=b"many"))
    for connection, _ in others[BUSY:]:
        connection.data_received(OTHERS_POST.replace(b"hello", b"few!!"))

    loop.round()

    assert [one.value for one in loop.kafka.sent[2 * BUSY :]] == [b"many", b"few!!"] * 2 + [b"many"] * (READS - 4)


def test_requests_that_come_together_take_turns_too_and_stay_in_order() -> None:
    loop = Loop()
    connection, wire = loop.connect()

    connection.data_received(b"".join(post(body=b"%05d" % number) for number in range(BUSY + 3)))
    at_once = len(loop.kafka.sent)
    for _ in range(4):
        loop.round()

    assert at_once == BUSY
    assert [one.value for one in loop.kafka.sent] == [b"%05d" % number for number in range(BUSY + 3)]
    assert wire.is_reading


def test_an_owner_that_is_alone_takes_no_turns() -> None:
    loop = Loop(have_met=False)
    connection, _ = loop.connect()

    connection.data_received(post() * 40)

    assert len(loop.kafka.sent) == 40


@pytest.mark.parametrize(("looks", "taken"), [(COMPANY_LOOKS - 1, BUSY), (COMPANY_LOOKS, 40)])
def test_company_is_reckoned_with_for_a_minute(looks: int, taken: int) -> None:
    loop = Loop()
    for _ in range(looks):
        loop.endpoint.turns.look()
    assert loop.endpoint.turns.has_company() is (taken == BUSY)
    connection, _ = loop.connect()

    connection.data_received(OTHERS_POST * 40)  # the other was the last

    assert len(loop.kafka.sent) == taken


def test_a_client_that_leaves_while_it_waits_is_passed_over() -> None:
    loop = Loop()
    made = loop.connections(BUSY + 2)
    loop.busy(made)
    (leaver, gone), (stayer, _) = made[BUSY:]
    written = bytes(gone.written)
    leaver.data_received(post())
    stayer.data_received(post())

    leaver.connection_lost(None)
    loop.round()

    assert len(loop.kafka.sent) == BUSY + 1
    assert gone.written == written


def test_a_bug_met_in_one_turn_costs_the_others_none(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    connections = loop.connections(BUSY + 2)
    loop.busy(connections)
    for connection, _ in connections[BUSY:]:
        connection.data_received(post())
    before = len(loop.kafka.sent)
    monkeypatch.setattr(connections[BUSY][0]._wire, "resume_reading", lambda: 1 / 0)

    while loop.rounds:
        loop.rounds.pop(0)()

    assert len(loop.kafka.sent) > before


def test_a_connection_that_is_retired_while_it_waits_is_answered_and_closed() -> None:
    loop = Loop()
    made = loop.connections(BUSY + 1)
    loop.busy(made)
    connection, wire = made[BUSY]
    connection.data_received(post())

    loop.endpoint.is_draining = True
    connection.retire()
    loop.round()
    loop.kafka.confirm()

    assert wire.statuses == [200, 200]
    assert wire.has_ended


def test_answers_to_what_was_reported_together_leave_together_one_write_for_each_client() -> None:
    rig = Rig()
    clients = [rig.connect() for _ in range(3)]
    for connection, _ in clients:
        connection.data_received(post() * 2)

    rig.endpoint.turns.begin_reports(gives_way=False)
    rig.kafka.confirm()
    before = [bytes(wire.written) for _, wire in clients]
    rig.endpoint.turns.end_reports()

    assert before == [b""] * 3
    assert [(wire.statuses, wire.writes) for _, wire in clients] == [([200, 200], 1)] * 3


def test_a_client_that_is_lost_before_its_answer_leaves_costs_the_others_nothing() -> None:
    rig = Rig()
    clients = [rig.connect() for _ in range(3)]
    for connection, _ in clients:
        connection.data_received(post())

    rig.endpoint.turns.begin_reports(gives_way=False)
    rig.kafka.confirm()
    clients[1][0].connection_lost(None)
    rig.endpoint.turns.end_reports()

    assert [wire.statuses for _, wire in clients] == [[200], [], [200]]


def test_a_bug_in_one_answer_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    clients = [rig.connect() for _ in range(2)]
    for connection, _ in clients:
        connection.data_received(post())
    clients[0][1].has_ended = True  # so that it refuses to be written to

    rig.endpoint.turns.begin_reports(gives_way=False)
    rig.kafka.confirm()
    rig.endpoint.turns.end_reports()

    assert [wire.statuses for _, wire in clients] == [[], [200]]
    assert "Bug met while answering" in caplog.text


def test_an_answer_outside_a_round_of_reports_leaves_at_once() -> None:
    rig = Rig()
    rig.endpoint.turns.begin_reports(gives_way=False)
    rig.endpoint.turns.end_reports()

    assert rig.talk([post("/topics/gone/records")]).statuses == [404]
