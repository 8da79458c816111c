"""The chart as Helm renders it, and as the API server takes it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from eventstreams.core.settings import read, variable
from eventstreams.main.generate import SET_BY_CHART
from eventstreams.runtime.settings import OperatorSettings
from integration.chart.helm import CHART, Manifest, Render, of_kind, run, written
from local.binaries import binary

pytestmark = pytest.mark.integration

CRDS = CHART.parents[1] / "crds"
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
RIGHTS = {
    ("eventstreams.dev", "eventstreamsinstances"): "get list watch",
    ("eventstreams.dev", "topics"): "get list patch watch",
    ("eventstreams.dev", "serviceids"): "get list patch watch",
    ("eventstreams.dev", "eventstreamsinstances/status"): "patch",
    ("eventstreams.dev", "topics/status"): "patch",
    ("eventstreams.dev", "serviceids/status"): "patch",
    ("", "secrets"): "create delete get patch update",
    ("", "configmaps"): "create get list patch update watch",
    ("", "services"): "create get list patch watch",
    ("", "serviceaccounts"): "create get patch",
    ("", "pods"): "delete get list watch",
    ("", "persistentvolumeclaims"): "get patch",
    ("", "events"): "create",
    ("apps", "deployments"): "create get list patch watch",
    ("apps", "statefulsets"): "create get list patch watch",
    ("rbac.authorization.k8s.io", "roles"): "create get patch",
    ("rbac.authorization.k8s.io", "rolebindings"): "create get patch",
    ("networking.k8s.io", "networkpolicies"): "create get patch",
    ("policy", "poddisruptionbudgets"): "create delete get patch",
}
"""What the operator may do where it serves instances; test_rights.py runs it under this."""


def environment(manifests: list[Manifest]) -> dict[str, str]:
    """Return the operator's variables; what the kubelet fills in is the path of the field."""
    (deployment,) = of_kind(manifests, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {
        one["name"]: one["value"] if "value" in one else one["valueFrom"]["fieldRef"]["fieldPath"]
        for one in container["env"]
    }


Notes = Callable[..., str]
"""What Helm tells who installs the chart with these values."""


@pytest.fixture
def notes(helm: Path, control_plane: Path, namespace: str, tmp_path: Path) -> Notes:
    """Return the function that asks the API server to install a release and reads the notes; nothing is made."""

    def told(**values: object) -> str:
        given = written(tmp_path, {"crds": {"enabled": False}, "metrics": {"service": True}, **values})
        access = ("--kubeconfig", control_plane, "-n", namespace)
        ran = run(helm, "install", "eventstreams", CHART, "--dry-run=server", "-f", given, *access)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.rpartition("\nNOTES:\n")[2]

    return told


def test_helm_finds_nothing_to_complain_about(helm: Path) -> None:
    ran = run(helm, "lint", "--strict", CHART)

    assert ran.returncode == 0, ran.stdout


def test_the_operator_understands_what_the_chart_sets(render: Render) -> None:
    manifests = render(
        image={"repository": "registry.example/es", "tag": "1.2.3", "pullPolicy": "Never"},
        kafkaImage={"repository": "registry.example/kafka", "tag": "4.3.0-abc"},
        imagePullSecrets=["one", "two"],
        watchNamespaces=["shop", "bank"],
        settings={"resyncSeconds": 86400, "leaseRetrySeconds": 2.5, "logLevel": "DEBUG"},
    )

    settings = read(OperatorSettings, environment(manifests))

    assert settings.producer_image == "registry.example/es:1.2.3"
    assert settings.kafka_image == "registry.example/kafka:4.3.0-abc"
    assert settings.kafka_version == "4.3.0"
    assert settings.image_pull_policy == "Never"
    assert settings.pull_secrets == ("one", "two")
    assert settings.namespaces == ("bank", "shop")
    assert (settings.resync_seconds, settings.lease_retry_seconds, settings.log_level) == (86400, 2.5, "DEBUG")


def test_what_the_chart_sets_itself_is_not_offered_twice(render: Render) -> None:
    assert set(environment(render())) == {variable(name) for name in SET_BY_CHART}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replica": 2}, "replica"),
        ({"settings": {"workerz": 4}}, "workerz"),
        ({"settings": {"workers": 0}}, "workers"),
        ({"settings": {"kafkaImage": "x"}}, "kafkaImage"),
        ({"watchNamespaces": ["Shop"]}, "watchNamespaces"),
        ({"kafkaImage": {"tag": "latest"}}, "kafkaImage.version"),
    ],
)
def test_a_wrong_value_is_refused_and_named(helm: Path, tmp_path: Path, values: dict[str, object], says: str) -> None:
    ran = run(helm, "template", CHART, "-f", written(tmp_path, values))

    assert ran.returncode != 0
    assert says in ran.stderr


