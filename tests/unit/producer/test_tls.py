"""The TLS shim."""

import asyncio
import gc
import ssl
from dataclasses import replace
from pathlib import Path
from typing import cast
from unittest.mock import create_autospec

import pytest

from eventstreams.producer.tls import TLS, Carried, server_context
from unit.producer.certificates import Certificate, self_signed
from unit.producer.rig import LIMITS, Rig, Wire, post
from unit.producer.tls_client import Loop, TLSClient


def connect(rig: Rig, certificate: Certificate, piece_bytes: int = 16_000) -> TLSClient:
    context = server_context(certificate.directory)
    return TLSClient(context, rig.connection(), certificate, piece_bytes=piece_bytes)


def test_only_tls_1_2_and_above_and_only_http_1_1_are_offered(certificate: Certificate) -> None:
    context = server_context(certificate.directory)

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_connection_counts_from_the_first_and_ends_with_its_handshake(certificate: Certificate) -> None:
    rig = Rig()
    wire, loop = Wire(), Loop()
    shim = TLS(server_context(certificate.directory), rig.connection(), cast("asyncio.AbstractEventLoop", loop), 10)

    shim.connection_made(cast("asyncio.Transport", wire))

    assert len(rig.endpoint.clients) == 1
    shim.connection_lost(None)
    assert not rig.endpoint.clients


def test_a_connection_that_is_lost_is_freed_at_once(certificate: Certificate) -> None:
    rig = Rig()
    gc.collect()
    gc.disable()
    try:
        client = connect(rig, certificate)
        client.send(post() * (LIMITS.pipelined + 1))
        client.server.connection_lost(None)
        rig.kafka.confirm()
        rig.kafka.stored.clear()
        client.loop.late.clear()
        del client

        assert not [one for one in gc.get_objects() if isinstance(one, TLS)]
    finally:
        gc.enable()


def test_a_handshake_that_does_not_end_is_cut_off(certificate: Certificate) -> None:
    wire, loop = Wire(), Loop()
    shim = TLS(server_context(certificate.directory), Rig().connection(), cast("asyncio.AbstractEventLoop", loop), 10)
    shim.connection_made(cast("asyncio.Transport", wire))

    loop.late[0]()

    assert wire.is_aborted


def test_plain_http_on_the_tls_port_is_closed(certificate: Certificate) -> None:
    wire, loop = Wire(), Loop()
    shim = TLS(server_context(certificate.directory), Rig().connection(), cast("asyncio.AbstractEventLoop", loop), 10)
    shim.connection_made(cast("asyncio.Transport", wire))

    shim.data_received(post())

    assert wire.is_closed


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"\x17\x03\x03\x00\x20" + b"x" * 32, id="nothing that was encrypted"),
        pytest.param(b"\x17\x03\x03\x48\x01", id="longer than a record may be"),
        pytest.param(b"GET /", id="of no type"),
    ],
)
def test_broken_records_abort_and_a_late_answer_does_no_harm(certificate: Certificate, broken: bytes) -> None:
    rig = Rig()
    client = connect(rig, certificate)
    client.send(post())
    client.server.data_received(broken)
    rig.kafka.confirm()
    client.server.data_received(post(body=b"plain"))

    assert client.wire.is_aborted


@pytest.mark.parametrize("piece_bytes", [1, 2, 5, 6, 100, 262_144])
def test_the_bytes_of_records_may_come_in_any_pieces(certificate: Certificate, piece_bytes: int) -> None:
    rig = Rig(replace(LIMITS, message_bytes=40_000))
    client = connect(rig, certificate, piece_bytes)
    body = bytes(range(250)) * 160

    client.send(post(body=body) + post(body=b"last"))
    rig.kafka.confirm()

    assert client.statuses == [200, 200]
    assert [one.value for one in rig.kafka.stored] == [body, b"last"]


def test_what_the_records_of_one_read_hold_is_passed_on_in_one_piece(certificate: Certificate) -> None:
    carried = create_autospec(Carried, instance=True)
    client = TLSClient(server_context(certificate.directory), carried, certificate, piece_bytes=262_144)

    client.send(b"x" * 40_000)

    carried.data_received.assert_called_once_with(b"x" * 40_000)


def test_close_notify_of_the_client_ends_the_connection_after_its_answers(certificate: Certificate) -> None:
    rig = Rig()
    client = connect(rig, certificate)
    client.send(post())

    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client._to_server()
    before = client.wire.is_closed
    rig.kafka.confirm()

    assert (before, client.statuses, client.wire.is_closed) == (False, [200], True)


def test_what_one_read_holds_beyond_the_room_waits_and_nothing_is_lost(certificate: Certificate) -> None:
    rig = Rig()
    client = connect(rig, certificate)

    client.send(post() * (LIMITS.pipelined * 3))
    while rig.kafka.sent:
        rig.kafka.confirm()

    assert client.statuses == [200] * (LIMITS.pipelined * 3)


def test_a_half_closed_client_gets_its_answers_to_all_that_came_before(certificate: Certificate) -> None:
    rig = Rig()
    client = connect(rig, certificate)

    client.send(post() * (LIMITS.pipelined * 3))
    client.server.eof_received()
    while rig.kafka.sent:
        rig.kafka.confirm()

    assert client.statuses == [200] * (LIMITS.pipelined * 3)
    assert client.wire.is_closed


def test_what_comes_after_close_notify_is_no_request_even_before_the_end_is_told(certificate: Certificate) -> None:
    rig = Rig()
    client = connect(rig, certificate, 262_144)
    client.loop.is_late = True
    client.tls.write(post() * (LIMITS.pipelined + 1))
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client._to_server()
    rig.kafka.confirm()

    client.server.data_received(post(body=b"plain"))

    assert len(rig.kafka.stored) == LIMITS.pipelined + 1
    assert b"plain" not in {one.value for one in (*rig.kafka.sent, *rig.kafka.stored)}


def test_after_a_handshake_that_failed_nothing_is_a_request(certificate: Certificate) -> None:
    rig = Rig()
    wire, loop = Wire(), Loop()
    shim = TLS(server_context(certificate.directory), rig.connection(), cast("asyncio.AbstractEventLoop", loop), 10)
    shim.connection_made(cast("asyncio.Transport", wire))

    shim.data_received(post())
    shim.data_received(post())

    assert not rig.kafka.sent


def test_what_comes_after_close_notify_is_counted_and_not_kept(certificate: Certificate) -> None:
    client = connect(Rig(), certificate)
    client.send(post())
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client._to_server()

    for _ in range(LIMITS.linger_bytes // 100_000 + 1):
        client.server.data_received(b"x" * 100_000)

    assert client.wire.is_aborted


@pytest.mark.parametrize("is_rsa", [False, True])
def test_a_key_of_another_certificate_is_no_pair(tmp_path: Path, is_rsa: bool) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    own = self_signed(tmp_path / "a")
    (own.directory / "tls.key").write_bytes(
        (self_signed(tmp_path / "b", is_rsa=is_rsa).directory / "tls.key").read_bytes()
    )

    with pytest.raises(ssl.SSLError):
        server_context(own.directory)
