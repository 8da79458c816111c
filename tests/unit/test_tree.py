"""What holds for every file of the project."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 400


def test_no_file_is_too_long_to_be_read_at_a_sitting() -> None:
    sources = (path for top in ("operator", "deploy", "tests") for path in (ROOT / top).rglob("*.py"))
    lines_of = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in sources}

    assert {path: lines for path, lines in lines_of.items() if lines > LONGEST} == {}


def test_locked_requirements_are_installed_as_they_are_and_never_resolved_again() -> None:
    """Pip looks for the newest release of what is wanted with an extra, and ends when the lock has an older one."""
    for path in (ROOT / ".ci/venv", ROOT / "Makefile"):
        installs = [line for line in path.read_text(encoding="utf-8").splitlines() if "--require-hashes" in line]
        assert installs
        assert all("--no-deps" in line for line in installs), path
