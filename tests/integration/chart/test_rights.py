"""The operator under exactly the rights that the chart gives it, in both modes."""

from pathlib import Path

import pytest
import yaml

from eventstreams.kube.apis import API, INSTANCES, SERVICE_IDS, TOPICS
from eventstreams.kube.client import Kube
from integration.chart.helm import Manifest, Render, of_kind, run
from integration.instance.room import external, give_credentials
from integration.operator_process import OperatorProcess
from integration.waiting import eventually
from local.binaries import binary
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration

RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
ACCOUNT = "eventstreams-operator"


def grant(control_plane: Path, manifests: list[Manifest], folder: Path) -> None:
    path = folder / "rights.yaml"
    path.write_text(yaml.safe_dump_all(of_kind(manifests, *RIGHTS, *ADMISSION)))
    ran = run(binary("kubectl"), "--kubeconfig", control_plane, "apply", "-f", path)
    assert ran.returncode == 0, ran.stderr


def kubeconfig_of_the_operator(control_plane: Path, namespace: str, folder: Path) -> Path:
    """Return a kubeconfig with a token of the chart's ServiceAccount and nothing else."""
    ran = run(binary("kubectl"), "--kubeconfig", control_plane, "create", "token", ACCOUNT, "-n", namespace)
    assert ran.returncode == 0, ran.stderr
    access = yaml.safe_load(control_plane.read_text())
    for user in access["users"]:
        user["user"] = {"token": ran.stdout.strip()}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(access))
    return path


def declared(api: API, namespace: str, name: str, **spec: object) -> Manifest:
    return {
        "apiVersion": api.api_version,
        "kind": api.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


async def ready(kube: Kube, api: API, namespace: str, name: str) -> None:
    async def look() -> bool:
        live = await kube.get(api, namespace, name)
        conditions = (live or {}).get("status", {}).get("conditions", [])
        return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)

    await eventually(look, f"{api.kind} {name} is Ready", seconds=60)


async def gone(kube: Kube, api: API, namespace: str, name: str) -> None:
    async def look() -> bool:
        return await kube.get(api, namespace, name) is None

    await eventually(look, f"{api.kind} {name} is gone", seconds=60)


@pytest.fixture(params=["cluster-wide", "namespaces"])
async def watched(request: pytest.FixtureRequest, namespace: str) -> str:
    """Return what the operator is told to watch: everything, or one namespace."""
    return namespace if request.param == "namespaces" else ""


@pytest.fixture
def operator(control_plane: Path, namespace: str, watched: str, render: Render, tmp_path: Path) -> OperatorProcess:
    """Return an operator, not started yet, with the chart's rights in the mode under test."""
    rights = render(namespace, watchNamespaces=[watched] if watched else [], crds={"enabled": False})
    grant(control_plane, rights, tmp_path)
    return OperatorProcess(
        kubeconfig_of_the_operator(control_plane, namespace, tmp_path),
        namespace,
        tmp_path / "operator.log",
        watch_namespaces=watched,
        lease_name=ACCOUNT,
    )


async def test_the_operator_is_never_refused_a_call(
    kube: Kube, namespace: str, watched: str, kafka: LocalKafka, operator: OperatorProcess
) -> None:
    await give_credentials(kube, namespace, kafka)
    reference = {"name": "one"}
    endpoint = {"service": {"type": "NodePort"}, "hostnames": ["es.example.com"] if watched else []}
    objects = {
        INSTANCES: declared(INSTANCES, namespace, "one", kafka=external(kafka), restProducer=endpoint),
        TOPICS: declared(TOPICS, namespace, f"t-{namespace}", instanceRef=reference, deletionPolicy="Delete"),
        SERVICE_IDS: declared(SERVICE_IDS, namespace, "app", instanceRef=reference, role="editor", topics=["*"]),
    }

    async with operator:
        for manifest in objects.values():
            await kube.create(manifest)
        for api, manifest in objects.items():
            await ready(kube, api, namespace, manifest["metadata"]["name"])
        for api, manifest in reversed(objects.items()):
            await kube.delete(api, namespace, manifest["metadata"]["name"])
            await gone(kube, api, namespace, manifest["metadata"]["name"])

    assert "orbidden" not in operator.log
