"""docs/reference/rest-api.md names a test for each decision: they exist."""

import re
from pathlib import Path

from unit.producer.http_cases import cases

ROOT = Path(__file__).parents[3]
TESTS = (ROOT / "tests/unit/producer", ROOT / "tests/integration/producer")


def test_each_decision_of_the_reference_has_its_test() -> None:
    page = (ROOT / "docs/reference/rest-api.md").read_text(encoding="utf-8")
    rows = page.partition("| Decision | Test |")[2].splitlines()[2:]
    named = {row.split(" | ")[-1].rstrip(" |") for row in rows if row.startswith("|")}
    code = "".join(path.read_text(encoding="utf-8") for folder in TESTS for path in folder.glob("test_*.py"))

    known = {case.name for case in cases()} | set(re.findall(r"def (test_\w+)", code))

    assert len(named) > 40
    assert named - known == set()
