"""The way from a work tree to an installed operator, shared by the demo and the e2e tests."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import executable

from images.build import Built, build
from images.debian import require_release
from local.binaries import tools
from local.progress import Progress
from local.provider import Provider

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "eventstreams-operator"
OPERATOR_NAMESPACE = "eventstreams-system"


@dataclass(frozen=True, slots=True)
class Images:
    """What the chart is told to run."""

    project: Built
    kafka: Built


def prepare(cluster: Provider, progress: Progress) -> Images:
    """Bring the cluster up, build the images and load them; what is done is skipped.

    Raises PlatformError with what a person should do.
    """
    require_release()  # before the long build, not after it
    cluster.up()
    project = build("eventstreams", progress=progress)
    kafka = build("eventstreams-kafka", progress=progress)
    for image in (project, kafka):
        cluster.load(image.archive)
    return Images(project, kafka)


def helm_command(images: Images) -> str:
    """Return the command that installs or upgrades the operator, as a person would type it."""
    return (
        f"helm upgrade --install eventstreams {CHART} \\\n"
        f"     --namespace {OPERATOR_NAMESPACE} --create-namespace --wait --timeout 2m \\\n"
        f"     --set image.repository={images.project.repository},image.tag={images.project.tag} \\\n"
        f"     --set kafkaImage.repository={images.kafka.repository},kafkaImage.tag={images.kafka.tag}"
    )


def environment(cluster: Provider) -> Mapping[str, str]:
    """Return the environment in which `kubectl`, `kubectl es` and `helm` work on the cluster."""
    path = os.pathsep.join([str(Path(executable).parent), str(tools()), os.environ.get("PATH", os.defpath)])
    return {"KUBECONFIG": str(cluster.kubeconfig), "PATH": path}
