"""Text for a person: colour and movement on a terminal only."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Final, TextIO


class Color(Enum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


GOOD: Final = "32"
BAD: Final = "31;1"


class Screen:
    """One stream. `NO_COLOR` and `TERM=dumb` are honoured where the choice is `auto`."""

    def __init__(self, stream: TextIO, color: Color, environment: Mapping[str, str]) -> None:
        self._stream = stream
        plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
        self.is_terminal: Final = stream.isatty()
        self._is_colored = color is Color.ALWAYS or (color is Color.AUTO and self.is_terminal and not plain)

    def say(self, text: str = "", style: str = "") -> None:
        """Print one text and a line end, as it is: nothing is wrapped, so that keys and addresses can be copied."""
        self._stream.write(f"\x1b[{style}m{text}\x1b[0m\n" if style and self._is_colored else f"{text}\n")

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Print labels and values in two columns; a pair without value is left out."""
        width = max(len(label) for label, _ in pairs) + 2
        for label, value in pairs:
            if value:
                self.say(f"{label:<{width}}{value}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print columns as kubectl does: heads in capitals without spaces, three spaces between."""
        widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
        for row in (heads, *rows):
            self.say("   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show that something is going on, on a terminal."""
        if not self.is_terminal:
            yield
            return
        from rich.console import Console

        console = Console(file=self._stream, no_color=not self._is_colored)
        with console.status(what):
            yield
