"""`kubectl es topic-create` and `topics`: what they create and read."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eventstreams.cli.choices import Choice
from eventstreams.cli.failures import FailedError
from eventstreams.cli.session import Session
from eventstreams.core import names

if TYPE_CHECKING:
    from eventstreams.api.instance import EventStreamsInstance

Manifest = dict[str, Any]

PRODUCT_REPLICATION_FACTOR: Final = 3
"""The product's default, lowered where an instance has fewer brokers."""
_OBJECT_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_OBJECT_NAME_CHARACTERS: Final = 253


@dataclass(frozen=True, slots=True)
class TopicRequest:
    """A topic as asked for; what is None is left to a default."""

    name: str
    partitions: int
    replication_factor: int | None
    config: tuple[str, ...]


async def topic_of(session: Session, request: TopicRequest) -> Manifest:
    """Return the manifest of the topic; the instance is read where the replication factor depends on it."""
    if request.replication_factor is not None:
        return topic_manifest(await session.choice(), request, request.replication_factor)
    choice, instance = await session.instance()
    return topic_manifest(choice, request, default_replication_factor(instance))


async def topics_of(session: Session) -> list[Manifest]:
    """Return the topics of the instance that live in its namespace, in the order of their names."""
    from eventstreams.kube.apis import TOPICS

    choice = await session.choice()
    listed = await (await session.kube()).list(TOPICS, choice.namespace)
    mine = [one for one in listed.items if one["spec"]["instanceRef"]["name"] == choice.instance]
    return sorted(mine, key=kafka_name)


def topic_manifest(choice: Choice, request: TopicRequest, replication_factor: int | None) -> Manifest:
    """Return the Topic to apply. `replication_factor` None: the broker's default."""
    name = object_name(request.name)
    spec: Manifest = {"instanceRef": {"name": choice.instance}}
    if name != request.name:
        spec["name"] = request.name
    spec["partitions"] = request.partitions
    if replication_factor is not None:
        spec["replicationFactor"] = replication_factor
    if config := config_of(request.config):
        spec["config"] = config
    metadata = {"name": name, "namespace": choice.namespace}
    return {"apiVersion": names.API_VERSION, "kind": "Topic", "metadata": metadata, "spec": spec}


def default_replication_factor(instance: "EventStreamsInstance") -> int | None:
    """Return the product's default of 3, or the number of brokers where there are fewer; None while it is unknown."""
    brokers = instance.status.kafka.brokers if instance.status.kafka else None
    return min(PRODUCT_REPLICATION_FACTOR, brokers) if brokers else None


def object_name(topic: str) -> str:
    """Return the name of a topic's object: its own where Kubernetes takes that, else one made from it.

    `My_Topic` gives `my-topic-` and the first 6 hexadecimal digits of the SHA-256 of `My_Topic`.
    """
    if _OBJECT_NAME.fullmatch(topic) and len(topic) <= _OBJECT_NAME_CHARACTERS:
        return topic
    readable = re.sub(r"[^a-z0-9]+", "-", topic.lower()).strip("-")[:200] or "topic"
    return f"{readable.rstrip('-')}-{hashlib.sha256(topic.encode()).hexdigest()[:6]}"


def config_of(given: Sequence[str]) -> dict[str, int | str]:
    """Read `key=value` entries, several in one text with `;` between. Raises FailedError for what is none."""
    config: dict[str, int | str] = {}
    for entry in (entry.strip() for text in given for entry in text.split(";") if entry.strip()):
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise FailedError(f"--config {entry} is no entry", "write key=value, for example retention.ms=86400000")
        text = value.strip()
        config[key.strip()] = int(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text) else text
    return config


def kafka_name(topic: Manifest) -> str:
    """Return Kafka's name of a topic."""
    return str(topic["spec"].get("name") or topic["metadata"]["name"])
