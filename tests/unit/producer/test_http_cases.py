"""Each case of http_cases/*.toml: whole, byte by byte, pipelined behind a good request, over TLS, and split anyhow."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.tls import server_context
from unit.producer.certificates import Certificate
from unit.producer.http_cases import Case, cases
from unit.producer.rig import Rig, post
from unit.producer.tls_client import TLSClient

CASES = list(cases())


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_the_whole_at_once(case: Case) -> None:
    wire = Rig().talk([case.data])

    assert (wire.statuses, wire.is_open) == (case.answers, case.is_open)


@each_case
def test_byte_by_byte(case: Case) -> None:
    wire = Rig().talk(bytes([byte]) for byte in case.data)

    assert (wire.statuses, wire.is_open) == (case.answers, case.is_open)


@each_case
def test_behind_a_good_request(case: Case) -> None:
    wire = Rig().talk([post() + case.data])

    assert (wire.statuses, wire.is_open) == ([200, *case.answers], case.is_open)


@pytest.mark.parametrize("case", [case for case in CASES if case.is_first], ids=lambda case: case.name)
def test_over_tls(case: Case, certificate: Certificate) -> None:
    rig = Rig()
    client = TLSClient(server_context(certificate.directory), rig.connection(), certificate)

    client.send(case.data)
    rig.kafka.confirm()

    assert (client.statuses, client.is_open) == (case.answers, case.is_open)


@given(st.sampled_from(CASES), st.lists(st.integers(0, 3000), max_size=8))
def test_how_the_bytes_are_split_changes_no_answer(case: Case, cuts: list[int]) -> None:
    places = sorted({0, *(cut % (len(case.data) + 1) for cut in cuts), len(case.data)})

    wire = Rig().talk(case.data[start:end] for start, end in pairwise(places))

    assert (wire.statuses, wire.is_open) == (case.answers, case.is_open)
