"""What the tests of the command line share."""

from pathlib import Path

import pytest

from unit.cli.terminal import Terminal, condition


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Return a person's shell in front of an empty cluster whose operator makes everything Ready."""
    shell = Terminal(tmp_path, capsys)
    shell.operator_answers(condition())
    return shell
