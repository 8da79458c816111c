"""What `kubectl es init` remembers: for each context of the kubeconfig, the namespace and instance to work with."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eventstreams.cli.failures import FailedError


@dataclass(frozen=True, slots=True)
class Choice:
    """An instance, by namespace and name."""

    namespace: str
    instance: str


def path(environment: Mapping[str, str]) -> Path:
    """Return the file: `$XDG_CONFIG_HOME/eventstreams/config.yaml`, by default below ~/.config."""
    home = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".config"
    return Path(home) / "eventstreams" / "config.yaml"


def remembered(environment: Mapping[str, str], context: str) -> Choice | None:
    """Return the choice for a context, None when there is none or the file is damaged: init writes it anew."""
    entry = _contexts(path(environment)).get(context)
    try:
        return Choice(str(entry["namespace"]), str(entry["instance"])) if entry else None
    except (TypeError, KeyError):
        return None


def remember(environment: Mapping[str, str], context: str, choice: Choice) -> None:
    """Write the choice for a context; those for others stay. Raises FailedError when the file cannot be written."""
    import yaml

    file = path(environment)
    content = {"contexts": _contexts(file) | {context: asdict(choice)}}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as new:
            yaml.safe_dump(content, new)
        Path(new.name).replace(file)
    except OSError as error:
        raise FailedError(f"{file} cannot be written: {error.strerror}", "set XDG_CONFIG_HOME") from error


def _contexts(file: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    contexts = content.get("contexts") if isinstance(content, dict) else None
    return contexts if isinstance(contexts, dict) else {}
