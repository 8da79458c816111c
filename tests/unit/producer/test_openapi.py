"""The OpenAPI document is valid, and says what the code knows: nothing less, nothing else."""

import ast
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from eventstreams.producer import request, routes
from eventstreams.producer.answers import RefusalError
from eventstreams.producer.api_pages import pages
from eventstreams.producer.cloud_v2 import CloudV2
from eventstreams.producer.delivery import _NOT_STORED
from eventstreams.producer.formats import Format
from eventstreams.producer.framing import Head
from eventstreams.producer.kafka_rest import FORMATS
from eventstreams.producer.limits import Limits
from eventstreams.producer.ndjson import NDJSON
from eventstreams.producer.openapi import PLAIN_STATUSES, STATUSES, document
from unit.producer.rig import LIMITS, Rig

ROOT = Path(__file__).parents[3]
CODE = tuple((ROOT / "operator/eventstreams/producer").glob("*.py"))
DOCUMENT = document(Limits())
PATHS = DOCUMENT["paths"]
PRODUCE = PATHS["/topics/{topic}/records"]["post"]


def calls(*names: str) -> Iterator[ast.Call]:
    """Yield the producer's calls of functions that are named so."""
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
                yield node


def refusals() -> set[int]:
    """Return every status that the code refuses with."""
    arguments = (argument for call in calls("RefusalError", "LaterError", "bad") for argument in ast.walk(call))
    literals = {node.value for node in arguments if isinstance(node, ast.Constant) and isinstance(node.value, int)}
    formats: list[Format] = [*FORMATS.values(), CloudV2(), NDJSON()]
    too_large = {form.too_large for form in formats}
    return (
        {400, 401, 503}
        | too_large
        | {status for status, _ in _NOT_STORED.values()}
        | {one for one in literals if one >= 400}
    )


def test_the_document_is_valid_openapi_3_1() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_the_document_has_every_content_type_of_a_record() -> None:
    known = {name.decode() for name in request._RULES_BY_TYPE}

    shown = set(PRODUCE["requestBody"]["content"])

    assert {name if "/" in name else f"application/{name}" for name in known} == shown


def test_the_document_has_every_query_parameter_of_a_record() -> None:
    code = (ROOT / "operator/eventstreams/producer/request.py").read_text(encoding="utf-8")
    read = set(re.findall(r'parameters(?:\.get\(|\[)b"(\w+)"', code)) | set(re.findall(r'b"(\w+)" in parameters', code))

    assert {parameter["name"] for parameter in PRODUCE["parameters"]} == read


def test_the_document_has_every_status_that_the_code_refuses_with() -> None:
    assert refusals() == set(STATUSES)
    assert set(PRODUCE["responses"]) == {"200", *map(str, PLAIN_STATUSES)}
    assert set(PATHS["/topics/{topic}"]["post"]["responses"]) == {"200", *map(str, STATUSES)}
    assert set(PATHS["/v2/topics/{topic}/records"]["post"]["responses"]) == {"200", *map(str, PLAIN_STATUSES)}


def test_the_document_has_every_path_that_takes_records_with_its_content_types() -> None:
    asked = {path: item["post"]["requestBody"]["content"] for path, item in PATHS.items() if "post" in item}

    for path in asked:
        target = path.replace("{topic}", "orders").encode()
        assert routes.find(Head(b"POST", target, {}, 1, chunked=False, keep_alive=True, expects_continue=False))
    assert len(asked) == len(routes.ROUTES)
    assert set(asked["/topics/{topic}"]) == {name.decode() for name in FORMATS}
    assert set(asked["/v2/topics/{topic}/records"]) == {"application/json"}


def test_the_reference_has_the_documents_statuses() -> None:
    page = (ROOT / "docs/reference/rest-api.md").read_text(encoding="utf-8")
    rows = page.partition("| Status | Means |")[2].partition("\n\n")[0].splitlines()[2:]

    assert {int(code) for row in rows for code in re.findall(r"\d{3}", row.split("|")[1])} == set(STATUSES)


def test_the_reference_has_every_error_code_of_the_clouds_version_2() -> None:
    page = (ROOT / "docs/reference/rest-api.md").read_text(encoding="utf-8")
    listed = page.partition("part is at fault. Codes: ")[2].partition(".")[0]

    used = {CloudV2().error(RefusalError(status, "a test"), "")["error"]["code"] for status in STATUSES}
    assert set(re.findall(r"`(\w+)`", listed)) >= used


def test_the_document_has_every_path_that_is_answered_without_a_key() -> None:
    rig = Rig()

    documented = {path for path, item in DOCUMENT["paths"].items() if "get" in item}

    assert documented | {"/"} == {path.decode() for path in rig.endpoint._pages}


def test_the_document_has_the_limits_of_the_process() -> None:
    limits = Limits(key_bytes=17, message_bytes=23, request_bytes=29, request_records=31)

    shown = document(limits)

    assert (
        shown["x-limits"].items()
        >= {
            "key_bytes": 17,
            "message_bytes": 23,
            "request_bytes": 29,
            "request_records": 31,
        }.items()
    )
    text = json.dumps(shown["paths"])
    assert "17 bytes" in text
    assert "23 bytes" in text
    assert "29 bytes and 31 records" in text


@pytest.mark.parametrize("path", ["/openapi.json", "/"])
def test_a_fixed_page_is_read_without_a_key_and_again_only_when_it_has_changed(path: str) -> None:
    rig = Rig()
    rig.process.missing = ["Kafka"]

    first = get(rig, path)
    tag = re.search(rb"\r\nETag: (\S+)\r\n", first)
    assert tag is not None
    again, other = get(rig, path, f"If-None-Match: {tag[1].decode()}"), get(rig, path, 'If-None-Match: "x", W/"y"')

    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert other == first
    head, _, body = again.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert tag[0].rstrip() in head
    assert b"Content-Length" not in head
    assert body == b""


def test_the_served_document_is_the_document() -> None:
    assert parsed(get(Rig(), "/openapi.json")) == document(LIMITS)


def get(rig: Rig, path: str, *fields: str) -> bytes:
    wire = rig.talk(["\r\n".join([f"GET {path} HTTP/1.1", "Host: es", *fields, "", ""]).encode()])
    return bytes(wire.written)


def parsed(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_the_page_runs_its_own_script_and_style_and_nothing_else() -> None:
    head, _, body = get(Rig(), "/").partition(b"\r\n\r\n")
    policy = re.search(rb"\r\nContent-Security-Policy: (.+)\r\n", head)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].decode().split("; "))

    for kind in ("script", "style"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>".encode(), body, re.DOTALL)
        assert rules[f"{kind}-src"] == f"'sha256-{b64encode(sha256(text).digest()).decode()}'"
    assert (
        rules.items()
        >= {
            "default-src": "'none'",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }.items()
    )
    assert not re.search(rb"""\s(?:style|on\w+)=|(?:src|href)=["'](?!data:|openapi\.json|\#)""", body)


def test_the_page_is_served_unless_it_is_switched_off() -> None:
    assert set(pages(LIMITS)) == {b"/", b"/openapi.json"}
    assert set(pages(LIMITS, has_page=False)) == {b"/openapi.json"}
