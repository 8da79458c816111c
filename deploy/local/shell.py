"""Runs other programs to their end, and says what they said when they fail."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from local.errors import PlatformError

TAIL_LINES = 20


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    log: Path | None = None,
) -> str:
    """Run `command`, with `env` added to the environment, and return its standard output.

    With `log` both outputs go to that file instead, and the result is empty. Raises PlatformError with the last lines
    of what it said when it ends with an error, or is not installed.
    """
    words = [str(word) for word in command]
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as files:
            sink = subprocess.PIPE if log is None else files.enter_context(log.open("w"))
            done = subprocess.run(
                words,
                cwd=cwd,
                env=os.environ | dict(env or {}),
                input=stdin or "",
                stdout=sink,
                stderr=sink,
                text=True,
                check=False,
            )
    except FileNotFoundError as error:
        raise PlatformError(f"{words[0]} is not installed, or {cwd} is gone") from error
    if done.returncode:
        where, said = (f"; all of it is in {log}", tail(log)) if log else ("", tail_of(done.stderr or done.stdout))
        raise PlatformError(f"{' '.join(words[:3])} ended with code {done.returncode}{where}:\n{said}")
    return done.stdout or ""


def tail(log: Path) -> str:
    """Return the last lines of a log, empty when there is none."""
    return tail_of(log.read_text(errors="replace")) if log.exists() else ""


def tail_of(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-TAIL_LINES:])
