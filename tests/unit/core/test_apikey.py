"""The text of an API key."""

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.core import apikey

FIXED = bytes(range(64))


def counting(size: int) -> bytes:
    return FIXED[:size]


def test_a_key_has_its_documented_form() -> None:
    text = apikey.mint(counting).reveal()
    assert re.fullmatch(r"esk_[0-9a-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", text)


def test_the_check_is_the_crc_32_of_all_before_it_in_base62() -> None:
    head, _, check = apikey.mint(counting).reveal().rpartition("_")
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for one in check:
        number = number * 62 + digits.index(one)
    assert number == zlib.crc32(head.encode())


def test_a_secret_of_zero_bits_is_padded_on_the_left() -> None:
    assert apikey.mint(bytes).reveal().split("_")[2] == "0" * 43


@given(st.binary(min_size=40, max_size=40))
def test_every_minted_key_parses_to_itself(seed: bytes) -> None:
    parts = iter((seed[:8], seed[8:]))
    key = apikey.mint(lambda _size: next(parts))
    assert apikey.parse(key.reveal()) == key


@given(st.binary(min_size=40, max_size=40), st.integers(0, 63), st.sampled_from("0aZ_"))
def test_a_mistyped_key_is_known_as_such(seed: bytes, place: int, typed: str) -> None:
    parts = iter((seed[:8], seed[8:]))
    text = apikey.mint(lambda _size: next(parts)).reveal()
    wrong = text[:place] + typed + text[place + 1 :]
    if wrong != text:
        assert apikey.parse(wrong) is None


@pytest.mark.parametrize("text", ["", "esk_", "esk_abcdefgh_x_y", "Bearer", "esk_abcdefgh_" + "0" * 43 + "_000000"])
def test_what_is_no_key_is_none(text: str) -> None:
    assert apikey.parse(text) is None


def test_a_key_never_shows_itself_by_accident() -> None:
    key = apikey.mint(counting)
    assert key.reveal() not in f"{key} {key!r}"
    assert key.reveal().split("_")[2] not in f"{key} {key!r}"
