"""The operator's finalizer: put on before there is anything to clean up, taken off when it is cleaned up."""

from eventstreams.api.model import Resource
from eventstreams.core.names import FINALIZER
from eventstreams.kube.apis import API, Manifest
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import NotFoundError


async def add(kube: Kube, api: API, obj: Resource) -> Manifest | None:
    """Put the finalizer on `obj` and return the object as stored, or None when it is there already.

    Raises ChangedError when `obj` is not the newest state. Put the answer into the store.
    """
    if FINALIZER in obj.metadata.finalizers:
        return None
    return await _write(kube, api, obj, [*obj.metadata.finalizers, FINALIZER])


async def drop(kube: Kube, api: API, obj: Resource) -> None:
    """Take the finalizer off `obj`; an object that is gone, or has none, is a success.

    Raises ChangedError when `obj` is not the newest state.
    """
    if FINALIZER not in obj.metadata.finalizers:
        return
    try:
        await _write(kube, api, obj, [name for name in obj.metadata.finalizers if name != FINALIZER])
    except NotFoundError:
        return


async def _write(kube: Kube, api: API, obj: Resource, finalizers: list[str]) -> Manifest:
    metadata = obj.metadata
    body = {"metadata": {"resourceVersion": metadata.resource_version, "finalizers": finalizers}}
    return await kube.patch(api, metadata.namespace, metadata.name, body)
