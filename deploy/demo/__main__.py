"""`python -m demo`: from nothing to a record read back from Kafka, with the commands that a person would type."""

import argparse
import sys

from demo.install import ROOT, environment, helm_command, prepare
from demo.terminal import Terminal
from local.errors import PlatformError
from local.places import state_root
from local.progress import Progress
from local.provider import Provider, cluster

EXAMPLES = ROOT / "deploy" / "examples"
READ_BACK = (
    "kubectl exec my-instance-kafka-0 -- bash /etc/eventstreams/kafka/kafka-tool.sh console-consumer \\\n"
    "     --topic orders --partition 0 --offset $OFFSET --max-messages 1"
)


def main() -> int:
    """Run the tutorial; a failure says what to do and ends with 1."""
    _no_arguments()
    progress = Progress()
    platform = cluster(progress)
    directory = state_root() / "demo"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        _tutorial(platform, progress, Terminal(directory, {"XDG_CONFIG_HOME": str(directory)}))
    except PlatformError as error:
        print(f"\nFAILED\n{error}", file=sys.stderr)
        return 1
    return 0


def _no_arguments() -> None:
    """Answer --help and refuse everything else before anything is done."""
    argparse.ArgumentParser(
        prog="demo",
        description="From nothing to a record read back from Kafka. Starts the local cluster, installs the operator by "
        "its chart, and makes an instance, a topic and a key in the namespace `default`. Run again, it goes on.",
        epilog="`make cluster-down` ends the cluster.",
    ).parse_args()


def _tutorial(platform: Provider, progress: Progress, shell: Terminal) -> None:
    shell.say("[bold]Event Streams operator: from nothing to a record in Kafka[/]")
    with shell.stage("Kubernetes and images", "A real Kubernetes on this machine, and the images it will run."):
        images = prepare(platform, progress)
    shell.extend(environment(platform))

    with shell.stage("The operator", "The platform team installs it, once for a cluster."):
        shell.type(helm_command(images))

    with shell.stage("An instance", "Kafka, its CA, the REST producer and its endpoint, as one resource."):
        shell.type(f"kubectl apply -f {EXAMPLES}/instance.yaml")
        shell.type("kubectl wait --for=condition=Ready esi/my-instance --timeout=180s")

    with shell.stage("A topic and a key", "An application team declares what it needs."):
        shell.type(f"kubectl apply -f {EXAMPLES}/topic.yaml -f {EXAMPLES}/service-id.yaml")
        shell.type("kubectl wait --for=condition=Ready estopic/orders sid/my-app --timeout=60s")
        shell.type("kubectl get esi,estopic,sid")

    with shell.stage("The address and the certificate", "`kubectl es` has the product's own commands."):
        shell.type("kubectl es init")
        shell.type("kubectl es certificates --format pem")
        shell.let("API_ENDPOINT", _secret("api-endpoint-external"))
        shell.let("API_KEY", _secret("api-key"))

    with shell.stage("A record", "One request from anything that speaks HTTPS."):
        shell.type(
            'curl -sS --fail-with-body -X POST -H "Authorization: Bearer $API_KEY" -H "Content-Type: text/plain" '
            "-H \"Accept: application/json\" \\\n     -d 'test message' --cacert es-cert.pem "
            '"$API_ENDPOINT/topics/orders/records" | tee answer.json'
        )

    with shell.stage("The record, read back", "A Kafka consumer inside the broker's pod reads what the answer names."):
        shell.let("OFFSET", 'python3 -c \'import json; print(json.load(open("answer.json"))["metadata"]["offset"])\'')
        if shell.type(READ_BACK) != "test message":
            raise PlatformError("the record read back is not the record sent")

    shell.summary()
    _look_around(platform, shell)


def _secret(key: str) -> str:
    return f"kubectl get secret my-app-credentials -o jsonpath='{{.data.{key}}}' | base64 -d"


def _look_around(platform: Provider, shell: Terminal) -> None:
    """Tell how to go on."""
    path = environment(platform)["PATH"].split(":")
    shell.say(
        "\n[bold]Look around[/]\n"
        f"  export KUBECONFIG={platform.kubeconfig} PATH={path[0]}:{path[1]}:$PATH\n"
        "  kubectl get esi,estopic,sid,pods\n"
        "  kubectl describe estopic/orders\n"
        "  kubectl es --help\n"
        "  kubectl logs -n eventstreams-system deploy/eventstreams-operator\n"
        "  kubectl delete sid/my-app            # within a second the key is refused\n"
        "\n[bold]Put away[/]\n"
        "  make cluster-down"
    )


if __name__ == "__main__":
    sys.exit(main())
