"""Turn a kind's models into its CustomResourceDefinition.

Pydantic writes JSON Schema; the API server takes a structural subset of it. What differs is handled here and nowhere
else: references are inlined, "or null" is an absent field, titles go, a default is only what its author set.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from eventstreams.api.model import Column, Kind, rules
from eventstreams.core.names import GROUP, VERSION

Schema = dict[str, Any]

CATEGORY: Final = "eventstreams"
_NEW_STATUS: Final = {"observedGeneration": -1}  # so that kstatus does not take a new object for a settled one
_NOT_STRUCTURAL: Final = ("title", "propertyNames")
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"


class _WithoutNull(GenerateJsonSchema):
    """JSON Schema where "or null" means that the field may be absent, and an object's default holds what was set."""

    @override
    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        if described.get("default") in (None, []):
            described.pop("default", None)
        return described

    @override
    def encode_default(self, dft: Any) -> Any:
        """Leave out what nested defaults fill in: they are applied one after the other, from the outside in."""
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return super().encode_default(dft)


def schema_of(model: type[BaseModel]) -> Schema:
    """Return the structural schema of `model`."""
    described = model.model_json_schema(by_alias=True, schema_generator=_WithoutNull)
    return _structural(described, described.get("$defs", {}))


def _structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Inline references and drop what the API server refuses. What stands beside a reference wins over its target."""
    if reference := schema.get("$ref"):
        target = definitions[str(reference).removeprefix("#/$defs/")]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    kept = {key: value for key, value in schema.items() if key != "$defs" and key not in _NOT_STRUCTURAL}
    if "description" in kept:  # where the source's lines end says nothing to who reads `kubectl explain`
        kept["description"] = kept["description"].replace("\n", " ")
    if _INT_OR_STRING in kept:
        kept.pop("anyOf")
    if "properties" in kept:
        kept["properties"] = {name: _structural(one, definitions) for name, one in kept["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(kept.get(inner), dict):
            kept[inner] = _structural(kept[inner], definitions)
    return kept


def _without_defaults(schema: Schema) -> Schema:
    """Return the schema without any default: a status says what was seen, nothing is filled in."""
    return {
        key: {name: _without_defaults(one) for name, one in value.items()}
        if key == "properties"
        else _without_defaults(value)
        if key == "items"
        else value
        for key, value in schema.items()
        if key != "default"
    }


def _printer_column(column: Column) -> Schema:
    printed: Schema = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.priority:
        printed["priority"] = column.priority
    return printed


def _root_schema(kind: Kind) -> Schema:
    return {
        "type": "object",
        "description": kind.resource.__doc__,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": schema_of(kind.spec),
            "status": {**_without_defaults(schema_of(kind.status)), "default": _NEW_STATUS},
        },
        **(rules(*kind.root_rules) if kind.root_rules else {}),
    }


def custom_resource_definition(kind: Kind) -> Schema:
    """Return the CustomResourceDefinition of `kind`."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root_schema(kind)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_printer_column(column) for column in kind.columns],
                }
            ],
        },
    }
