"""Settings of a process, read once from the environment. What is unknown stops the start.

A process declares a frozen Pydantic model whose fields carry unit, range and description; each field `lease_seconds`
is read from `EVENTSTREAMS_LEASE_SECONDS`. Variables that Kubernetes injects for Services (`*_SERVICE_HOST`,
`*_PORT_443_TCP`, ...) are not ours: a Service named `eventstreams-operator` must not stop the next start.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

PREFIX: Final = "EVENTSTREAMS_"
_SERVICE_LINK: Final = re.compile(
    r".*(_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$"
)


class SettingsError(Exception):
    """The environment holds settings that are unknown or out of range; the message lists each with its cure."""


class Settings(BaseModel):
    """Base of every process's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


S = TypeVar("S", bound=Settings)


def read(model: type[S], environment: Mapping[str, str]) -> S:
    """Read `model` from the variables with our prefix.

    Raises SettingsError naming every unknown variable (with the nearest known one) and every bad value.
    """
    known = {variable(name): name for name in model.model_fields}
    values: dict[str, Any] = {}
    problems = []
    for key, value in sorted(environment.items()):
        if not key.startswith(PREFIX):
            continue
        if key in known:
            values[known[key]] = value
        elif not _SERVICE_LINK.fullmatch(key):
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            problems.append(f"{key} is unknown; did you mean {near[0]}?" if near else f"{key} is unknown")
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        problems += [_problem(one["loc"], one["msg"]) for one in error.errors(include_input=False)]
        raise SettingsError("; ".join(problems)) from None
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def _problem(loc: tuple[int | str, ...], says: str) -> str:
    """Name the variable that is wrong; a rule over several of them has no place and names them itself."""
    says = says.removeprefix("Value error, ")
    return f"{variable(str(loc[0]))}: {says}" if loc else says


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + field.upper()


def table(model: type[Settings]) -> str:
    """Return every setting of a process with its default and what it does, for --help."""
    lines = ["settings (environment; an unknown EVENTSTREAMS_ variable stops the start):"]
    for name, field in model.model_fields.items():
        default = "" if field.is_required() or field.default is None else f" [{field.default}]"
        lines += [f"  {variable(name)}{default}", f"      {' '.join((field.description or '').split())}"]
    return "\n".join(lines)
