"""A part is made again when what it is made from has changed, and at no other time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from images.parts import Part, digest, is_up_to_date, renew


def part(key: str, content: str = "content") -> Part:
    def make(target: Path) -> None:
        (target / "file").write_text(content)

    return Part("part", key, make)


def test_a_part_is_up_to_date_once_made_until_its_key_changes(tmp_path: Path) -> None:
    place = tmp_path / "part"
    assert not is_up_to_date(part("one"), place)
    renew(part("one"), place)
    assert is_up_to_date(part("one"), place)
    assert not is_up_to_date(part("two"), place)


def test_a_renewed_part_holds_nothing_of_the_one_before(tmp_path: Path) -> None:
    place = tmp_path / "part"
    renew(part("one"), place)
    (place / "old").touch()
    renew(part("two", "new"), place)
    assert [path.name for path in place.iterdir()] == ["file"]
    assert (place / "file").read_text() == "new"


def test_a_part_whose_making_ends_halfway_is_not_up_to_date(tmp_path: Path) -> None:
    place = tmp_path / "part"
    renew(part("one"), place)

    def end(target: Path) -> None:
        (target / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renew(Part("part", "one", end), place)
    assert not is_up_to_date(part("one"), place)


def tree(root: Path) -> Path:
    (root / "package").mkdir(parents=True)
    (root / "package/module.py").write_text("x = 1\n")
    (root / "package/other.py").write_text("")
    return root


def rename(root: Path) -> None:
    (root / "package/module.py").rename(root / "package/renamed.py")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "package/module.py").write_text("x = 2\n"),
    "name": rename,
    "mode": lambda root: (root / "package/module.py").chmod(0o755),
    "new file": lambda root: (root / "package/new").touch(),
    "content moved to another file": lambda root: (
        (root / "package/module.py").write_text(""),
        (root / "package/other.py").write_text("x = 1\n"),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_file_changes_the_digest(tmp_path: Path, change: Callable[[Path], object]) -> None:
    root = tree(tmp_path)
    before = digest(root)
    change(root)
    assert digest(root) != before


def test_bytecode_and_place_do_not_count(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    (two / "package/__pycache__").mkdir()
    (two / "package/__pycache__/module.pyc").touch()
    assert digest(one) == digest(two)


def test_texts_do_not_run_together() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_an_input_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent is not there"):
        digest(tmp_path / "absent")
