"""Kubernetes Events: one per change that a person cares about."""

import hashlib
import logging
from datetime import UTC, datetime
from typing import Literal

from eventstreams.api.model import Resource
from eventstreams.core.errors import EventStreamsError
from eventstreams.core.names import FIELD_MANAGER
from eventstreams.kube.apis import api_of_resource
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import InvalidError

logger = logging.getLogger(__name__)

MESSAGE_CHARACTERS = 1024
"""The API server refuses a longer message."""


async def emit(
    kube: Kube,
    obj: Resource,
    *,
    type: Literal["Normal", "Warning"],  # noqa: A002  # the API's word
    reason: str,
    message: str,
) -> None:
    """Post an Event about `obj`. Never raises on what the API answers: an Event that is lost changes nothing."""
    api, metadata = api_of_resource(obj), obj.metadata
    now = datetime.now(UTC)
    # the name is unique per object, text and moment: two Events in one microsecond with one text are one
    digest = hashlib.sha256(f"{metadata.uid}{reason}{message}{now.isoformat()}".encode()).hexdigest()[:16]
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": metadata.namespace, "name": f"{metadata.name[:230]}.{digest}"},
        "involvedObject": {
            "apiVersion": api.api_version,
            "kind": api.kind,
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "type": type,
        "reason": reason,
        "message": message[:MESSAGE_CHARACTERS],
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
    try:
        await kube.create(event)
    except (EventStreamsError, InvalidError) as error:
        logger.debug("Event not posted", extra={"object": f"{metadata.namespace}/{metadata.name}", "error": str(error)})
