"""`kubectl es iam-service-id-create`: a service ID, its key, and how to use it."""

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from eventstreams.cli.choices import Choice
from eventstreams.cli.failures import FailedError
from eventstreams.cli.screen import Screen
from eventstreams.cli.session import Session
from eventstreams.core import names
from eventstreams.core.errors import NotYetError

Manifest = dict[str, Any]


class Role(Enum):
    """What a key may do with its topics."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OPERATOR = "operator"


ALL_TOPICS: Final = "*"


@dataclass(frozen=True, slots=True)
class ServiceIDRequest:
    """A service ID as asked for."""

    name: str
    role: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What stands in the Secret, as far as this user may read it: empty texts otherwise."""

    secret: str
    api_key: str = ""
    endpoint: str = ""


def topics_asked(given: Sequence[str], *, every: bool) -> tuple[str, ...]:
    """Return the topics of repeated or comma-separated --topic flags. Raises FailedError for none, or for both ways."""
    topics = tuple(dict.fromkeys(name.strip() for text in given for name in text.split(",") if name.strip()))
    if bool(topics) == every:
        asked = "--topic and --all-topics exclude each other" if every else "no topic is named"
        raise FailedError(asked, "name topics with --topic NAME, or all of the instance with --all-topics")
    return (ALL_TOPICS,) if every else topics


def service_id_manifest(choice: Choice, request: ServiceIDRequest) -> Manifest:
    """Return the ServiceID to apply."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ServiceID",
        "metadata": {"name": request.name, "namespace": choice.namespace},
        "spec": {"instanceRef": {"name": choice.instance}, "role": request.role, "topics": list(request.topics)},
    }


async def credentials_of(session: Session, service_id: Manifest) -> Credentials:
    """Read the Secret that the operator wrote for a service ID."""
    from eventstreams.kube.apis import SECRETS

    name = secret_name(service_id)
    try:
        secret = await (await session.kube()).get(SECRETS, service_id["metadata"]["namespace"], name)
    except NotYetError:  # no right to read Secrets: whoever has it finds the key there
        return Credentials(name)
    data = (secret or {}).get("data") or {}
    texts = {key: base64.b64decode(value).decode() for key, value in data.items()}
    endpoint = texts.get("api-endpoint-external") or texts.get("api-endpoint", "")
    return Credentials(name, texts.get("api-key", ""), endpoint)


def secret_name(service_id: Manifest) -> str:
    """Return the name of the Secret of a service ID."""
    return str(service_id["spec"].get("secretName") or names.credentials(service_id["metadata"]["name"]))


def show(screen: Screen, service_id: Manifest, credentials: Credentials) -> None:
    """Print a service ID, its key and how to use it, in the product's manner."""
    spec, namespace = service_id["spec"], service_id["metadata"]["namespace"]
    screen.pairs(
        [
            ("Role", spec["role"]),
            ("Topics", ", ".join(spec["topics"])),
            ("Secret", credentials.secret),
            ("API endpoint", credentials.endpoint),
            ("API key", credentials.api_key),
        ]
    )
    screen.say()
    screen.say("Keep the key secret. An application mounts the Secret; to read the key again:")
    screen.say(f"  kubectl -n {namespace} get secret {credentials.secret} -o jsonpath='{{.data.api-key}}' | base64 -d")
    if spec["role"] != "viewer" and credentials.endpoint:
        topic = next((name for name in spec["topics"] if not name.endswith("*")), "<topic_name>")
        screen.say("To produce a record, once with the certificate:")
        screen.say("  kubectl es certificates --format pem")
        screen.say('  curl -X POST -H "Authorization: Bearer <api_key>" -H "Content-Type: text/plain" \\')
        screen.say("       -H \"Accept: application/json\" -d 'test message' --cacert es-cert.pem \\")
        screen.say(f"       {shlex.quote(f'{credentials.endpoint}/topics/{topic}/records')}")
