"""When a certificate is issued anew, and when not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eventstreams.pki.certificates import KeyPair, Leaf, Usage, make_ca, make_leaf
from eventstreams.pki.policy import REISSUE_WHEN, Inputs, first, renew_at

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CA = make_ca("demo", "shop", generation=1, now=NOW)
LEAF = Leaf("demo-rest", Usage.SERVER, ("a.example.com", "10.0.0.1"))
PAIR = make_leaf(CA, LEAF, now=NOW)
GOOD = Inputs(PAIR, LEAF, CA.certificate, NOW)


def test_a_certificate_that_is_as_wanted_stays() -> None:
    assert first(REISSUE_WHEN, GOOD) is None


@pytest.mark.parametrize(
    ("seen", "check"),
    [
        pytest.param(replace(GOOD, stored=None), "no_certificate", id="absent"),
        pytest.param(
            replace(GOOD, stored=KeyPair(PAIR.certificate, make_leaf(CA, LEAF, now=NOW).key)),
            "key_and_certificate_differ",
            id="foreign key",
        ),
        pytest.param(
            replace(GOOD, wanted=replace(LEAF, names=("a.example.com",))), "names_differ", id="a name too many"
        ),
        pytest.param(
            replace(GOOD, wanted=replace(LEAF, names=(*LEAF.names, "b.example.com"))),
            "names_differ",
            id="a name missing",
        ),
        pytest.param(
            replace(GOOD, ca=make_ca("demo", "shop", generation=1, now=NOW).certificate),
            "not_signed_by_ca",
            id="another ca of the same name",
        ),
        pytest.param(replace(GOOD, now=NOW + timedelta(days=60)), "nears_expiry", id="two thirds over"),
    ],
)
def test_each_fact_that_calls_for_a_new_certificate_is_named(seen: Inputs, check: str) -> None:
    verdict = first(REISSUE_WHEN, seen)

    assert verdict is not None
    assert verdict.check == check


def test_a_certificate_is_renewed_at_two_thirds_of_its_life_and_not_a_second_earlier() -> None:
    due = NOW + timedelta(days=60)

    assert renew_at(PAIR.certificate) == due
    assert first(REISSUE_WHEN, replace(GOOD, now=due - timedelta(seconds=1))) is None
    assert first(REISSUE_WHEN, replace(GOOD, now=due)) is not None


def test_names_differ_in_order_and_case_without_meaning() -> None:
    wanted = replace(LEAF, names=("10.0.0.1", "A.Example.com", "a.example.com"))

    assert first(REISSUE_WHEN, replace(GOOD, wanted=wanted)) is None


def test_the_order_of_the_chain_goes_from_what_is_there_to_how_long_it_lasts() -> None:
    assert [check.__name__ for check in REISSUE_WHEN] == [
        "no_certificate",
        "key_and_certificate_differ",
        "names_differ",
        "not_signed_by_ca",
        "nears_expiry",
    ]
