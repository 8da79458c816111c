"""Makes a service ID's key known everywhere it has to be, and forgets it everywhere when the service ID goes.

Order of a mint: Pending in status → keyring → Secret → Active. Order of an end: keyring → Secret → finalizer. Every
step can be repeated and none depends on memory: after a crash the next pass reads status and Secret and goes on. A
key's text is nowhere but in the Secret, and in this process between minting and writing it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eventstreams.api import conditions
from eventstreams.api.conditions import Finding
from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.serviceid import Binding, KeyStatus, ServiceID, ServiceIDStatus
from eventstreams.core import apikey, names
from eventstreams.core.apikey import ApiKey
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.kube import events, finalizer
from eventstreams.kube.apis import CONFIG_MAPS, SECRETS, SERVICE_IDS, Manifest
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Outcome
from eventstreams.serviceid import credentials, keys
from eventstreams.serviceid.grants import granted_topics
from eventstreams.serviceid.keyring import Keyrings
from eventstreams.serviceid.keys import Held, Verdict

logger = logging.getLogger(__name__)

CONFLICT: Final = "Conflict"
"""Condition: a Secret of somebody else stands where the credentials belong."""

SECRET_CHECK_SECONDS: Final = 600.0
"""How often each Secret is read: they are not watched, because a watch needs the right to read them all."""

CONFLICT_CHECK_SECONDS: Final = 30.0
"""How often a Secret of somebody else is looked at: whoever removes it wants to see the key soon."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A service ID and its Secret as they are, and what follows for the keys."""

    resource: ServiceID
    secret: Manifest | None
    held: Held | None
    verdict: Verdict

    @property
    def is_settled(self) -> bool:
        """Whether status already holds what the verdict says, and the Secret a key."""
        return self.verdict.current is not None and self.verdict.keys == self.resource.status.keys


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The key that is, or is about to be, in the Secret, and the service ID with its status as written."""

    resource: ServiceID
    current: KeyStatus
    key: ApiKey


class ServiceIDReconciler:
    """Brings one service ID to its declared state; `Keyrings` and Secrets are written by nobody else."""

    def __init__(self, context: Context, keyrings: Keyrings) -> None:
        self._context = context
        self._keyrings = keyrings
        self._bundles: dict[Key, tuple[tuple[str, ...], str]] = {}
        context.instances.store.subscribe(self._forget_bundle)

    async def reconcile(self, resource: ServiceID) -> Outcome[ServiceIDStatus] | None:
        """Do the next steps of the key's life and report; None when the service ID is gone or going.

        Raises RefusedError when the instance grants it nothing, NotYetError while something that it needs is missing.
        """
        await self._keyrings.ensure(resource)
        if resource.metadata.deletion_timestamp is not None:
            await self._forget(resource)
            return None
        granted_topics(resource)
        instance = self._context.instance(resource.instance_key)
        now = self._context.clock.now()
        try:
            seen = await self._see(resource, now)
        except RefusedError as conflict:
            return self._conflict(resource, conflict)
        if seen is None:
            return None
        endpoints = credentials.endpoints_of(instance)
        ca_pem = await self._ca_bundle(instance)
        chosen = await self._choose(seen, now)
        wanted = credentials.credentials_secret(
            chosen.resource, chosen.current, chosen.key, endpoints=endpoints, ca_pem=ca_pem
        )
        await self._write_secret(seen.secret, wanted)
        if seen.verdict.current is None:
            await self._announce(chosen)
        return self._outcome(chosen, now)

    async def gone(self, key: Key) -> None:
        """Revoke what a service ID left behind that went without its finalizer."""
        await self._keyrings.release(str(key))

    async def _see(self, resource: ServiceID, now: datetime) -> _Seen | None:
        """Observe; where keys have to change, observe again on the service ID as the API server has it now."""
        seen = await self._observe(resource, now)
        if seen.is_settled:
            return seen
        live = await self._read_again(resource)
        return None if live is None else await self._observe(live, now)

    async def _observe(self, resource: ServiceID, now: datetime) -> _Seen:
        """Read the Secret and judge the keys.

        Raises RefusedError when the Secret is somebody else's.
        """
        name = resource.secret_name
        secret = await self._context.kube.get(SECRETS, resource.metadata.namespace, name)
        if secret is not None and not credentials.is_ours(secret, resource):
            raise RefusedError(
                Reason.SECRET_CONFLICT,
                f"Secret {name} exists and does not belong to this ServiceID, it is not touched: delete or rename it, "
                "or re-create the ServiceID with another spec.secretName",
            )
        held = None if secret is None else credentials.held_by(secret, now)
        if held is not None and not resource.status.keys and self._is_taken(held, resource):
            held = None
        return _Seen(resource, secret, held, keys.judge(resource.status.keys, held, now))

    def _is_taken(self, held: Held, resource: ServiceID) -> bool:
        """Tell whether another service ID has the id of a key that a Secret alone vouches for."""
        return any(
            key.id == held.key.id
            for other in self._context.service_ids.store.values()
            if other.metadata.uid != resource.metadata.uid
            for key in other.status.keys
        )

    async def _read_again(self, resource: ServiceID) -> ServiceID | None:
        """Read the service ID itself before its keys change; None when it is gone or going: an event will say so."""
        manifest = await self._context.kube.get(SERVICE_IDS, resource.metadata.namespace, resource.metadata.name)
        if manifest is None:
            return None
        live = self._context.service_ids.store.put(manifest)
        is_same = live.metadata.uid == resource.metadata.uid and live.metadata.deletion_timestamp is None
        return live if is_same else None

    async def _choose(self, seen: _Seen, now: datetime) -> _Chosen:
        """Keep the key that the Secret holds, or mint one; return when status and keyring know it."""
        resource, kept, current = seen.resource, seen.verdict.keys, seen.verdict.current
        if seen.held is not None and current is not None:
            key = seen.held.key
        else:
            key = apikey.mint(self._context.entropy)
            current = keys.next_key(kept, key, now)
            kept = (*kept, current)
        if kept != resource.status.keys:
            resource = await self._record(resource, kept)
        await self._keyrings.ensure(resource)
        return _Chosen(resource, current, key)

    async def _record(self, resource: ServiceID, kept: tuple[KeyStatus, ...]) -> ServiceID:
        """Write the keys to status; before the first one, the finalizer that later revokes them."""
        if (finalized := await finalizer.add(self._context.kube, SERVICE_IDS, resource)) is not None:
            resource = self._context.service_ids.store.put(finalized)
        pending = NotYetError(Reason.KEY_PENDING, "the key is being made known")
        status = resource.status.model_copy(update={"keys": kept})
        return await self._context.service_ids.write_status(resource, status, conditions.not_yet(pending))

    async def _ca_bundle(self, instance: EventStreamsInstance) -> str:
        """Return the PEM of every CA to trust; read again only when the instance announces other ones.

        Raises NotYetError while there is none.
        """
        announced = instance.status.ca_bundle
        key = Key(instance.metadata.namespace, instance.metadata.name)
        if announced is not None:
            fingerprints, pem = self._bundles.get(key, ((), ""))
            if pem and fingerprints == announced.fingerprints:
                return pem
            bundle = await self._context.kube.get(CONFIG_MAPS, key.namespace, announced.config_map)
            pem = str(((bundle or {}).get("data") or {}).get("ca.crt", ""))
            if pem:
                self._bundles[key] = (announced.fingerprints, pem)
                return pem
        raise NotYetError(
            Reason.INSTANCE_NOT_READY, f"instance {key.name} has no CA bundle yet: the Secret is written when it has"
        )

    def _forget_bundle(self, key: Key, before: EventStreamsInstance | None, after: EventStreamsInstance | None) -> None:  # noqa: ARG002
        """Forget what was read of an instance that is gone."""
        if after is None:
            self._bundles.pop(key, None)

    async def _write_secret(self, live: Manifest | None, wanted: Manifest) -> None:
        """Create or correct the Secret; one that somebody made or changed since it was read is not touched.

        Raises AlreadyExistsError or ChangedError then: the next pass judges it anew.
        """
        if live is None:
            await self._context.kube.create(wanted)
        elif (new := credentials.updated(live, wanted)) is not None:
            await self._context.kube.replace(new)

    async def _announce(self, chosen: _Chosen) -> None:
        resource, current = chosen.resource, chosen.current
        logger.info(
            "Minted key",
            extra={
                "namespace": resource.metadata.namespace,
                "service_id": resource.metadata.name,
                "key_id": current.id,
                "generation": current.generation,
            },
        )
        await events.emit(
            self._context.kube,
            resource,
            type="Normal",
            reason=str(Reason.KEY_MINTED),
            message=f"API key {current.id} of generation {current.generation} is in Secret {resource.secret_name}",
        )

    def _outcome(self, chosen: _Chosen, now: datetime) -> Outcome[ServiceIDStatus]:
        resource = chosen.resource
        status = resource.status.model_copy(
            update={
                "keys": keys.activated(resource.status.keys, chosen.current),
                "binding": Binding(name=resource.secret_name),
            }
        )
        ready = conditions.ready(f"API key {chosen.current.id} is in Secret {resource.secret_name}")
        again, end = self._secret_check_seconds(), keys.seconds_to_next_end(status.keys, now)
        again = again if end is None else min(again, max(end, 1.0))
        return Outcome(status, (*ready, *_no_conflict(resource)), again_after=again)

    def _conflict(self, resource: ServiceID, error: RefusedError) -> Outcome[ServiceIDStatus]:
        finding = Finding(CONFLICT, "True", error.reason, error.message)
        return Outcome(resource.status, (*conditions.refused(error), finding), again_after=CONFLICT_CHECK_SECONDS)

    def _secret_check_seconds(self) -> float:
        """Return `SECRET_CHECK_SECONDS`, ten per cent more or less, so that the checks of thousands spread out."""
        return SECRET_CHECK_SECONDS * (0.9 + 0.2 * self._context.entropy(1)[0] / 255)

    async def _forget(self, resource: ServiceID) -> None:
        """Remove the Secret and let the service ID go; its keys have left the keyring already."""
        if names.FINALIZER not in resource.metadata.finalizers:
            return
        kube, namespace = self._context.kube, resource.metadata.namespace
        secret = await kube.get(SECRETS, namespace, resource.secret_name)
        if secret is not None and credentials.is_ours(secret, resource):
            uid, version = secret["metadata"]["uid"], secret["metadata"]["resourceVersion"]
            await kube.delete(SECRETS, namespace, resource.secret_name, uid=uid, resource_version=version)
        await finalizer.drop(kube, SERVICE_IDS, resource)
        logger.info(
            "Revoked keys",
            extra={
                "namespace": namespace,
                "service_id": resource.metadata.name,
                "key_ids": [key.id for key in resource.status.keys],
            },
        )


def _no_conflict(resource: ServiceID) -> tuple[Finding, ...]:
    """Take back a conflict that was reported; say nothing where there never was one."""
    reported = any(condition.type == CONFLICT for condition in resource.status.conditions)
    return (Finding(CONFLICT, "False", Reason.READY),) if reported else ()
