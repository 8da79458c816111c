"""Pods are killed in the middle of work: nothing is lost, and it heals by itself."""

import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest

from e2e.conftest import NAMESPACE, Application, Shell, assert_never_refused, read_back, until


@pytest.fixture(scope="module")
def application(shell: Shell, instance: str) -> Application:
    shell.ok("kubectl es init && kubectl es certificates --format pem")
    shell.ok("kubectl es topic-create --name steady --partitions 1")
    shell.ok("kubectl es iam-service-id-create --name steady-app --role editor --topic steady")
    return Application(
        shell=shell,
        topic="steady",
        service_id="steady-app",
        endpoint=shell.secret("steady-app-credentials", "api-endpoint-external"),
        key=shell.secret("steady-app-credentials", "api-key"),
    )


def manifests(count: int) -> str:
    """Return `count` Topics and as many ServiceIDs."""
    return "---\n".join(
        f"""
apiVersion: eventstreams.dev/v1beta1
kind: Topic
metadata: {{name: many-{number}}}
spec: {{instanceRef: {{name: my-instance}}, partitions: 1, deletionPolicy: Delete}}
---
apiVersion: eventstreams.dev/v1beta1
kind: ServiceID
metadata: {{name: many-{number}}}
spec: {{instanceRef: {{name: my-instance}}, role: editor, topics: [many-{number}]}}
"""
        for number in range(count)
    )


def ready(shell: Shell) -> int:
    """Return how many of them are Ready."""
    listed = shell.json("kubectl get estopic,sid")["items"]
    return sum(
        one["metadata"]["name"].startswith("many-") and condition["type"] == "Ready" and condition["status"] == "True"
        for one in listed
        for condition in one.get("status", {}).get("conditions", ())
    )


def test_an_operator_killed_in_mid_work_finishes_it_after_its_restart(
    shell: Shell, operator: str, application: Application
) -> None:
    assert_never_refused(shell, operator)  # the log goes with the pod
    with ThreadPoolExecutor(1) as pool:
        applying = pool.submit(shell.ok, "kubectl apply -f -", stdin=manifests(20))
        until(lambda: shell.ok("kubectl get estopic -o name").count("many-") >= 5, seconds=20, what="work has begun")
        shell.ok(
            f"kubectl delete pod -n {operator} -l app.kubernetes.io/name=eventstreams-operator --force --grace-period=0"
        )
        applying.result()
    assert ready(shell) < 40, "it was killed with work left"
    names = " ".join(f"estopic/many-{number} sid/many-{number}" for number in range(20))
    shell.ok(f"kubectl wait --for=condition=Ready {names} --timeout=120s")
    for service_id in shell.json("kubectl get sid")["items"]:
        active = [key for key in service_id["status"]["keys"] if key["state"] == "Active"]
        assert len(active) == 1, service_id["metadata"]["name"]
    key = shell.secret("many-7-credentials", "api-key")
    until(lambda: application.status(key=key, topic="many-7") == 200, seconds=10, what="the key works")
    shell.ok(f"kubectl delete {names} --wait=false")
    until(lambda: shell.ok("kubectl get estopic,sid -o name").count("many-") == 0, seconds=60, what="all are gone")


class Load:
    """One record after the other until it is stopped, each unlike all others; counts the answers by status."""

    def __init__(self, application: Application) -> None:
        self._name = secrets.token_hex(4)
        self.answers: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self._application = application
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ended.is_set():
            record = f"{self._name} {number}"
            ran = self._application.curl(record)
            status = int(ran.out.rsplit("\n", 1)[-1] or 0)
            self.answers[status] += 1
            if status == 200:
                self.acknowledged.append(record)
            number += 1


@pytest.fixture
def load(application: Application) -> Iterator[Load]:
    with Load(application) as running:
        until(lambda: len(running.acknowledged) >= 5, seconds=20, what="the load runs")
        yield running


def assert_nothing_lost(application: Application, load: Load) -> None:
    last = json.loads(application.curl("the last one").out.rpartition("\n")[0])["metadata"]["offset"]
    held = set(read_back(application.shell, "steady", count=last + 1))
    lost = [record for record in load.acknowledged if record not in held]
    assert not lost, f"{len(lost)} acknowledged and not in Kafka: {lost[:5]}"


def test_a_rolling_restart_of_the_rest_producer_refuses_and_loses_nothing(application: Application, load: Load) -> None:
    shell = application.shell
    shell.ok(f"kubectl rollout restart deploy/my-instance-rest -n {NAMESPACE}")
    shell.ok(f"kubectl rollout status deploy/my-instance-rest -n {NAMESPACE} --timeout=120s")
    after = len(load.acknowledged)
    until(lambda: len(load.acknowledged) > after + 5, seconds=20, what="the load goes on")
    load.__exit__()
    assert set(load.answers) == {200}
    assert_nothing_lost(application, load)


def test_a_killed_rest_producer_pod_loses_no_acknowledged_record(application: Application, load: Load) -> None:
    shell = application.shell
    pods = shell.json("kubectl get pods -l app.kubernetes.io/component=rest-producer")["items"]
    pod = next(one["metadata"] for one in pods if "deletionTimestamp" not in one["metadata"])
    shell.ok(f"kubectl delete pod {pod['name']} --force --grace-period=0")
    shell.ok("kubectl wait --for=condition=Ready esi/my-instance --timeout=120s")
    shell.ok(f"kubectl rollout status deploy/my-instance-rest -n {NAMESPACE} --timeout=120s")
    after = len(load.acknowledged)
    until(lambda: len(load.acknowledged) > after + 5, seconds=20, what="the load goes on")
    load.__exit__()
    assert_nothing_lost(application, load)


def test_a_restarted_broker_keeps_its_records_and_the_instance_heals(application: Application) -> None:
    shell = application.shell
    assert application.status() == 200
    shell.ok("kubectl delete pod my-instance-kafka-0 --timeout=60s")
    shell.ok("kubectl wait --for=condition=Ready pod/my-instance-kafka-0 --timeout=120s")
    until(lambda: application.status() == 200, seconds=60, what="producing works again")
    shell.ok("kubectl wait --for=condition=Ready esi/my-instance --timeout=60s")
    assert read_back(shell, "steady", count=1)


def test_a_deleted_service_or_deployment_is_made_again(shell: Shell, instance: str) -> None:
    before = shell.json("kubectl get deploy my-instance-rest")["metadata"]["uid"]
    shell.ok("kubectl delete deploy/my-instance-rest --timeout=60s")
    until(
        lambda: shell.run("kubectl get deploy my-instance-rest -o jsonpath='{.metadata.uid}'").out not in {"", before},
        seconds=30,
        what="the Deployment is made again",
    )
    shell.ok("kubectl rollout status deploy/my-instance-rest --timeout=120s")
