"""Our reading of HTTP/1.1 against h11's, over requests that are generated, and then spoiled."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.producer.http_cases import Case, cases
from unit.producer.wire_oracle import Fate, Rule, disagreement, ours, rules, theirs

METHODS = [b"GET", b"POST", b"HEAD", b"OPTIONS", b"post", b"M-SEARCH", b"", b"GE T", b"P\xf6ST", b"CONNECT"]
TARGETS = [b"/", b"/topics/a/records?key=b", b"*", b"es:443", b"http://es/a?b", b"HTTPS://es", b"/a b", b"/#", b"/\x7f"]
VERSIONS = [
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"HTTP/01.1",
    b"RTSP/1.0",
    b"",
]
NAMES = [
    b"Content-Length",
    b"content-length",
    b"Content-Length ",
    b" Content-Length",
    b"Content_Length",
    b"X",
    b"",
    b"\xe9",
]
LENGTHS = [b"0", b"5", b"05", b"+5", b"-1", b"5,5", b"5, 6", b"0x5", b"5 5", b"", b"\xb25", b"9" * 19, b"9" * 30]
CODING_NAMES = [b"Transfer-Encoding", b"TRANSFER-ENCODING", b"Transfer-Encoding\t", b"Transfer\x00Encoding"]
CODINGS = [b"chunked", b"Chunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"identity", b"xchunked"]
CODINGS += [b"\x0bchunked", b"chunked;a=b", b'"chunked"', b"chunked,", b",chunked", b"chun\r\n ked"]
OTHERS = [b"Host: other\r\n", b"Connection: close\r\n", b"Connection: keep-alive, Close\r\n", b"Connection: closed\r\n"]
OTHERS += [
    b"Expect: 100-continue\r\n",
    b"Expect: x\r\n",
    b"Upgrade: h2c\r\n",
    b"X: \r\n",
    b"X:a\xff\r\n",
    b"X: a\x00\r\n",
]
OTHERS += [b"X: a\r\n b\r\n", b"X: a\rb\r\n", b"X: a\nY: b\r\n", b"X\r\n", b"X: y\r\n" * 3, b": x\r\n", b"\r\n"]
HOSTS = [b"Host: es\r\n", b"Host: [::1]:1\r\n", b"Host:\r\n", b"Host: a b\r\n", b"", b"Host: es\r\nHost: es\r\n"]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b" \r\n", b"\t\r\n", b"\x00\r\n", b""]
EXTENSIONS = [b"", b"", b"", b";a", b' ;a="b"', b";" + b"x" * 300, b" ", b";a\rb", b";\n", b"\t"]
TRAILERS = [
    b"",
    b"",
    b"X: y\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: x\r\n",
    b"X : y\r\n",
    b"X: y\r\n z\r\n",
    b"x\r\n",
]
NASTY = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\x00",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"\xff",
    b"\x0b",
    b"\r\n\r\n",
    b"0\r\n\r\n",
]


def mostly(good: bytes, *others: bytes) -> st.SearchStrategy[bytes]:
    """Mostly the good value: a stream with a fault in every part ends at its first."""
    return st.one_of(*[st.just(good)] * 6, st.sampled_from(others))


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    text = b""
    for piece in draw(st.lists(st.binary(min_size=1, max_size=20), max_size=3)):
        size = draw(mostly(b"%x" % len(piece), b"%X" % (len(piece) + 1), b"0x1", b"-1", b"000000001", b"", b"f" * 17))
        end, after = draw(mostly(b"\r\n", *ENDS)), draw(mostly(b"\r\n", *ENDS))
        text += size + draw(st.sampled_from(EXTENSIONS)) + end + piece + after
    return (
        text + draw(mostly(b"0", b"00", b"")) + draw(mostly(b"\r\n", *ENDS)) + draw(st.sampled_from(TRAILERS)) + b"\r\n"
    )


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    head = b" ".join(
        [draw(mostly(b"POST", *METHODS)), draw(mostly(b"/a", *TARGETS)), draw(mostly(b"HTTP/1.1", *VERSIONS))]
    )
    fields = [draw(mostly(b"Host: es\r\n", *HOSTS)), *draw(st.lists(st.sampled_from(OTHERS), max_size=2))]
    body = b""
    if draw(st.booleans()):
        body = draw(st.binary(max_size=20))
        length = draw(mostly(b"%d" % len(body), *LENGTHS))
        fields.append(draw(mostly(b"Content-Length", *NAMES)) + b":" + draw(mostly(b" ", b"", b"\t", b"\x0c")) + length)
        fields[-1] += draw(mostly(b"\r\n", *ENDS))
    if draw(st.integers(0, 2)) == 0:
        body = draw(chunked())
        fields.append(draw(mostly(b"Transfer-Encoding", *CODING_NAMES)) + b": " + draw(mostly(b"chunked", *CODINGS)))
        fields[-1] += draw(mostly(b"\r\n", *ENDS))
    fields = draw(st.permutations(fields))
    return head + draw(mostly(b"\r\n", *ENDS)) + b"".join(fields) + draw(mostly(b"\r\n", *ENDS)) + body


@st.composite
def spoiled(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> bytes:
    data = draw(streams)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 3))
        copied = draw(st.integers(0, len(data)))
        put = draw(st.one_of(st.sampled_from(NASTY), st.just(b""), st.just(data[copied : copied + 30])))
        data = data[:start] + put + data[end:]
    return data


def check(data: bytes, cuts: list[int]) -> None:
    whole = ours([data])
    fault = disagreement(whole, theirs(data))
    assert fault is None, f"{fault}: {data!r}"

    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    split = ours([data[start:end] for start, end in pairwise(places)], late=True)
    assert split == whole, "how the bytes are split changes what is seen"


cuts = st.lists(st.integers(0, 2000), max_size=8)


@given(st.lists(requests(), min_size=1, max_size=3).map(b"".join), cuts)
def test_generated_requests_are_read_as_h11_reads_them_or_refused_for_a_listed_reason(
    data: bytes, cuts: list[int]
) -> None:
    check(data, cuts)


@given(
    spoiled(
        st.one_of(
            st.lists(requests(), min_size=1, max_size=3).map(b"".join), st.sampled_from([c.data for c in cases()])
        )
    ),
    cuts,
)
def test_spoiled_requests_are_read_as_h11_reads_them_or_refused_for_a_listed_reason(
    data: bytes, cuts: list[int]
) -> None:
    check(data, cuts)


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_each_case_is_read_as_h11_reads_it_or_refused_for_a_listed_reason(case: Case) -> None:
    check(case.data, [3])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_each_listed_reason_has_a_request_that_one_takes_and_the_other_refuses(rule: Rule) -> None:
    us, them = ours([rule.send]), theirs(rule.send)
    refusing, taking = (us, them) if rule.by == "ours" else (them, us)

    assert rule.says.search(refusing.why)
    assert taking.fate is not Fate.REFUSED
