"""The API as an OpenAPI 3.1 document. Pure: limits in, a document out.

Tests hold it against the code: every content type, query parameter and status that the code knows is here, and the
running process answers as it says.
"""

from typing import Final

from eventstreams.core.version import VERSION
from eventstreams.producer import openapi_envelopes
from eventstreams.producer.limits import Limits
from eventstreams.producer.openapi_parts import Object, an_object, answer, array, ref
from eventstreams.producer.record import LAST_TIMESTAMP_MS
from eventstreams.producer.request import TOPIC_NAME

STATUSES: Final = {
    400: "The request, its body or its key is wrong or too large. Not stored: correct it.",
    401: "No API key, or one that is unknown, revoked or expired. Not stored.",
    403: "The API key has no right to the topic. Not stored: add the topic to the ServiceID.",
    404: "The topic, the schema or the path does not exist. Not stored: create the topic.",
    405: "Another method is used here.",
    408: "Kafka did not confirm in time: the record may or may not be stored; or the request did not arrive in time. "
    "The message says which.",
    411: "No data, or no length where one is due. Not stored: send a body with its length.",
    413: "The body, a key, a value or the headers of a record are too large, or its records too many. Not stored.",
    414: "The URI is too long. Not stored.",
    415: "The Content-Type is missing, unknown or a form's, or the body has a Content-Encoding. Not stored.",
    417: "The only expectation understood is `100-continue`. Not stored.",
    422: "The body is no envelope of records, or one of them is wrong; the message says which. None is stored.",
    429: "More than the limits of the ServiceID allow. Not stored: send it again after `Retry-After` seconds.",
    431: "The head of the request is too large. Not stored.",
    500: "With `results`: some of the records are stored, some are not. Without: a bug in the producer, the record may "
    "or may not be stored; report it with its incident.",
    501: "The only transfer coding understood is `chunked`. Not stored.",
    503: "Kafka is away or refuses, or too many records wait for it. Not stored: send it again after `Retry-After` "
    "seconds.",
    505: "Only HTTP/1.1 and HTTP/1.0 are spoken. Not stored.",
}

PLAIN_STATUSES: Final = tuple(status for status in STATUSES if status not in openapi_envelopes.TOO_LARGE_OR_NO_ENVELOPE)
"""Those of the routes that are not of Kafka's REST proxies."""

_SIZED: Final = "Any bytes, with a `Content-Length`, against truncation."
_LINES: Final = "Lines of JSON: each line that is not empty becomes one record, as it was sent, its line end left out."
_JSON: Final = "JSON (RFC 8259) in UTF-8: checked, then stored as it was sent."
_TEXT: Final[Object] = {"type": "string", "minLength": 1}

CONTENT_TYPES: Final[dict[str, Object]] = {
    "text/plain": {"schema": _TEXT | {"description": _SIZED}, "example": "test message"},
    "application/octet-stream": {"schema": {"description": _SIZED}},
    "application/json": {"schema": {"description": _JSON}, "example": {"order": 4711, "item": "lamp"}},
    "application/x-ndjson": {
        "schema": _TEXT | {"description": _LINES},
        "example": '{"order": 4711}\n{"order": 4712}\n',
    },
    "text/xml": {"schema": _TEXT | {"description": "Any bytes."}},
    "application/xml": {"schema": _TEXT | {"description": "Any bytes."}},
    "application/vnd.ibm-event-streams.text.v1": {"schema": _TEXT | {"description": _SIZED}},
    "application/vnd.ibm-event-streams.binary.v1": {"schema": {"description": _SIZED}},
    "application/vnd.ibm-event-streams.json.v1": {"schema": {"description": _JSON}},
}
"""Content types of records as they are. The `vnd.` types need no `application/`, which OpenAPI cannot say."""

