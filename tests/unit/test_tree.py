"""What holds for every file of the project."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 400


def test_no_file_is_too_long_to_be_read_at_a_sitting() -> None:
    sources = (path for top in ("operator", "deploy", "tests") for path in (ROOT / top).rglob("*.py"))
    lines_of = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in sources}

    assert {path: lines for path, lines in lines_of.items() if lines > LONGEST} == {}
