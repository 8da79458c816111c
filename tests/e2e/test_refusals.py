"""A bad manifest is refused at once, and says what to do."""

import pytest

from e2e.conftest import Shell

TOPIC = """
apiVersion: eventstreams.dev/v1beta1
kind: Topic
metadata: {{name: refused}}
spec: {{instanceRef: {{name: my-instance}}, {field}}}
"""


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("name: ..", "name must not be . or .."),
        ("name: __mine", "belong to Kafka itself"),
        ("name: no/slash", "should match"),
        ("partitions: 0", "greater than or equal to 1"),
        ("deletionPolicy: Perhaps", "supported values"),
    ],
)
def test_a_bad_topic_is_refused_by_apply(shell: Shell, instance: str, field: str, says: str) -> None:
    ran = shell.run("kubectl apply -f -", stdin=TOPIC.format(field=field))
    assert ran.code != 0
    assert says in ran.err


def test_more_replicas_than_brokers_are_a_condition_with_a_cure(shell: Shell, instance: str) -> None:
    shell.ok("kubectl apply -f -", stdin=TOPIC.format(field="replicationFactor: 3"))
    shell.ok("kubectl wait --for=condition=Stalled estopic/refused --timeout=30s")
    ready = next(
        one for one in shell.json("kubectl get estopic refused")["status"]["conditions"] if one["type"] == "Ready"
    )
    shell.ok("kubectl delete estopic/refused --timeout=30s")
    assert ready["reason"] == "ReplicationFactorRefused"
    assert "1" in ready["message"]
