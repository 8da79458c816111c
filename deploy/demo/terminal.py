"""Shows commands as a person would type them, runs exactly those, and keeps the time of each stage."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.errors import PlatformError
from local.progress import elapsed


class Terminal:
    """A shell in `directory` with `environment` on top of this process's, whose commands the reader sees."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = dict(os.environ)
        self.extend(environment)
        self._console = Console(highlight=False, soft_wrap=True)
        self._stages: list[tuple[str, float]] = []

    def extend(self, environment: Mapping[str, str]) -> None:
        """Add variables for the commands that follow."""
        self._environment.update(environment)

    @contextmanager
    def stage(self, title: str, why: str) -> Iterator[None]:
        """Head a part of the tutorial with its title and reason, and keep how long it took."""
        self._console.print(f"\n[bold]{len(self._stages) + 1}. {title}[/]\n[dim]{why}[/]")
        begin = time.monotonic()
        yield
        self._stages.append((title, time.monotonic() - begin))

    def type(self, command: str) -> str:
        """Show `command`, run it in bash, show and return what it prints.

        Raises PlatformError when it fails.
        """
        self._console.print(f"[cyan]$ {escape(command)}[/]")
        sys.stdout.flush()
        done = self._run(command)
        if done.stdout.strip():
            self._console.print(escape(done.stdout.rstrip()))
        if done.returncode:
            raise PlatformError(f"the command above ended with code {done.returncode}")
        return done.stdout.strip()

    def let(self, name: str, command: str) -> str:
        """Show and run `NAME=$(command)`: the value is in the environment of what follows, and not printed."""
        self._console.print(f"[cyan]$ {name}=$({escape(command)})[/]")
        value = self._run(command)
        if value.returncode or not value.stdout.strip():
            raise PlatformError(f"{name} could not be read")
        self.extend({name: value.stdout.strip()})
        return value.stdout.strip()

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )

    def say(self, text: str) -> None:
        self._console.print(text)

    def summary(self) -> None:
        """Print the time of each stage."""
        table = Table(title="Time of each stage", title_justify="left", show_header=False, box=None)
        for title, seconds in self._stages:
            table.add_row(title, elapsed(seconds))
        table.add_row("[bold]all[/]", f"[bold]{elapsed(sum(seconds for _, seconds in self._stages))}[/]")
        self._console.print()
        self._console.print(table)
