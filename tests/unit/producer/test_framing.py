"""Framing: what the cases in http_cases/ do not reach."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.framing import Chunked, Room, check_prefix, read_head
from eventstreams.producer.limits import Limits

LIMITS = Limits(message_bytes=1000, head_bytes=12_000)


def test_a_head_is_read_into_its_parts() -> None:
    head = read_head(b"POST /a?b HTTP/1.1\r\nHOST: es:1 \r\nX-A:\t1\r\nx-a: 2\r\nContent-Length: 007\r\n\r\n", LIMITS)

    assert (head.method, head.target, head.length, head.chunked) == (b"POST", b"/a?b", 7, False)
    assert head.fields == {b"host": b"es:1", b"x-a": b"1, 2", b"content-length": b"007"}
    assert head.keep_alive


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"GET / HTTP/1.1\r\nHost: es\r\nA: b\r\n c\r\n\r\n", "folded"),
        (b"GET / HTTP/1.1\r\nHost : es\r\n\r\n", "before|between"),
        (b"GET /#a HTTP/1.1\r\nHost: es\r\n\r\n", "fragment"),
        (b"GET / HTTP/3.0\r\nHost: es\r\n\r\n", "HTTP/1.1 and HTTP/1.0"),
        (b"GET / HTTP/1.1\r\n\r\n", "Host"),
        (b"GET / HTTP/1.2\r\nHost: es\r\n\r\n", "HTTP/1.1 and HTTP/1.0"),
    ],
)
def test_a_refusal_says_what_is_wrong(head: bytes, says: str) -> None:
    with pytest.raises(RefusalError, match=says) as refusal:
        read_head(head, LIMITS)

    assert refusal.value.closes


def first_fault(text: bytes, step: int) -> tuple[int, str] | None:
    """Feed `text` in steps as a connection does, and return the refusal."""
    checked = 0
    for end in [*range(step, len(text), step), len(text)]:
        try:
            check_prefix(text[:end], LIMITS, checked)
        except RefusalError as refusal:
            return refusal.status, refusal.message
        checked = end
    return None


@given(
    st.lists(
        st.sampled_from([b"GET ", b"/" * 9000, b"x" * 3000, b" ", b"\r\n", b"\r", b"\n", b"\0", b"a: b"]), max_size=6
    ),
    st.integers(1, 4000),
)
def test_the_first_fault_is_the_same_however_a_head_arrives(parts: list[bytes], step: int) -> None:
    text = b"".join(parts)

    assert first_fault(text, step) == first_fault(text, max(1, len(text)))


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.lists(st.integers(1, 20), min_size=1, max_size=9))
def test_any_body_in_any_chunks_and_any_pieces_is_decoded(chunks: list[bytes], steps: list[int]) -> None:
    coded = b"".join(b"%x;a=b\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nX: y\r\n\r\n"
    decoder, at, rest = Chunked(LIMITS, Room(LIMITS.message_bytes)), 0, b"GET"
    text = coded + rest

    while not decoder.is_complete:
        piece = text[at : at + steps[at % len(steps)]]
        taken = decoder.take(piece, 0)
        at += taken

    assert (decoder.value(), text[at:]) == (b"".join(chunks), rest)


def first_chunk_fault(text: bytes, step: int) -> str | None:
    """Feed `text` in steps to a decoder, and return the refusal."""
    decoder = Chunked(LIMITS, Room(LIMITS.message_bytes))
    try:
        for start in range(0, len(text), step):
            if not decoder.is_complete:
                decoder.take(text[start : start + step], 0)
    except RefusalError as refusal:
        return refusal.message
    return None


@example([b"0", b"\r", b"\r\n"], 1)
@example([b"0", b"\r\n", b"X: y", b"\r", b"\r\n", b"\r\n"], 1)
@given(
    st.lists(
        st.sampled_from(
            [b"0", b"2", b"ab", b";a", b"X: y", b" ", b"\r\n", b"\r", b"\n", b"\0", b"z" * 200, b"y" * 9000]
        ),
        max_size=8,
    ),
    st.integers(1, 300),
)
def test_the_first_fault_of_a_chunked_body_is_the_same_however_it_arrives(parts: list[bytes], step: int) -> None:
    text = b"".join(parts)

    assert first_chunk_fault(text, step) == first_chunk_fault(text, max(1, len(text)))


@pytest.mark.parametrize("text", [b"1;" + b"x" * 300 + b"\r\n", b"0\r\nX: " + b"y" * 12_000 + b"\r\n\r\n", b"3e9\r\n"])
@pytest.mark.parametrize("step", [1, 20_000])
def test_the_lines_of_a_chunked_body_are_bounded(text: bytes, step: int) -> None:
    decoder = Chunked(LIMITS, Room(LIMITS.message_bytes))

    def feed() -> None:
        for start in range(0, len(text), step):
            decoder.take(text[start : start + step], 0)

    with pytest.raises(RefusalError):
        feed()
