"""Reading JSON without writing it anew: what is cut out means what was sent, to the last digit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.json_text import Reader, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
SPACE = st.text(" \t\r\n", max_size=3)


def written(body: bytes) -> bytes:
    return read_json(body, lambda reader: reader.written()[1])


@given(VALUES, st.booleans(), st.integers(0, 3), SPACE)
def test_what_is_cut_out_means_the_same_and_has_no_space_between_its_tokens(
    value: object, ascii_only: bool, indent: int, space: str
) -> None:
    text = space + json.dumps(value, ensure_ascii=ascii_only, indent=indent) + space
    compact = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))

    assert written(text.encode()) == compact.encode()


@pytest.mark.parametrize(
    "text",
    [
        "1.10",
        "-0",
        "1E400",
        "123456789012345678901234567890.0123456789",
        "9" * 5000,
        '"\\ud800"',
        '"\\u00e9\\/"',
        '"\\\\"',
    ],
)
def test_numbers_and_escapes_stay_as_they_were_written(text: str) -> None:
    assert written(f'[ {text} , "a b" ]'.encode()) == f'[{text},"a b"]'.encode()


def walk(reader: Reader) -> object:
    """Read a value member by member and element by element, with numbers as their text."""
    if reader.is_object:
        return {name: walk(reader) for name in reader.members()}
    if reader.is_array:
        return [walk(reader) for _ in reader.elements()]
    return reader.value()


@given(VALUES, st.integers(0, 3))
def test_walking_through_a_text_finds_what_the_standard_librarys_parser_finds(value: object, indent: int) -> None:
    text = json.dumps(value, indent=indent).encode()

    assert read_json(text, walk) == json.loads(text, parse_int=str, parse_float=str)


@given(st.text('{}[]:,"1a \\', max_size=12))
def test_walking_takes_exactly_what_the_standard_librarys_parser_takes(text: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        with pytest.raises(RefusalError):
            read_json(text.encode(), walk)
    else:
        read_json(text.encode(), walk)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "at character 0"),
        (b'{"a" 1}', "Expecting : at character 5"),
        (b'{"a": 1 "b"}', "Expecting , or } at character 8"),
        (b"[1 2]", "Expecting , or ] at character 3"),
        (b"[1] 2", "Expecting the end at character 4"),
        (b'{"a": NaN}', "NaN"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_refused_where_it_is_wrong(body: bytes, says: str) -> None:
    def top(reader: Reader) -> None:
        if reader.is_object:
            for _ in reader.members():
                reader.value()
        elif reader.is_array:
            for _ in reader.elements():
                reader.value()
        else:
            reader.value()

    with pytest.raises(RefusalError, match=says) as refusal:
        read_json(body, top)

    assert refusal.value.status == 400
