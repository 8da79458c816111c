"""Reads a Containerfile that only copies and declares: the part of the language that needs no engine."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from string import Template

from local.image_archive import PATH


@dataclass(frozen=True, slots=True)
class Containerfile:
    """What an image is made of and says of itself. `copies` are (directory in the context, absolute target)."""

    copies: tuple[tuple[str, str], ...]
    env: tuple[tuple[str, str], ...]
    user: str
    workdir: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]


def parse(text: str) -> Containerfile:
    """Return what `text` declares. ARG, FROM and LABEL are left to engines: the base is ours.

    `${PATH}` stands for the usual PATH. Raises ValueError for an instruction that would have to be run, and for a
    COPY that is not of one directory (named with a slash at its end) to another.
    """
    copies: list[tuple[str, str]] = []
    env: dict[str, str] = {}
    single = {"USER": "", "WORKDIR": "/"}
    lists: dict[str, tuple[str, ...]] = {"ENTRYPOINT": (), "CMD": ()}
    for instruction, rest in _instructions(text):
        match instruction:
            case "ARG" | "FROM" | "LABEL":
                pass
            case "COPY":
                copies.append(_copy(rest))
            case "ENV":
                pairs = (word.partition("=") for word in shlex.split(rest))
                env |= {key: Template(value).safe_substitute(PATH=PATH) for key, _, value in pairs}
            case "USER" | "WORKDIR":
                single[instruction] = rest
            case "ENTRYPOINT" | "CMD":
                lists[instruction] = tuple(json.loads(rest))
            case _:
                raise ValueError(f"{instruction} has to be run; only COPY and declarations are built without an engine")
    return Containerfile(
        tuple(copies), tuple(env.items()), single["USER"], single["WORKDIR"], lists["ENTRYPOINT"], lists["CMD"]
    )


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            instruction, _, rest = line.strip().partition(" ")
            yield instruction.upper(), rest.strip()


def _copy(rest: str) -> tuple[str, str]:
    match shlex.split(rest):
        case [source, target] if source.endswith("/") and target.startswith("/") and target.endswith("/"):
            return source.rstrip("/"), target.rstrip("/")
        case _:
            raise ValueError(f"COPY {rest} is not of the form COPY directory/ /target/")
