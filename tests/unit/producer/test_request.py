"""The contract's rules for path, key, query, content type and JSON."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.allowance import Account
from eventstreams.producer.answers import RefusalError
from eventstreams.producer.credentials import Credentials, credentials
from eventstreams.producer.framing import Head
from eventstreams.producer.json_text import check_json
from eventstreams.producer.keys import Grant
from eventstreams.producer.limits import Limits
from eventstreams.producer.record import ANY_PARTITION, LAST_TIMESTAMP_MS
from eventstreams.producer.request import BatchOrder, Order, order
from eventstreams.producer.routes import ROUTES, Route, find

LIMITS = Limits()
RECORDS, KAFKA_REST, CLOUD_V2 = ROUTES
GRANT = Grant("0" * 64, "key-id", frozenset(), frozenset({"orders"}), (), 0.0, Account())


def head(query: str = "", content_type: str = "text/plain", **fields: str) -> Head:
    named = {"content-type": content_type} | {name.replace("_", "-"): value for name, value in fields.items()}
    target = f"/topics/orders/records{'?' if query else ''}{query}".encode()
    raw = {name.encode(): value.encode() for name, value in named.items()}
    return Head(b"POST", target, raw, 5, chunked=False, keep_alive=True, expects_continue=False)


def ordered(query: str = "", **fields: str) -> Order | BatchOrder:
    return order(head(query, **fields), "orders", GRANT, LIMITS)


def refused(query: str = "", **fields: str) -> int:
    with pytest.raises(RefusalError) as refusal:
        ordered(query, **fields)
    return refusal.value.status


@pytest.mark.parametrize(
    ("target", "route", "topic"),
    [
        ("/topics/a/records", RECORDS, "a"),
        ("/topics/a.B_c-1/records?key=x", RECORDS, "a.B_c-1"),
        ("/topics/%61/records", RECORDS, "a"),
        ("/topics/a", KAFKA_REST, "a"),
        ("/topics/%61?async=true", KAFKA_REST, "a"),
        ("/topics/records", KAFKA_REST, "records"),
        ("/v2/topics/a/records", CLOUD_V2, "a"),
    ],
)
def test_the_path_names_the_topic_and_the_convention(target: str, route: Route, topic: str) -> None:
    asked = head()
    asked.target = target.encode()

    assert find(asked) == (route, topic)


@pytest.mark.parametrize(
    "target",
    [
        "/topics//records",
        "/topics",
        "/topics/",
        "/topics/a/",
        "/topics/a/records/",
        "/Topics/a/records",
        "/v2/topics/a",
    ],
)
def test_other_paths_take_no_records(target: str) -> None:
    asked = head()
    asked.target = target.encode()

    assert find(asked) is None


@pytest.mark.parametrize("topic", ["a/b", "..", ".", "a b", "é", "x" * 250, "a\n", "%zz"])
def test_what_can_be_no_topics_name_is_404(topic: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        order(head(), topic, GRANT, LIMITS)

    assert refusal.value.status == 404


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bearer abc", Credentials(b"abc", None)),
        ("bEARER   abc ", Credentials(b"abc", None)),
        ("Basic " + base64.b64encode(b"token:abc").decode(), Credentials(b"abc", b"token")),
        ("Basic " + base64.b64encode(b"es.o.k:a:c").decode(), Credentials(b"a:c", b"es.o.k")),
    ],
)
def test_a_key_comes_as_bearer_or_as_the_password_of_basic(value: str, expected: Credentials) -> None:
    assert credentials(head(authorization=value)) == expected


@pytest.mark.parametrize("value", ["abc", "Basic ???", "Basic YQ", "Digest abc", ""])
def test_what_is_no_key_is_401_with_a_challenge(value: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        credentials(head(authorization=value))

    assert refusal.value.status == 401
    assert "WWW-Authenticate" in refusal.value.headers


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("", None),
        ("key=", b""),
        ("key", b""),
        ("key=k1", b"k1"),
        ("key=a+b", b"a b"),
        ("key=a%2Bb%26", b"a+b&"),
        ("key=%ff", b"\xff"),
        ("key=6f6b&keyType=binary", b"ok"),
        ("keyType=text&key=6f6b", b"6f6b"),
        ("key=&keyType=binary", b""),
        ("KEY=x&other=y&other=z", None),
        ("key=" + "%41" * 3000, b"A" * 3000),
    ],
)
def test_the_key_is_what_the_query_says(query: str, key: bytes | None) -> None:
    assert ordered(query).key == key


@pytest.mark.parametrize(
    "query",
    [
        "key=%",
        "key=%4",
        "key=%zz",
        "key=a&key=b",
        "key=abc&keyType=binary",
        "key=xy&keyType=binary",
        "key=a&keyType=Text",
        "keyType=",
        "key=" + "a" * 4097,
        "key=" + "61" * 4097 + "&keyType=binary",
    ],
)
def test_a_key_that_is_not_well_formed_is_400(query: str) -> None:
    assert refused(query) == 400


def test_the_limit_of_the_key_counts_decoded_bytes() -> None:
    assert len(ordered("key=" + "%41" * 3000 + "a" * 1096).key or b"") == 4096


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("colour:726463,size:666f726d696461626c65", [("colour", b"rdc"), ("size", b"formidable")]),
        ("a:01,b:02,a:03", [("a", b"\1"), ("b", b"\2"), ("a", b"\3")]),
        ("a:", [("a", b"")]),
        ("a:0A0b", [("a", b"\n\x0b")]),
        ("a+b:01", [("a b", b"\1")]),
        ("a%3Ab%2Cc:01", [("a:b,c", b"\1")]),
        ("%C3%A9:01", [("é", b"\1")]),
        ("colour%3A726463%2Csize%3A66", [("colour", b"rdc"), ("size", b"f")]),
        ("", None),
    ],
)
def test_headers_are_names_with_hexadecimal_values(headers: str, expected: object) -> None:
    assert ordered(f"headers={headers}").headers == expected


@pytest.mark.parametrize(
    "headers", ["a", ":01", "a:0", "a:xy", "a:01,", ",a:01", "a:01:02", "%ff:01", "a:%zz", "a%00b:01", "%00:01"]
)
def test_headers_that_are_not_well_formed_are_400(headers: str) -> None:
    assert refused(f"headers={headers}") == 400


NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name.isprintable())


@given(st.lists(st.tuples(NAMES, st.binary(max_size=20)), min_size=1, max_size=5))
def test_headers_written_by_the_rules_are_read_back(headers: list[tuple[str, bytes]]) -> None:
    text = ",".join(f"{quote(name, safe='')}:{value.hex()}" for name, value in headers)

    assert ordered(f"headers={text}").headers == headers


@given(st.binary(max_size=200))
def test_a_key_written_by_any_form_encoder_is_read_back(key: bytes) -> None:
    assert ordered(urlencode({"key": key})).key == key
    assert ordered(f"key={quote(key, safe='')}").key == key
    assert ordered(f"key={quote_plus(key)}").key == key
    assert ordered(f"keyType=binary&key={key.hex()}").key == key


@pytest.mark.parametrize(("query", "partition"), [("", ANY_PARTITION), ("partition=0", 0), ("partition=%31%32", 12)])
def test_the_partition_is_what_the_query_says(query: str, partition: int) -> None:
    assert ordered(query).partition == partition


@pytest.mark.parametrize("value", ["", "-1", "1.0", "x", "0x1", "%C2%B2", "1" * 19, "0&partition=0"])
def test_a_partition_that_is_no_number_is_400(value: str) -> None:
    assert refused(f"partition={value}") == 400


@pytest.mark.parametrize(
    ("value", "moment_ms"),
    [
        ("1", 1),
        ("1795424000045", 1_795_424_000_045),
        ("2026-11-23T08:53:20.045Z", 1_795_424_000_045),
        ("2026-11-23t08:53:20.0459z", 1_795_424_000_045),
        ("2026-11-23T09:53:20%2B01:00", 1_795_424_000_000),
        ("9999-12-31T23:59:59.999Z", LAST_TIMESTAMP_MS),
    ],
)
def test_the_timestamp_is_milliseconds_since_1970_or_rfc_3339(value: str, moment_ms: int) -> None:
    assert ordered(f"timestamp={value}").timestamp_ms == moment_ms


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "-1",
        "1.5",
        "253402300800000",
        "9" * 19,
        "1969-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T08:53:20",
        "2026-11-23",
        "2026-11-23T09:53:20+01:00",
        "2026-11-23T09:53:20%2B10:75",
        "now",
        "%ff",
        "1&timestamp=1",
    ],
)
def test_a_timestamp_that_is_no_moment_since_1970_is_400(value: str) -> None:
    assert refused(f"timestamp={value}") == 400


MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.timezones())  # noqa: DTZ001  with zones


@given(MOMENTS.filter(lambda moment: not (moment.utcoffset() or timedelta()) % timedelta(minutes=1)))
def test_a_moment_is_the_same_in_both_ways_of_writing(moment: datetime) -> None:
    millis = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert ordered(urlencode({"timestamp": moment.isoformat()})).timestamp_ms == millis
    assert ordered(f"timestamp={millis}").timestamp_ms == millis


def test_a_schema_is_404_because_there_is_no_registry() -> None:
    assert refused("schemaname=a&schemaversion=1") == 404


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("text/plain", False),
        ("Text/Plain; charset=latin-1", False),
        ("application/octet-stream", False),
        ("text/xml", False),
        ("application/xml;charset=utf-8", False),
        ("application/json", True),
        ("application/json;charset=UTF-8", True),
        ("vnd.ibm-event-streams.text.v1", False),
        ("vnd.ibm-event-streams.binary.v1", False),
        ("application/vnd.ibm-event-streams.binary.v1", False),
        ("application/vnd.ibm-event-streams.json.v1", True),
    ],
)
def test_each_content_type_of_the_contract_is_taken(content_type: str, *, is_json: bool) -> None:
    asked = ordered(content_type=content_type)

    assert isinstance(asked, Order)
    assert asked.is_json is is_json


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text",
        "text/html",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "text/plain, a/b",
        "text/plain; a=b, application/json",
        'text/plain; a="b,c", application/json',
        r'text/plain; a="\"", application/json; b="x"',
    ],
)
def test_other_content_types_are_415_with_the_cure(content_type: str) -> None:
    with pytest.raises(RefusalError, match="-H 'Content-Type: text/plain'") as refusal:
        ordered(content_type=content_type)

    assert refusal.value.status == 415


@pytest.mark.parametrize(
    "body",
    [b"{}", b' {"a": [1, 2.5e3, "\\u00e9", null]}\n', b'"x"', b"1", b"true", "é".join('""').encode(), b"9" * 5000],
)
def test_json_is_taken_as_it_is(body: bytes) -> None:
    check_json(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{x", "at character 1"),
        (b"{} {}", "Extra data"),
        (b"{'a': 1}", "double quotes"),
        (b"[1,]", "at character"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b"\xef\xbb\xbf{}", "at character 0"),
        (b"[NaN]", "NaN"),
        (b"-Infinity", "Infinity"),
        (b'"\t"', "control character"),
        (b"[" * 60_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_400_and_says_where(body: bytes, says: str) -> None:
    with pytest.raises(RefusalError, match=says) as refusal:
        check_json(body)

    assert refusal.value.status == 400


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_any_json_that_is_written_is_taken(value: object) -> None:
    check_json(json.dumps(value).encode())
    check_json(json.dumps(value, ensure_ascii=False).encode())
