"""The operator and what it makes run with the least rights."""

import json

from e2e.conftest import NAMESPACE, Shell, assert_never_refused


def test_the_operator_was_never_refused_anything_under_exactly_the_charts_rights(
    shell: Shell, operator: str, instance: str
) -> None:
    account = f"system:serviceaccount:{operator}:eventstreams-operator"
    assert_never_refused(shell, operator)
    for verb in ("list", "watch"):
        assert shell.run(f"kubectl auth can-i {verb} secrets -A --as={account}").out.strip() == "no"
    assert shell.run(f"kubectl auth can-i '*' '*' -A --as={account}").out.strip() == "no"


def test_the_operator_may_not_touch_a_secret_that_is_not_its_own(shell: Shell, operator: str, instance: str) -> None:
    account = f"system:serviceaccount:{operator}:eventstreams-operator"
    shell.ok("kubectl create secret generic somebody-elses --from-literal=password=x")
    try:
        patch = '{"stringData": {"password": "y"}}'
        ran = shell.run(f"kubectl --as={account} patch secret somebody-elses --type=merge -p '{patch}'")
    finally:
        shell.ok("kubectl delete secret somebody-elses")
    assert ran.code != 0
    assert "eventstreams" in ran.err


def test_every_pod_is_non_root_with_a_read_only_root_and_no_privilege(
    shell: Shell, operator: str, instance: str
) -> None:
    for namespace in (operator, NAMESPACE):
        for pod in shell.json(f"kubectl get pods -n {namespace}")["items"]:
            spec = pod["spec"]
            assert spec["enableServiceLinks"] is False
            assert spec["securityContext"]["runAsNonRoot"] is True
            for container in [*spec["containers"], *spec.get("initContainers", [])]:
                security = container["securityContext"]
                assert security["readOnlyRootFilesystem"] is True, json.dumps(container, indent=1)
                assert security["allowPrivilegeEscalation"] is False
                assert security["capabilities"] == {"drop": ["ALL"]}


def test_the_rest_producer_may_read_config_maps_and_nothing_else(shell: Shell, instance: str) -> None:
    account = f"system:serviceaccount:{NAMESPACE}:{instance}-rest"
    assert shell.run(f"kubectl auth can-i list configmaps --as={account}").out.strip() == "yes"
    for what in ("get secrets", "list serviceids", "create configmaps", "list pods"):
        assert shell.run(f"kubectl auth can-i {what} --as={account}").out.strip() == "no", what
