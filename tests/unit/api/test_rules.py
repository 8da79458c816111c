"""Each CEL rule in the CRDs has a row that it accepts and one that it refuses."""

from collections.abc import Iterator

import pytest

from eventstreams.api.kinds import KINDS
from eventstreams.api.schema import Schema, custom_resource_definition
from integration.cel.cases import CASES


def rules_in(schema: Schema) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", []))
    for inner in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from rules_in(inner)


RULES = sorted(
    (kind.kind, message)
    for kind in KINDS
    for message in rules_in(
        custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
    )
)


def test_no_two_rules_of_a_kind_say_the_same() -> None:
    assert len(RULES) == len(set(RULES))


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "accepted"])
def test_every_rule_has_a_row(refused: bool) -> None:
    rows = {(case.new["kind"], case.rule) for case in CASES if case.refused is refused}

    assert sorted(rows) == RULES
