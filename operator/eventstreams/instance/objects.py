"""The objects of one instance in the API server: read live, judged whose they are, written only when they differ."""

import contextlib
import logging
from typing import Final

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.core.errors import RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance import drift
from eventstreams.kube.apis import API, SECRETS, Manifest, api_of
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import ChangedError, InvalidError

logger = logging.getLogger(__name__)

_ATTEMPTS: Final = 5


class Objects:
    """Reads and writes what belongs to one instance; lives for one reconcile. Nothing foreign is ever changed.

    A first apply cannot be told "only where there is none", so it is not forced: an object that appears after the read
    is refused where it says otherwise than we. One gap is left: one that says nothing of what we say gets our fields.

    Every method raises RefusedError for an object of somebody else under a name that the instance needs, and
    NotYetError when the API server does not answer or the object changed meanwhile.
    """

    def __init__(self, kube: Kube, instance: EventStreamsInstance) -> None:
        self._kube = kube
        self._instance = instance.metadata

    async def read(self, api: API, name: str) -> Manifest | None:
        """Return an object of the instance, None when there is none."""
        live = await self._kube.get(api, self._instance.namespace, name)
        if live is not None:
            drift.refuse_foreign(live, instance=self._instance.name, uid=self._instance.uid)
        return live

    async def apply(self, wanted: Manifest) -> Manifest:
        """Make an object what `wanted` says and return it; one that is so already is not written.

        Raises RefusedError too where the API server does not take it: a port that is in use, a quantity that is none.
        """
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(ChangedError):  # controllers write their objects' status all the time
                return await self._apply(wanted)
        return await self._apply(wanted)

    async def _apply(self, wanted: Manifest) -> Manifest:
        api, name = api_of(wanted), wanted["metadata"]["name"]
        live = await self.read(api, name)
        stamped = drift.stamped(wanted)
        if live is not None and drift.is_as_applied(stamped, live):
            return live
        try:
            if live is None:
                applied = await self._kube.apply(stamped, force=False)
            else:
                applied = await self._kube.apply(_only_as(live, stamped))
        except InvalidError as error:
            raise RefusedError(
                Reason.OBJECT_REFUSED, f"{api.kind} {name} cannot be made as the spec asks, correct it: {error}"
            ) from error
        self._log("Created object" if live is None else "Changed object", api.kind, name)
        return applied

    async def remove(self, api: API, name: str) -> None:
        """Delete an object that the instance no longer needs; a foreign one stays, as it is in nobody's way."""
        try:
            live = await self.read(api, name)
        except RefusedError:
            return
        if live is not None:
            await self._kube.delete(api, self._instance.namespace, name, uid=live["metadata"]["uid"])
            self._log("Deleted object", api.kind, name)

    async def store_secret(self, live: Manifest | None, wanted: Manifest) -> None:
        """Write a Secret over the state `live` in which it was just read; raises ChangedError when it is another now.

        Not by server-side apply, which would overwrite what came in between: a key once lost is lost.
        """
        name = wanted["metadata"]["name"]
        if live is None:
            await self._kube.create(wanted)
            self._log("Created object", SECRETS.kind, name)
        elif not _is_stored(wanted, live):
            metadata = {key: wanted["metadata"][key] for key in ("labels", "ownerReferences")}
            metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
            body = {"metadata": metadata, "data": wanted["data"]}
            await self._kube.patch(SECRETS, self._instance.namespace, name, body)
            self._log("Changed object", SECRETS.kind, name)

    def _log(self, message: str, kind: str, name: str) -> None:
        where = {"namespace": self._instance.namespace, "instance": self._instance.name}
        logger.info(message, extra=where | {"kind": kind, "object": name})


def _only_as(live: Manifest, wanted: Manifest) -> Manifest:
    """Return what to apply so that the API server refuses it when the object is not `live` any more."""
    return wanted | {"metadata": wanted["metadata"] | {"resourceVersion": live["metadata"]["resourceVersion"]}}


def _is_stored(wanted: Manifest, live: Manifest) -> bool:
    """Tell whether a Secret has content, labels and owner as wanted: a kept one must have no owner either."""
    owners = [one["uid"] for one in live["metadata"].get("ownerReferences") or ()]
    wanted_owners = [one["uid"] for one in wanted["metadata"]["ownerReferences"]]
    return owners == wanted_owners and drift.is_as_applied(wanted, live)
