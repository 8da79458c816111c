"""What every object of an instance has: names, labels, owner; and what every pod has: no privilege, no surprises.

Builders are pure: same arguments, same bytes. A difference therefore means a change.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.model import Resources
from eventstreams.core import names

Manifest = dict[str, Any]
"""A Kubernetes object as JSON."""

KAFKA: Final = "kafka"
REST_PRODUCER: Final = "rest-producer"

USER_ID: Final = 65532  # "nonroot" by convention; a number, since the kubelet cannot tell a name from root
CONFIG_DIGEST: Final = f"{names.GROUP}/config-digest"
"""Annotation of a pod template: changes roll the pods, for settings that a process reads only when it starts."""


@dataclass(frozen=True, slots=True)
class Images:
    """The images that pods run, and how they are pulled."""

    producer: str
    kafka: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = field(default=())


def labels_for(instance: EventStreamsInstance, component: str) -> dict[str, str]:
    """Return the labels of an object of the instance."""
    return selector_for(instance, component) | {
        names.NAME: names.NAME_VALUE,
        names.MANAGED_BY: names.MANAGED_BY_VALUE,
    }


def selector_for(instance: EventStreamsInstance, component: str) -> dict[str, str]:
    """Return the labels by which Services, policies and workloads find the component's pods; they never change."""
    return {names.INSTANCE_LABEL: instance.metadata.name, names.COMPONENT: component}


def owner(instance: EventStreamsInstance) -> Manifest:
    """Return the owner reference to the instance."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "EventStreamsInstance",
        "name": instance.metadata.name,
        "uid": instance.metadata.uid,
        "controller": True,
    }


def owned(instance: EventStreamsInstance, component: str, *, api: str, kind: str, name: str) -> Manifest:
    """Return the head of an object that goes when the instance goes: type, name, namespace, labels, owner."""
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": instance.metadata.namespace,
            "labels": labels_for(instance, component),
            "ownerReferences": [owner(instance)],
        },
    }


def hardened_pod(images: Images, spec: Manifest) -> Manifest:
    """Return a pod's spec with what Pod Security `restricted` asks of a pod, and without injected variables."""
    hardening: Manifest = {
        "enableServiceLinks": False,  # the variables of foreign Services must not reach our settings
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if images.pull_secrets:
        hardening["imagePullSecrets"] = [{"name": name} for name in images.pull_secrets]
    return hardening | spec


def hardened_container(images: Images, spec: Manifest) -> Manifest:
    """Return a container's spec with what Pod Security `restricted` asks of a container, and a read-only root."""
    return {
        "imagePullPolicy": images.pull_policy,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    } | spec


def compute(resources: Resources) -> Manifest:
    """Return a container's `resources`, without empty parts."""
    return {
        key: dict(value) for key, value in (("requests", resources.requests), ("limits", resources.limits)) if value
    }


def digest(*parts: object) -> str:
    """Return a short digest of JSON values, for annotations that compare."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def spread_over_nodes(selector: dict[str, str]) -> list[Manifest]:
    """Return constraints that spread pods over nodes, then zones, as far as there are any."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
