"""A small client of the Kubernetes API: raw JSON objects in and out, every call with a timeout, errors by turn.

Configuration, credentials (with refresh) and TLS come from the official `kubernetes.aio` package; its generated
models do not: an object stays the dict that the server sent. Every call that changes something asks `guard` first
(the Lease's fence), so that a process which lost its Lease cannot act.
"""

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from eventstreams.core.errors import NotYetError
from eventstreams.core.names import FIELD_MANAGER
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import API, SECRETS, Manifest, api_of
from eventstreams.kube.errors import ExpiredError, NotFoundError, error_of

PAGE: Final = 500
"""Objects per page of a list: what client-go asks for."""
WATCH_SECONDS: Final = 300
"""After this long the server ends a watch and the client opens the next one where it stopped."""
WATCH_SILENCE_SECONDS: Final = 75
"""A bookmark comes every 60 s: a longer silence means that the connection is dead."""

_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a list, and the resourceVersion at which it was true."""

    items: tuple[Manifest, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. A BOOKMARK's object holds a resourceVersion and nothing else of use."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Manifest

    @property
    def resource_version(self) -> str:
        """The resourceVersion to go on from after this event."""
        return str(self.object["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Credentials:
    """What another client needs to reach the same API server as the same user."""

    server: str
    ca_path: str | None
    insecure: bool
    authorization: str | None
    certificate_path: str | None
    private_key_path: str | None


def _allow() -> None:
    """Guard of a process that needs no Lease: the command line and tests."""


class Kube:
    """The Kubernetes API. One per process; `guarded` gives a second face on the same connections."""

    def __init__(
        self,
        rest: RESTClientObject,
        *,
        timeout_seconds: float,
        user_agent: str,
        guard: Callable[[], None] = _allow,
    ) -> None:
        self._rest = rest
        self._timeout_seconds = timeout_seconds
        self._user_agent = user_agent
        self._guard = guard

    @classmethod
    async def connect(
        cls,
        *,
        timeout_seconds: float,
        user_agent: str,
        kubeconfig: str | None = None,
        context: str | None = None,
        connections: int = 100,
    ) -> "Kube":
        """Return a client for the cluster that `kubeconfig` names, else the pod's own, else the default kubeconfig.

        Raises NotYetError when there is no usable configuration.
        """
        configuration = Configuration()
        configuration.connection_pool_maxsize = connections
        try:
            if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
                kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # untyped package
            else:
                await kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # untyped package
                    config_file=kubeconfig or os.environ.get("KUBECONFIG"),
                    context=context,
                    client_configuration=configuration,
                    persist_config=False,
                )
        except (kube_config.ConfigException, OSError) as error:
            raise NotYetError(
                Reason.API_UNAVAILABLE,
                f"no usable Kubernetes configuration: {error}; set KUBECONFIG or run inside a pod",
            ) from error
        return cls(RESTClientObject(configuration), timeout_seconds=timeout_seconds, user_agent=user_agent)

    def guarded(self, guard: Callable[[], None]) -> "Kube":
        """Return the same client whose every changing call runs `guard` first; closing either closes both."""
        return Kube(self._rest, timeout_seconds=self._timeout_seconds, user_agent=self._user_agent, guard=guard)

    def check(self) -> None:
        """Run the guard by itself, before a row of steps that make sense only for the holder of the Lease."""
        self._guard()

    async def close(self) -> None:
        """Close all connections."""
        await self._rest.close()

    async def credentials(self) -> Credentials:
        """Return how this client reaches the server, with the token of this moment."""
        configuration = self._rest.configuration
        return Credentials(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            authorization=await self._authorization(),
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
        )

    async def get(self, api: API, namespace: str | None, name: str) -> Manifest | None:
        """Return an object, or None when it does not exist."""
        try:
            return await self._call("GET", api.path(namespace, name))
        except NotFoundError:
            return None

    async def list(self, api: API, namespace: str | None, *, labels: str = "", metadata_only: bool = False) -> Listed:
        """Return all objects of one namespace, or of all when it is None, in one consistent state.

        `metadata_only`: objects come without spec, status and data. Raises NotFoundError when the API is not there.
        """
        while True:
            try:
                return await self._list(api, namespace, labels=labels, metadata_only=metadata_only)
            except ExpiredError:  # the pages took longer than the server keeps old versions: from the start
                continue

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object. Raises AlreadyExistsError."""
        self._guard()
        api, namespace, _ = _place(manifest)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("POST", api.path(namespace), query=query, body=manifest)

    async def apply(self, manifest: Manifest, *, manager: str = FIELD_MANAGER, force: bool = True) -> Manifest:
        """Make the fields in `manifest` so, creating the object when needed (server-side apply).

        Not by `force`: raises ChangedError where somebody else has given one of the fields another value.
        """
        self._guard()
        api, namespace, name = _place(manifest)
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._call(
            "PATCH", api.path(namespace, name), query=query, body=manifest, content="application/apply-patch+yaml"
        )

    async def replace(self, manifest: Manifest) -> Manifest:
        """Replace a whole object as it was at the manifest's resourceVersion. Raises ChangedError, NotFoundError."""
        self._guard()
        api, namespace, name = _place(manifest)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("PUT", api.path(namespace, name), query=query, body=manifest)

    async def patch(
        self, api: API, namespace: str | None, name: str, body: Manifest, *, subresource: str = ""
    ) -> Manifest:
        """Merge `body` into an object (RFC 7386: null removes, lists are replaced).

        A `metadata.resourceVersion` in `body` is a precondition, and enough of one: no two objects ever have the same
        (`metadata.uid` is ignored by a patch of a status). Raises ChangedError, NotFoundError.
        """
        self._guard()
        path = api.path(namespace, name, subresource)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("PATCH", path, query=query, body=body, content="application/merge-patch+json")

    async def delete(
        self, api: API, namespace: str | None, name: str, *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object; its dependents follow in the background. One that is gone is a success.

        Raises ChangedError when it is not the one with `uid` or not at `resource_version` any more.
        """
        self._guard()
        wanted = {"uid": uid, "resourceVersion": resource_version}
        body: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if preconditions := {key: value for key, value in wanted.items() if value}:
            body["preconditions"] = preconditions
        try:
            await self._call("DELETE", api.path(namespace, name), body=body)
        except NotFoundError:
            return

    async def watch(
        self, api: API, namespace: str | None, *, labels: str = "", resource_version: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Yield the changes after `resource_version` until the server ends the stream, normally after 5 minutes.

        Raises ExpiredError when that version is too old, NotYetError when the connection is dead or refused.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
            "resourceVersion": resource_version,
            "labelSelector": labels,
        }
        call = f"WATCH {api.path(namespace)}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_seconds, sock_read=WATCH_SILENCE_SECONDS)
        try:
            response = await self._send("GET", _url(api.path(namespace), query), limit=timeout)
            async with response:
                if response.status != 200:  # noqa: PLR2004
                    raise error_of(response.status, await _said(response), call)
                async for line in _lines(response.content):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise error_of(int(event["object"].get("code", 500)), event["object"], call)
                    yield WatchEvent(event["type"], event["object"])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _no_answer(call, error) from error

    async def _list(self, api: API, namespace: str | None, *, labels: str, metadata_only: bool) -> Listed:
        items: list[Manifest] = []
        token, version = "", ""
        while True:
            query = {"limit": str(PAGE), "labelSelector": labels, "continue": token}
            accept = _METADATA_ONLY if metadata_only else "application/json"
            page = await self._call("GET", api.path(namespace), query=query, accept=accept)
            version = version or page["metadata"]["resourceVersion"]
            for item in page["items"] or ():  # null when a list of metadata is empty
                item["apiVersion"], item["kind"] = api.api_version, api.kind
                items.append(item)
            token = page["metadata"].get("continue", "")
            if not token:
                return Listed(tuple(items), version)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> Manifest:
        """Send one request and return the JSON object it answers. Raises what `kube.errors` lists."""
        call = f"{method} {path}"
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
        headers = {"Accept": accept, "Content-Type": content}
        try:
            response = await self._send(method, _url(path, query or {}), limit=timeout, body=body, headers=headers)
            async with response:
                said = await _said(response)
                if response.status < 300:  # noqa: PLR2004
                    return said
                if f"/{SECRETS.plural}" in path and body is not None:
                    said.pop("message", None)  # a refusal may quote the values that were sent
                retry_after = response.headers.get("Retry-After", "")
                raise error_of(response.status, said, call, float(retry_after) if retry_after.isdigit() else None)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _no_answer(call, error) from error

    async def _send(
        self,
        method: str,
        url: str,
        *,
        limit: aiohttp.ClientTimeout,
        body: Manifest | None = None,
        headers: dict[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        sent = {"User-Agent": self._user_agent, **(headers or {"Accept": "application/json"})}
        if authorization := await self._authorization():
            sent["Authorization"] = authorization
        answer = await self._rest.request(  # type: ignore[no-untyped-call]  # untyped package
            method, self._rest.configuration.host + url, headers=sent, body=body, _request_timeout=limit
        )
        response: aiohttp.ClientResponse = answer.response
        return response

    async def _authorization(self) -> str | None:
        """Return the header's value; the package's hook renews a token that is about to end."""
        settings = await self._rest.configuration.auth_settings()
        token = settings.get("BearerToken")
        return None if token is None else token["value"]


def _place(manifest: Manifest) -> tuple[API, str | None, str]:
    metadata = manifest["metadata"]
    return api_of(manifest), metadata.get("namespace"), metadata.get("name", "")


def _url(path: str, query: Mapping[str, str]) -> str:
    given = {key: value for key, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


async def _said(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the JSON object of an answer; a proxy's HTML page becomes a message."""
    body = await response.read()
    try:
        said = json.loads(body)
    except ValueError:
        said = {"message": body[:200].decode(errors="replace")}
    return said if isinstance(said, dict) else {"message": str(said)[:200]}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield whole lines of any length: an event may be larger than aiohttp's own limit for a line."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        if b"\n" in chunk:
            *whole, tail = rest.split(b"\n")
            for line in whole:
                if line:
                    yield bytes(line)
            rest = bytearray(tail)


def _no_answer(call: str, error: Exception) -> NotYetError:
    why = str(error) or type(error).__name__
    return NotYetError(Reason.API_UNAVAILABLE, f"the Kubernetes API does not answer {call}: {why}")
