"""What fuzzing found, replayed: streams that reach every corner, and streams that once broke an invariant."""

from pathlib import Path

import pytest

from fuzz.corpus import kept
from fuzz.invariants import check


@pytest.mark.parametrize("path", kept(), ids=lambda path: path.name)
def test_the_invariants_hold_for_what_fuzzing_found(path: Path) -> None:
    check(path.read_bytes())


def test_something_is_replayed() -> None:
    assert len(kept()) > 100
