"""The routes in the OpenAPI document whose bodies are envelopes."""

from typing import Final

from eventstreams.producer.kafka_rest import FORMATS, KAFKA_ERROR, RETRIABLE_KAFKA_ERROR
from eventstreams.producer.limits import Limits
from eventstreams.producer.openapi_parts import Object, an_object, answer, array, closed, nullable, ref
from eventstreams.producer.record import LAST_TIMESTAMP_MS

BEFORE_THE_ROUTE: Final = {400, 408, 414, 417, 431, 501, 505}
"""Statuses of requests that are broken before their path is known: then in the contract's shape."""
TOO_LARGE_OR_NO_ENVELOPE: Final = {413, 422}
"""Statuses that only Kafka's REST proxies have."""

_TEXT: Final[Object] = {"type": "string"}
_BASE64: Final[Object] = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
_WHOLE: Final[Object] = {"type": "integer", "minimum": 0}
_EMBEDDED: Final[dict[str, Object]] = {
    "json": {"description": "Any JSON; stored compact, as its own text without the white space between tokens."},
    "binary": nullable(_BASE64),
    "text": nullable(_TEXT),
}


def paths(limits: Limits, statuses: dict[int, str]) -> Object:
    """Return the paths, with the answers for `statuses`."""
    return {
        "/topics/{topic}": {"parameters": [ref("parameters", "topic")], "post": _kafka_rest(limits, statuses)},
        "/v2/topics/{topic}/records": {"parameters": [ref("parameters", "topic")], "post": _cloud(limits, statuses)},
    }


def _kafka_rest(limits: Limits, statuses: dict[int, str]) -> Object:
    content = {}
    for name in FORMATS:
        kind = name.decode()
        embedded = _EMBEDDED[kind.split(".")[2]]
        content[kind] = {
            "schema": closed(["records"], records=array(_record(embedded), minItems=1, maxItems=limits.request_records))
        }
    content["application/vnd.kafka.json.v2+json"]["example"] = {
        "records": [{"key": "order-4711", "value": {"item": "lamp"}}, {"value": None}]
    }
    return {
        "operationId": "produceEnvelope",
        "tags": ["records"],
        "summary": "Store many records, as with Kafka's REST proxies",
        "description": "The convention of Confluent's REST Proxy, version 2, and of Strimzi's HTTP Bridge. All records "
        "are checked before any is sent; a null value is a tombstone. 200 tells of each record whether Kafka holds it. "
        f"At most {limits.request_bytes} bytes and {limits.request_records} records.",
        "security": [{"bearer": []}, {"basic": []}],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": answer("An offset or an error for each record, in order.", KAFKA=ref("schemas", "Offsets")),
            **{str(status): _kafka_refusal(status, text) for status, text in statuses.items()},
        },
    }


def _record(embedded: Object) -> Object:
    header = closed(["key", "value"], key=_TEXT | {"minLength": 1}, value=_BASE64)
    return closed(
        ["value"],
        key=embedded,
        value=embedded,
        partition=nullable(_WHOLE | {"maximum": 999_999_999}),
        headers=nullable(array(header)),
        timestamp=nullable({"type": "integer", "minimum": 1, "maximum": LAST_TIMESTAMP_MS}),
    )


def _kafka_refusal(status: int, text: str) -> Object:
    early = {"JSON": ref("schemas", "Error")} if status in BEFORE_THE_ROUTE else {}
    return answer(text, KAFKA=ref("schemas", "KafkaRestError"), **early)


def _cloud(limits: Limits, statuses: dict[int, str]) -> Object:
    text, binary = (closed(["type", "data"], type=_kind(name), data=data) for name, data in _TYPED.items())
    typed = {"oneOf": [text, binary, closed(["type", "data"], type=_kind("json"), data={})]}
    header = closed(["name", "value"], name=_TEXT | {"minLength": 1}, value=_BASE64)
    schema = closed(["value"], headers=nullable(array(header)), key=nullable(typed), value=typed)
    example = {"key": {"type": "text", "data": "order-4711"}, "value": {"type": "JSON", "data": {"item": "lamp"}}}
    return {
        "operationId": "produceTyped",
        "tags": ["records"],
        "summary": "Store one record whose key and value name their types",
        "description": "Version 2 of the cloud's API: the types are `text`, `binary` (base64) and `JSON`, in any case "
        f"of letters. At most {limits.request_bytes} bytes.",
        "security": [{"bearer": []}],
        "parameters": [
            {
                "name": "serializer",
                "in": "query",
                "description": "Answered 400: there is no schema registry.",
                "schema": _TEXT,
                "deprecated": True,
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {
            "200": answer("Kafka holds the record.", JSON=ref("schemas", "Produced")),
            **{
                str(status): _cloud_refusal(status, text)
                for status, text in statuses.items()
                if status not in TOO_LARGE_OR_NO_ENVELOPE
            },
        },
    }


_TYPED: Final = {"text": _TEXT, "binary": _BASE64}


def _kind(name: str) -> Object:
    return {"type": "string", "pattern": f"^(?:{''.join(f'[{one}{one.upper()}]' for one in name)})$"}


def _cloud_refusal(status: int, text: str) -> Object:
    early = [ref("schemas", "Error")] if status in BEFORE_THE_ROUTE else []
    return answer(text, JSON={"anyOf": [ref("schemas", "CloudError"), *early]})


def schemas() -> Object:
    """Return the schemas of the answers."""
    code = {
        "type": "integer",
        "description": f"{RETRIABLE_KAFKA_ERROR}: send it again; {KAFKA_ERROR}: do not; 40401: no such topic.",
    }
    offset = an_object(
        ["partition", "offset", "error_code", "error"],
        partition=nullable(_WHOLE),
        offset=nullable(_WHOLE),
        error_code=nullable(code),
        error=nullable(_TEXT),
    )
    target = an_object(["type", "name"], type=_TEXT, name=_TEXT)
    trace = _TEXT | {"description": "The request's id, which the producer's log has too."}
    error = an_object(["code", "message", "more_info"], code=_TEXT, message=_TEXT, more_info=_TEXT, target=target)
    return {
        "Offsets": an_object(
            ["offsets", "key_schema_id", "value_schema_id"],
            offsets=array(offset),
            key_schema_id={"type": "null"},
            value_schema_id={"type": "null"},
        ),
        "KafkaRestError": an_object(["error_code", "message"], error_code={"type": "integer"}, message=_TEXT),
        "CloudError": an_object(["trace", "error"], trace=trace, error=error),
    }
