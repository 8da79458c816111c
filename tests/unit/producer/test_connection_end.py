"""How a connection ends, and what is still answered before."""

from unit.producer.rig import LIMITS, Rig, post, statuses


def test_a_half_closed_client_gets_its_answers() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post() + post())

    connection.eof_received()
    assert wire.is_open
    rig.kafka.confirm()

    assert wire.statuses == [200, 200]
    assert wire.is_closed


def test_a_closing_answer_is_followed_by_a_half_close_and_some_patience() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(b"nonsense\r\n\r\n")
    assert wire.has_ended
    assert not wire.is_closed

    connection.data_received(b"x" * LIMITS.linger_bytes)
    assert not wire.is_aborted
    connection.data_received(b"x")

    assert wire.is_aborted


def test_a_client_that_closes_after_the_answer_is_closed_at_once() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(b"nonsense\r\n\r\n")

    connection.eof_received()

    assert wire.is_closed


def test_an_old_connection_ends_with_its_next_answer() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    rig.now += 301

    connection.data_received(post())
    rig.kafka.confirm()

    assert b"\r\nConnection: close\r\n" in wire.written
    assert wire.has_ended


def test_draining_makes_each_answer_the_last_but_waits_for_all_that_is_due() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post() + post())

    rig.endpoint.is_draining = True
    rig.kafka.confirm()

    assert statuses(wire.written) == [200, 200]
    assert wire.written.count(b"Connection: close") == 1
    assert wire.has_ended


def test_who_is_retired_in_the_middle_of_a_body_gets_its_answer() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    request = post(body=b"0123456789")
    connection.data_received(request[:-5])

    rig.endpoint.is_draining = True
    connection.retire()
    connection.data_received(request[-5:])
    rig.kafka.confirm()

    assert wire.statuses == [200]
    assert wire.has_ended


def test_who_is_retired_with_nothing_but_an_empty_line_read_is_closed() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    connection.data_received(post() + b"\r")
    rig.kafka.confirm()

    rig.endpoint.is_draining = True
    connection.retire()

    assert wire.statuses == [200]
    assert wire.has_ended


def test_no_100_continue_follows_the_end_of_the_answers() -> None:
    rig = Rig()
    connection, wire = rig.connect()
    expecting = post().partition(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\n\r\n"
    connection.data_received(post() + post() + expecting)

    connection.eof_received()
    rig.kafka.confirm()
    connection.flush()  # as for a second report of the same round

    assert wire.statuses == [200, 200, 400]
    assert b"100 Continue" not in wire.written
    assert wire.has_ended
