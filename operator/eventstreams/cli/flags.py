"""Flags that many commands share, and how a command is made of a function that takes them in bundles.

A command is `async def f(program, bundle, ..., own flags)`; each bundle is a dataclass whose fields are flags. Typer
sees one flat signature, so every flag stands in --help and may be written after the command.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Final

import typer

from eventstreams.cli.failures import FailedError, failure_of, refusal_of
from eventstreams.cli.program import Program
from eventstreams.cli.screen import BAD, Color, Screen
from eventstreams.core.errors import EventStreamsError

EVERYWHERE: Final = "Options of every command"
CREATING: Final = "Options of creating"
KEEP_LINES: Final = "\b"
"""Before a paragraph of help: its lines are not filled."""


class Output(Enum):
    """What is printed: `text` in the product's manner, the others in kubectl's."""

    TEXT = "text"
    NAME = "name"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


class DryRun(Enum):
    """Whether anything is created."""

    NONE = "none"
    CLIENT = "client"


def seconds(duration: str) -> float:
    """Read a duration: `90`, `90s`, `2m` or `1h`. Raises FailedError for what is none."""
    match = re.fullmatch(r"(\d+)(s|m|h)?", duration)
    if match is None:
        raise FailedError(f"{duration} is no duration", "write 90s, 2m or 1h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"]


OutputFlag = Annotated[
    Output, typer.Option("--output", "-o", help="How to print: text, or kubectl's name, wide, json, yaml.")
]


@dataclass(frozen=True, slots=True)
class Flags:
    """Where the command works, and how it looks."""

    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Namespace; default: of `kubectl es init`.", rich_help_panel=EVERYWHERE),
    ] = None
    instance: Annotated[
        str | None,
        typer.Option("--instance", help="Instance; default: of `kubectl es init`.", rich_help_panel=EVERYWHERE),
    ] = None
    context: Annotated[
        str | None,
        typer.Option("--context", help="Context of the kubeconfig; default: its own.", rich_help_panel=EVERYWHERE),
    ] = None
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            "--kubeconfig", help="Kubeconfig file; default: $KUBECONFIG, ~/.kube/config.", rich_help_panel=EVERYWHERE
        ),
    ] = None
    color: Annotated[
        Color, typer.Option("--color", help="When to use colour; NO_COLOR is honoured.", rich_help_panel=EVERYWHERE)
    ] = Color.AUTO


@dataclass(frozen=True, slots=True)
class Creating:
    """What a command that creates something does with it, and how long it stays."""

    output: OutputFlag = Output.TEXT
    dry_run: Annotated[
        DryRun,
        typer.Option(
            "--dry-run", help="client: create nothing; -o yaml prints the manifest.", rich_help_panel=CREATING
        ),
    ] = DryRun.NONE
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it is Ready.", rich_help_panel=CREATING)
    ] = True
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout", help="Longest wait, such as 90s or 2m.", metavar="DURATION", rich_help_panel=CREATING
        ),
    ] = "60s"


def command(program: Program, function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Return `function` as Typer takes it: bundles spread out, run to its end, failures told and exit code 1."""
    _, *own = inspect.signature(function).parameters.values()
    by_reach = sorted(own, key=lambda parameter: _reach(parameter.annotation))
    spread = [flag for parameter in by_reach for flag in _spread(parameter)]

    def run(**given: object) -> None:
        values = {parameter.name: _gathered(parameter, given) for parameter in own}
        screen = Screen(program.stderr, values["flags"].color, program.environment)
        try:
            asyncio.run(_awaited(function(program, **values)))
        except Exception as error:
            failure = _told(error)
            if failure is None:
                raise
            screen.say("FAILED", BAD)
            screen.say(failure.message)
            if failure.cure:
                screen.say(f"What to do: {failure.cure}")
            raise typer.Exit(1) from None

    run.__doc__ = (function.__doc__ or "").replace("    For example:", f"    {KEEP_LINES}\n    For example:")
    run.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]  # inspect and Typer read it
    return run


def _reach(annotation: object) -> int:
    """Order flags in --help: the command's own, then those of creating, then those of every command."""
    return 2 if annotation is Flags else 1 if is_dataclass(annotation) else 0


def _spread(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    if not is_dataclass(parameter.annotation):
        return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    return [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.type)
        for one in fields(parameter.annotation)
    ]


def _gathered(parameter: inspect.Parameter, given: dict[str, object]) -> Any:  # noqa: ANN401  # as the command wants it
    """Return a parameter's value: a bundle is put together again."""
    if not isinstance(parameter.annotation, type) or not is_dataclass(parameter.annotation):
        return given[parameter.name]
    return parameter.annotation(**{one.name: given[one.name] for one in _spread(parameter)})


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _told(error: Exception) -> FailedError | None:
    """Return how an expected error is told, None for a bug."""
    if isinstance(error, FailedError):
        return error
    if isinstance(error, EventStreamsError):
        return failure_of(error)
    from eventstreams.kube.errors import InvalidError

    return refusal_of(error) if isinstance(error, InvalidError) else None
