"""Helm as the chart's tests use it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
"""Renders the chart: the release's namespace and values in, manifests out."""

CHART = Path(__file__).parents[3] / "charts" / "eventstreams-operator"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever it answers."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def written(folder: Path, values: dict[str, object]) -> Path:
    """Return a file with values."""
    path = folder / "values.yaml"
    path.write_text(json.dumps(values))
    return path


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Return the manifests of these kinds."""
    return [one for one in manifests if one["kind"] in kinds]
