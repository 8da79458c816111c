"""Shows what the platform is doing and how long each step takes.

On a terminal a running step has a spinner and a clock; elsewhere (CI, a pipe) the same steps are plain lines, and a
long one says every half minute that it is alive. All of it goes to standard error: standard output is for results.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

HEARTBEAT_SECONDS = 30.0


class Progress:
    """Steps of one command, one after the other."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `title` while the block runs, then its seconds; an error passes through."""
        begin = self._clock()
        try:
            with self._running(title, begin):
                yield
        except BaseException:
            self._line("[red]✗[/]", title, begin)
            raise
        self._line("[green]✓[/]", title, begin)

    def note(self, text: str) -> None:
        """Say something that is no step: what was skipped, or found and repaired."""
        self._console.print(f"  [dim]·[/] {text}", soft_wrap=True)

    @contextmanager
    def _running(self, title: str, begin: float) -> Iterator[None]:
        if self._console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            with Bars(*columns, console=self._console, transient=True) as bars:
                bars.add_task(title, total=None)
                yield
            return
        ended = threading.Event()
        beat = threading.Thread(target=self._beat, args=(ended, title, begin), daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()

    def _beat(self, ended: threading.Event, title: str, begin: float) -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            self._line("…", title, begin)

    def _line(self, mark: str, title: str, begin: float) -> None:
        self._console.print(f"  {mark} {title} [dim]{elapsed(self._clock() - begin)}[/]", soft_wrap=True)


def elapsed(seconds: float) -> str:
    """Return a duration as a person says it: `4.2 s`, `3 min 20 s`."""
    if seconds < 60:  # noqa: PLR2004  # seconds in a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