def test_with_namespaces_named_nothing_cluster_wide_is_made_but_the_crds(render: Render) -> None:
    manifests = render(watchNamespaces=["shop", "bank"], crds={"enabled": False})

    assert {one["kind"] for one in manifests}.isdisjoint(CLUSTER_SCOPED)
    roles = {one["metadata"]["namespace"] for one in of_kind(manifests, "Role")}
    assert roles == {"shop", "bank", "es"}


@pytest.mark.parametrize(
    ("namespaces", "name", "more"),
    [
        ([], "es-eventstreams-operator", {("", "nodes"): "list"}),
        (["shop"], "eventstreams-operator", {}),
    ],
    ids=["cluster-wide", "namespaces"],
)
def test_the_operator_has_exactly_the_rights_that_it_uses(
    render: Render, namespaces: list[str], name: str, more: dict[tuple[str, str], str]
) -> None:
    roles = of_kind(render(watchNamespaces=namespaces), "Role", "ClusterRole")

    (role,) = [one for one in roles if one["metadata"]["name"] == name]
    granted = [
        ((group, resource), " ".join(sorted(rule["verbs"])))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    ]
    assert sorted(granted) == sorted((RIGHTS | more).items())


@pytest.mark.parametrize("namespaces", [[], ["shop"]], ids=["cluster-wide", "namespaces"])
def test_secrets_are_never_listed_and_nothing_is_granted_by_wildcard(render: Render, namespaces: list[str]) -> None:
    roles = of_kind(render(watchNamespaces=namespaces), "Role", "ClusterRole")
    rules = [rule for role in roles for rule in role["rules"]]

    for rule in rules:
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
        if "secrets" in rule["resources"]:
            assert not {"list", "watch", "deletecollection"} & set(rule["verbs"])


def test_the_operator_holds_what_it_grants_to_the_rest_producer(render: Render) -> None:
    (role,) = [one for one in of_kind(render(), "ClusterRole") if "aggregate" not in str(one["metadata"]["labels"])]

    held = {verb for rule in role["rules"] if "configmaps" in rule["resources"] for verb in rule["verbs"]}

    assert {"list", "watch"} <= held


def test_the_pod_meets_the_restricted_standard(render: Render) -> None:
    (deployment,) = of_kind(render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_is_given_the_time_that_the_operator_takes_to_end(render: Render) -> None:
    (deployment,) = of_kind(render(settings={"shutdownSeconds": 60}), "Deployment")

    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 70


def test_the_crds_are_those_in_the_repository_and_outlive_the_release(render: Render) -> None:
    crds = of_kind(render(), "CustomResourceDefinition")

    kept = [one["metadata"].pop("annotations") for one in crds]
    assert kept == [{"helm.sh/resource-policy": "keep"}] * 3
    assert crds == [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]


def test_the_crds_can_be_left_to_somebody_else(render: Render) -> None:
    assert not of_kind(render(crds={"enabled": False}), "CustomResourceDefinition")


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("eventstreams", "eventstreams-operator"),
        ("es", "es-eventstreams-operator"),
        ("prod", "prod-eventstreams-operator"),
    ],
)
def test_a_release_names_its_objects_without_saying_it_twice(helm: Path, release: str, name: str) -> None:
    ran = run(helm, "template", release, CHART, "--show-only", "templates/deployment.yaml")

    assert yaml.safe_load(ran.stdout)["metadata"]["name"] == name


def test_the_commands_in_the_notes_name_the_namespace_that_is_served(notes: Notes) -> None:
    commands = re.findall(
        r"kubectl (?:apply|wait|port-forward|get|describe) .*", notes(watchNamespaces=["shop", "bank"])
    )

    assert len(commands) == 7
    assert [one for one in commands if " -n shop " not in f"{one} "] == []


def test_the_commands_in_the_notes_name_no_namespace_when_all_are_served(notes: Notes, namespace: str) -> None:
    told = notes()

    assert re.findall(r"kubectl .* -n (\S+)", told) == [namespace]  # that of the operator's Deployment
    assert "kubectl get esi,estopic,sid -A" in told


@pytest.mark.parametrize(("namespaces", "says"), [([], False), (["shop"], True)], ids=["cluster-wide", "namespaces"])
def test_the_notes_ask_for_hostnames_where_nodes_cannot_be_read(
    notes: Notes, namespaces: list[str], says: bool
) -> None:
    assert ("restProducer.hostnames" in notes(watchNamespaces=namespaces)) is says


def test_the_api_server_takes_every_object_and_the_manifests_in_the_notes(
    notes: Notes, control_plane: Path, namespace: str, tmp_path: Path
) -> None:
    manifests = tmp_path / "notes.yaml"
    manifests.write_text(notes().rpartition("<<YAML\n")[2].partition("\nYAML\n")[0])
    access = ("--kubeconfig", control_plane, "-n", namespace)

    applied = run(binary("kubectl"), "apply", "--dry-run=server", "-f", manifests, *access)

    assert applied.returncode == 0, applied.stderr
    assert len(applied.stdout.splitlines()) == 3
