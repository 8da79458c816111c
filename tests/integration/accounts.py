"""ServiceAccounts with the rights that a test gives, and kubeconfigs for them."""

import json
from collections.abc import Sequence
from pathlib import Path

from eventstreams.kube.apis import SERVICE_ACCOUNTS, Manifest
from eventstreams.kube.client import Kube

RBAC = "rbac.authorization.k8s.io"


def write_kubeconfig(path: Path, *, server: str, ca: str, token: str) -> Path:
    """Write a kubeconfig for a bearer token."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "test", "user": {"token": token}}],
    }
    path.write_text(json.dumps(config))
    return path


async def account(
    kube: Kube, namespace: str, path: Path, *, name: str = "tester", rules: Sequence[Manifest] = ()
) -> Path:
    """Make a ServiceAccount that has `rules` in its namespace and nothing else, and return a kubeconfig for it."""
    metadata = {"namespace": namespace, "name": name}
    await kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    if rules:
        await kube.create({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)})
        await kube.create(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            }
        )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await kube._call("POST", SERVICE_ACCOUNTS.path(namespace, name, "token"), body=request))["status"]["token"]
    credentials = await kube.credentials()
    return write_kubeconfig(path, server=credentials.server, ca=credentials.ca_path or "", token=token)
