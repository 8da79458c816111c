"""A small client of the Kubernetes API, without a package to import: enough to start a cluster and fake its nodes."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

from local.certificates import Authority

# JSON from the API server: typed no further, each reader takes the few fields it needs.
Object = dict[str, Any]

TIMEOUT_SECONDS = 10.0
WATCH_SECONDS = 240
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Refused(Exception):  # noqa: N818  # an answer, not a mishap
    """The API server answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class API:
    """Requests of one client certificate; a connection for each, so it may be used from several threads."""

    def __init__(self, server: str, authority: Authority, user: str) -> None:
        self._address = urlsplit(server)
        self._context = ssl.create_default_context(cafile=str(authority.certificate))
        client = authority.issued(user)
        self._context.load_cert_chain(client.certificate, client.key)

    def answers(self, path: str) -> bool:
        """Say whether a GET of `path` is answered with 200; whatever else happens is a no."""
        try:
            self._request("GET", path)
        except (OSError, http.client.HTTPException, Refused):
            return False
        return True

    def get(self, path: str) -> Object:
        """Return an object or list. Raises Refused, and OSError when the server is not there; so do the others."""
        return self._json("GET", path)

    def create(self, path: str, body: Object) -> Object | None:
        """Create an object in the collection `path`; None when it exists already."""
        try:
            return self._json("POST", path, body)
        except Refused as refused:
            if refused.status == http.client.CONFLICT:
                return None
            raise

    def patch(self, path: str, body: Object, kind: str = MERGE_PATCH) -> Object:
        return self._json("PATCH", path, body, kind)

    def delete(self, path: str, body: Object | None = None) -> None:
        self._request("DELETE", path, body)

    def watch(self, path: str, resource_version: str) -> Iterator[Object]:
        """Yield the events of a collection after `resource_version`, until the server ends the watch."""
        query = urlencode({"watch": "true", "resourceVersion": resource_version, "timeoutSeconds": WATCH_SECONDS})
        with closing(self._connect(WATCH_SECONDS + TIMEOUT_SECONDS)) as connection:
            connection.request("GET", f"{path}?{query}")
            response = connection.getresponse()
            _check(response)
            while line := response.readline():
                yield json.loads(line)

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        host, port = self._address.hostname or "", self._address.port
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context)

    def _json(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Object:
        answer: Object = json.loads(self._request(method, path, body, kind))
        return answer

    def _request(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> bytes:
        with closing(self._connect(TIMEOUT_SECONDS)) as connection:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": kind, "Accept": "application/json"})
            response = connection.getresponse()
            _check(response)
            return response.read()


def _check(response: http.client.HTTPResponse) -> None:
    if response.status >= http.client.BAD_REQUEST:
        raise Refused(response.status, response.read().decode(errors="replace")[:500])
