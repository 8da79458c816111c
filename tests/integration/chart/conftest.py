"""Fixtures of the chart's tests."""

from pathlib import Path

import pytest
import yaml

from integration.chart.helm import CHART, Manifest, Render, run, written
from local.binaries import HELM_MODULE, binary, build
from local.progress import Progress


@pytest.fixture(scope="session")
def helm() -> Path:
    """Return the program, built when it is not there yet."""
    build(Progress(), [HELM_MODULE])
    return binary("helm")


@pytest.fixture
def render(helm: Path, tmp_path: Path) -> Render:
    """Return the function that renders a release named `eventstreams`."""

    def rendered(namespace: str = "es", **values: object) -> list[Manifest]:
        ran = run(helm, "template", "eventstreams", CHART, "-n", namespace, "-f", written(tmp_path, values))
        assert ran.returncode == 0, ran.stderr
        return [one for one in yaml.safe_load_all(ran.stdout) if one]

    return rendered
