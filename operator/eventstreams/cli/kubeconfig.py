"""Which context of the kubeconfig is meant, and its namespace: read as kubectl does, without its client."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eventstreams.cli.failures import FailedError

IN_CLUSTER: Final = "in-cluster"
"""Name of the context of a pod that has no kubeconfig and uses its own account."""
_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Context:
    """A context: its name, its namespace, and the kubeconfig path or paths it was read from (None: in a pod)."""

    name: str
    namespace: str
    kubeconfig: str | None


def current(kubeconfig: str | None, context: str | None, environment: Mapping[str, str]) -> Context:
    """Return the context that is named, else the current one of the first file that has one.

    Raises FailedError when there is no kubeconfig, no such context, or a file cannot be read.
    """
    home = Path(environment.get("HOME", "~")).expanduser()
    paths = kubeconfig or environment.get("KUBECONFIG") or str(home / ".kube" / "config")
    files = list(_read(paths))
    if not files:
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in environment:
            return Context(IN_CLUSTER, _pod_namespace(), None)
        raise FailedError(f"there is no kubeconfig at {paths}", "name one with --kubeconfig or KUBECONFIG")
    name = context or next((one["current-context"] for one in files if one.get("current-context")), None)
    if name is None:
        raise FailedError(f"the kubeconfig {paths} has no current context", "name one with --context")
    for entry in (entry for one in files for entry in one.get("contexts") or ()):
        if entry["name"] == name:
            return Context(name, (entry.get("context") or {}).get("namespace") or "default", paths)
    raise FailedError(f"the kubeconfig {paths} has no context {name}", "kubectl config get-contexts lists those it has")


def _read(paths: str) -> Iterator[dict[str, Any]]:
    import yaml

    for path in paths.split(os.pathsep):
        if not path or not Path(path).is_file():
            continue
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise FailedError(f"the kubeconfig {path} cannot be read: {error}", "correct it") from error
        if isinstance(content, dict):
            yield content


def _pod_namespace() -> str:
    return _POD_NAMESPACE.read_text(encoding="utf-8").strip() if _POD_NAMESPACE.is_file() else "default"