_KEYS: Final[list[Object]] = [{"bearer": []}, {"basic": []}]
_FURTHER_HEADERS: Final[dict[int, Object]] = {
    401: {"WWW-Authenticate": "How to authenticate."},
    405: {"Allow": "The methods that are used here."},
    429: {"Retry-After": "Seconds to wait before the request is sent again."},
    503: {"Retry-After": "Seconds to wait before the request is sent again."},
}

ABOUT: Final = """\
Stores records in Kafka. 200 means that Kafka holds the record on all replicas in sync. The body is stored unchanged.
No repeated request is recognised as such: what is sent twice is stored twice."""


def document(limits: Limits) -> Object:
    """Return the OpenAPI document of a process with these limits."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Event Streams REST producer", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "."}],
        "tags": [
            {"name": "records", "description": "Records into Kafka."},
            {"name": "process", "description": "How the process is, and what it can do. Without an API key."},
        ],
        "paths": {
            "/topics/{topic}/records": {"parameters": [ref("parameters", "topic")], "post": _produce(limits)},
            **openapi_envelopes.paths(limits, STATUSES),
            "/alive": {"get": _health("alive", "Alive", {200: "It lives.", 500: "A part of it hangs."})},
            "/ready": {"get": _health("ready", "Ready", {200: "Send requests.", 503: "It lacks what `lacks` says."})},
            "/openapi.json": {"get": _this_document()},
        },
        "components": {
            "securitySchemes": _security_schemes(),
            "parameters": {"topic": _topic()},
            "schemas": _schemas(),
            "responses": {str(status): _refusal(status) for status in PLAIN_STATUSES},
            "headers": {"ETag": {"description": "Names this version of the document.", "schema": {"type": "string"}}},
        },
        "x-limits": {
            "key_bytes": limits.key_bytes,
            "message_bytes": limits.message_bytes,
            "request_bytes": limits.request_bytes,
            "request_records": limits.request_records,
            "uri_bytes": limits.uri_bytes,
            "head_bytes": limits.head_bytes,
            "head_fields": limits.head_fields,
            "request_seconds": limits.request_seconds,
        },
    }


def _json(schema: str, description: str) -> Object:
    return answer(description, JSON=ref("schemas", schema))


def _produce(limits: Limits) -> Object:
    return {
        "operationId": "produce",
        "tags": ["records"],
        "summary": "Store one record, or one a line",
        "description": f"The body becomes the record's value: at most {limits.message_bytes} bytes. Of lines of JSON "
        "each becomes a record, all with the key, headers, partition and timestamp of the query: at most "
        f"{limits.request_bytes} bytes and {limits.request_records} records. All are checked before any is sent, and "
        "200 means that Kafka holds them all.",
        "security": _KEYS,
        "parameters": _query(limits),
        "requestBody": {"required": True, "content": CONTENT_TYPES},
        "responses": {
            "200": answer("Kafka holds the record.", JSON={"anyOf": [ref("schemas", "Produced"), _results()]}),
            **_refusals(*PLAIN_STATUSES),
        },
    }


def _results() -> Object:
    return an_object(["results"], results=array(ref("schemas", "Produced")))


def _query(limits: Limits) -> list[Object]:
    """Return the query parameters of a single record."""
    string = {"type": "string"}
    key = f"The record's key: records with one key stay in order in one partition. At most {limits.key_bytes} bytes."
    pairs = r"^(?:[^:,\x00]+:(?:[0-9A-Fa-f]{2})*(?:,[^:,\x00]+:(?:[0-9A-Fa-f]{2})*)*)?$"
    return [
        _parameter("key", key, string, "order-4711"),
        _parameter(
            "keyType",
            "With `binary`, `key` is hexadecimal.",
            {"type": "string", "enum": ["text", "binary"], "default": "text"},
        ),
        _parameter(
            "headers",
            "Record headers: `name:value,name:value`, each value hexadecimal.",
            {"type": "string", "pattern": pairs},
            "colour:726463,size:666f726d696461626c65",
        ),
        _parameter(
            "partition",
            "The partition, the first being 0. Without it, the partition follows from the key, or is any.",
            {"type": "integer", "minimum": 0, "maximum": 2_147_483_647},
        ),
        _parameter(
            "timestamp",
            "The record's time: milliseconds since 1970, or RFC 3339. Without it, now.",
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1, "maximum": LAST_TIMESTAMP_MS},
                    {"type": "string", "format": "date-time"},
                ]
            },
            "2026-11-23T08:53:20.045Z",
        ),
        _parameter("schemaname", "Answered 404: there is no schema registry.", string | {"deprecated": True}),
    ]


def _parameter(name: str, description: str, schema: Object, example: str | None = None) -> Object:
    parameter = {"name": name, "in": "query", "description": description, "schema": schema}
    return parameter if example is None else parameter | {"example": example}


def _topic() -> Object:
    return {
        "name": "topic",
        "in": "path",
        "required": True,
        "description": "Name of the topic. Names that begin with `__` are Kafka's own.",
        "schema": {"type": "string", "pattern": f"^{TOPIC_NAME.pattern}$"},
        "example": "orders",
    }


def _refusals(*statuses: int) -> Object:
    return {str(status): ref("responses", str(status)) for status in sorted(statuses)}


def _refusal(status: int) -> Object:
    refusal = _json("Error", STATUSES[status])
    headers = _FURTHER_HEADERS.get(status)
    if headers is None:
        return refusal
    shown = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    return refusal | {"headers": shown}


def _health(path: str, schema: str, answers: dict[int, str]) -> Object:
    return {
        "operationId": path,
        "tags": ["process"],
        "summary": f"Whether the process is {path}",
        "security": [],
        "responses": {
            **{str(status): _json(schema, text) for status, text in answers.items()},
            **_refusals(405),
        },
    }


def _this_document() -> Object:
    held = {"description": "The document that `If-None-Match` names is still current.", "headers": _etag()}
    got = {
        "description": "This document.",
        "headers": _etag(),
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    return {
        "operationId": "openapi",
        "tags": ["process"],
        "summary": "This document",
        "security": [],
        "responses": {"200": got, "304": held, **_refusals(405)},
    }


def _etag() -> Object:
    return {"ETag": ref("headers", "ETag")}


def _security_schemes() -> Object:
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The API key of a ServiceID: `api-key` in its Secret.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "User `token`, or the key's own user name; the password is the API key.",
        },
    }


def _schemas() -> Object:
    whole, text = {"type": "integer", "minimum": 0}, {"type": "string"}
    stamp = text | {
        "format": "date-time",
        "description": "The record's, in UTC.",
        "examples": ["2026-11-23T08:53:20.045Z"],
    }
    status = {"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."}
    metadata = an_object(
        ["topic", "timestamp", "partition", "offset"], topic=text, timestamp=stamp, partition=whole, offset=whole
    )
    detail = an_object(
        ["error_code", "message", "incident"],
        error_code=status,
        message=text,
        incident=text | {"description": "The request's id, which the producer's log has too."},
        kafka_error_code={"type": "integer", "description": "There when Kafka refused."},
        topic=text,
    )
    lost = an_object(["error_code", "message"], error_code=status, message=text)
    comment = text | {"description": "A hint; without meaning to programs."}
    return {
        "Produced": an_object(["metadata"], metadata=metadata, Comment=comment),
        "Error": an_object(
            ["error_code", "message", "error"],
            error_code=status,
            message=text,
            error=detail,
            results=array({"anyOf": [ref("schemas", "Produced"), an_object(["error"], error=lost)]}),
        ),
        **openapi_envelopes.schemas(),
        "Alive": an_object(["alive"], alive={"type": "boolean"}),
        "Ready": an_object(["ready", "lacks"], ready={"type": "boolean"}, lacks={"type": "array", "items": text}),
    }
