"""From a model to a structural schema and its reference page."""

from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import Field

from eventstreams.api import reference
from eventstreams.api.kinds import KINDS
from eventstreams.api.model import Kind, Model, no_schema_default
from eventstreams.api.schema import custom_resource_definition, schema_of
from eventstreams.core.reasons import Explained
from eventstreams.core.settings import Settings

RULES = "x-kubernetes-validations"


class Colour(Enum):
    """Unused."""

    RED = "red"
    BLUE = "blue"


class Inner(Model):
    """Of the class."""

    deep_size: int = 7
    """How deep."""


class Outer(Model):
    """What is outside."""

    colour: Colour = Colour.RED
    """Of the field."""
    inner: Inner = Inner()
    """Inside."""
    set_inner: Inner = Inner(deep_size=9)
    """Inside, set."""
    perhaps: Annotated[Inner | None, Field()] = None
    """May be absent."""
    shy: Annotated[int, Field(json_schema_extra=no_schema_default)] = 2
    """Absent: 2."""
    either: Annotated[dict[str, Annotated[int | str, Field(json_schema_extra={"x-kubernetes-int-or-string": True})]], 0]
    """Numbers or words."""


INNER = {"type": "object", "properties": {"deepSize": {"type": "integer", "default": 7, "description": "How deep."}}}


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("colour", {"type": "string", "enum": ["red", "blue"], "default": "red", "description": "Of the field."}),
        ("inner", INNER | {"description": "Inside.", "default": {}}),
        ("setInner", INNER | {"description": "Inside, set.", "default": {"deepSize": 9}}),
        ("perhaps", INNER | {"description": "May be absent."}),
        ("shy", {"type": "integer", "description": "Absent: 2."}),
        (
            "either",
            {
                "type": "object",
                "additionalProperties": {"x-kubernetes-int-or-string": True},
                "description": "Numbers or words.",
            },
        ),
    ],
)
def test_a_field_becomes_its_structural_schema(field: str, schema: dict[str, Any]) -> None:
    assert schema_of(Outer)["properties"][field] == schema


def parts(schema: object) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [part for one in schema for part in parts(one)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for one in schema.values() for part in parts(one))]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_nothing_in_a_crd_is_unknown_to_structural_schemas(kind: Kind) -> None:
    keys = {key for part in parts(custom_resource_definition(kind)) for key in part}

    assert keys.isdisjoint({"$ref", "$defs", "anyOf", "allOf", "oneOf", "const", "propertyNames", "exclusiveMinimum"})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_field_of_a_kind_is_described(kind: Kind) -> None:
    page = reference.kinds_page([kind])

    assert "|  |\n" not in page


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_rule_of_a_kind_is_on_its_page_wherever_it_stands(kind: Kind) -> None:
    page = reference.kinds_page([kind])

    rules = [rule for part in parts(custom_resource_definition(kind)) for rule in part.get(RULES, [])]

    assert [rule["message"] for rule in rules if f" | {rule['message']} |" not in page] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_row_of_a_kinds_page_is_one_line_however_long_its_text(kind: Kind) -> None:
    lines = reference.kinds_page([kind]).splitlines()

    assert [line for line in lines if line.startswith("|") != line.endswith("|")] == []


def test_a_page_of_reasons_is_sorted_and_says_when_there_is_nothing_to_do() -> None:
    page = reference.reasons_page([Explained("Zebra", "z of <x>", "feed it"), Explained("Ant", "a")])

    assert page.index("| `Ant` | a | nothing to do |") < page.index("| `Zebra` | z of &lt;x> | feed it |")


def test_a_page_of_settings_names_variable_range_default_and_meaning() -> None:
    class Example(Settings):
        """Unused."""

        lease_seconds: Annotated[float, Field(ge=5, le=60)] = 15
        """Seconds of a lease."""
        name: str
        """Name."""

    page = reference.settings_page([("example", Example)])

    assert "| `EVENTSTREAMS_LEASE_SECONDS` | number, 5 to 60 | `15` | Seconds of a lease. |" in page
    assert "| `EVENTSTREAMS_NAME` | string | *required* | Name. |" in page
