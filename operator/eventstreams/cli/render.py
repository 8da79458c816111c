"""Resources as kubectl prints them: -o name, wide, json and yaml. The product's text is each command's own."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eventstreams.cli.flags import Output
from eventstreams.cli.screen import Screen
from eventstreams.cli.waiting import condition

Manifest = dict[str, Any]
Cell = Callable[[Manifest], object]

_UNITS: Final = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "m"))


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a kind for -o wide, between NAME and AGE: head and the value's way through the object."""

    own: Sequence[tuple[str, Cell]]


def at(*path: str) -> Cell:
    """Return the cell that reads a value at a path of field names; absent is None."""

    def read(manifest: Manifest) -> object:
        value: Any = manifest
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return read


READY: Final[tuple[tuple[str, Cell], ...]] = (
    ("READY", lambda one: condition(one, "Ready").get("status")),
    ("REASON", lambda one: condition(one, "Ready").get("reason")),
)
INSTANCE: Final = Columns(
    (("KAFKA", at("status", "kafka", "mode")), ("BROKERS", at("status", "kafka", "brokers")), *READY),
)
TOPIC: Final = Columns(
    (
        ("TOPIC", lambda one: one["spec"].get("name") or one["metadata"]["name"]),
        ("PARTITIONS", at("status", "partitions")),
        ("REPLICAS", at("status", "replicationFactor")),
        *READY,
    ),
)
SERVICE_ID: Final = Columns(
    (
        ("ROLE", at("spec", "role")),
        ("TOPICS", lambda one: ",".join(one["spec"]["topics"])),
        ("SECRET", at("status", "binding", "name")),
        *READY,
    ),
)


def one(screen: Screen, manifest: Manifest, output: Output, columns: Columns, now: datetime) -> None:
    """Print one resource in kubectl's manner."""
    if output is Output.JSON:
        screen.say(json.dumps(_clean(manifest), indent=4, ensure_ascii=False))
    elif output is Output.YAML:
        screen.say(_yaml(_clean(manifest)))
    else:
        many(screen, [manifest], output, columns, now)


def many(screen: Screen, manifests: Sequence[Manifest], output: Output, columns: Columns, now: datetime) -> None:
    """Print a list of resources in kubectl's manner."""
    match output:
        case Output.JSON | Output.YAML:
            listed = {"apiVersion": "v1", "kind": "List", "items": [_clean(each) for each in manifests]}
            text = json.dumps(listed, indent=4, ensure_ascii=False) if output is Output.JSON else _yaml(listed)
            screen.say(text)
        case Output.NAME:
            for each in manifests:
                group = each["apiVersion"].partition("/")[0]
                screen.say(f"{each['kind'].lower()}.{group}/{each['metadata']['name']}")
        case Output.TEXT | Output.WIDE:
            heads = ["NAME", *(head for head, _ in columns.own), "AGE"]
            rows = [
                [each["metadata"]["name"], *(_cell(read(each)) for _, read in columns.own), age(each, now)]
                for each in manifests
            ]
            screen.table(heads, rows)


def age(manifest: Manifest, now: datetime) -> str:
    """Return how long a resource exists, in its largest unit: `5d`; `<unknown>` for one that was not created."""
    created = manifest["metadata"].get("creationTimestamp")
    if not created:
        return "<unknown>"
    seconds = max(0, int((now - datetime.fromisoformat(created)).total_seconds()))
    return next((f"{seconds // unit}{letter}" for unit, letter in _UNITS if seconds >= unit), f"{seconds}s")


def _cell(value: object) -> str:
    return "<none>" if value in {None, ""} else str(value)


def _clean(manifest: Manifest) -> Manifest:
    """Return a resource without managedFields, as kubectl prints it."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    return manifest | {"metadata": metadata}


def _yaml(content: Manifest) -> str:
    import yaml

    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return text.rstrip("\n")
