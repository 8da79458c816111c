"""The TLS shim."""

import asyncio
import ssl
from typing import cast

import pytest

from eventstreams.producer.tls import TLS, server_context
from unit.producer.certificates import Certificate
from unit.producer.rig import LIMITS, Rig, Wire, post
from unit.producer.tls_client import Loop, TLSClient


def connect(rig: Rig, certificate: Certificate) -> TLSClient:
    return TLSClient(server_context(certificate.directory), rig.connection(), certificate)


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


def test_broken_records_abort_and_a_late_answer_does_no_harm(certificate: Certificate) -> None:
    rig = Rig()
    client = connect(rig, certificate)
    client.send(post())
    client.server.data_received(b"\x17\x03\x03\x00\x20" + b"x" * 32)

    assert client.wire.is_aborted


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


def test_reading_pauses_in_the_middle_of_a_record_and_nothing_is_lost(certificate: Certificate) -> None:
    rig = Rig()
    client = connect(rig, certificate)

    client.send(post() * (LIMITS.pipelined * 3))
    while rig.kafka.sent:
        rig.kafka.confirm()

    assert client.statuses == [200] * (LIMITS.pipelined * 3)
