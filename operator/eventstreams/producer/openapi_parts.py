"""The parts that an OpenAPI document is put together from."""

from typing import Any

Object = dict[str, Any]


def ref(kind: str, name: str) -> Object:
    """Return a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def an_object(required: list[str], **properties: Object) -> Object:
    """Return the schema of an object with these members, and further ones."""
    return {"type": "object", "required": required, "properties": properties}


def closed(required: list[str], **properties: Object) -> Object:
    """Return the schema of an object with these members and no others."""
    return an_object(required, **properties) | {"additionalProperties": False}


def array(items: Object, **further: int) -> Object:
    """Return the schema of an array."""
    return {"type": "array", "items": items, **further}


def nullable(schema: Object) -> Object:
    """Return a schema that takes null too."""
    return {"anyOf": [schema, {"type": "null"}]}


def answer(description: str, **schemas: Object) -> Object:
    """Return an answer, with its schema by content type, written as an identifier: JSON or KAFKA."""
    names = {"JSON": "application/json", "KAFKA": "application/vnd.kafka.v2+json"}
    return {
        "description": description,
        "content": {names[kind]: {"schema": schema} for kind, schema in schemas.items()},
    }
