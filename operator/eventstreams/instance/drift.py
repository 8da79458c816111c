"""Whether a live object still is what we made it: then nothing is sent. Pure.

Two questions in one comparison. Each object carries the digest of what we last applied, so a field that we gave up is
noticed; and each field that we set must still be there, so that somebody's edit is. What others add stays theirs:
defaults of the API server, annotations, sidecars.
"""

from typing import Any, Final

from eventstreams.core import names
from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance.builders.common import Manifest, digest
from eventstreams.instance.quantities import number_of

APPLIED_DIGEST: Final = f"{names.GROUP}/applied-digest"

_ELEMENT_KEYS: Final = {
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "ownerReferences": "uid",
    "ports": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists whose elements the API server merges by a key; in all others an additional element is a difference."""
_WHOLE_MAPS: Final = frozenset({"matchLabels", "selector"})
"""Maps in which an additional key is a difference too: one more label, and a Service finds no pod any more."""


def stamped(wanted: Manifest) -> Manifest:
    """Return the manifest with the digest of itself as an annotation."""
    annotations = wanted["metadata"].get("annotations") or {}
    metadata = wanted["metadata"] | {"annotations": annotations | {APPLIED_DIGEST: digest(wanted)}}
    return wanted | {"metadata": metadata}


def is_as_applied(wanted: Manifest, live: Manifest) -> bool:
    """Tell whether `live` is what applying the stamped `wanted` would make of it."""
    return _holds(wanted, live)


def refuse_foreign(live: Manifest, *, instance: str, uid: str) -> None:
    """Raise when a live object does not belong to the instance of this name and UID.

    RefusedError for an object that somebody else made: credentials of a ServiceID too, which may name its Secret as
    it likes. NotYetError for one of an instance that had the same name
    before: Kubernetes is about to collect it. One without any owner is adopted.
    """
    kind, metadata = live["kind"], live["metadata"]
    labels = metadata.get("labels") or {}
    is_ours = labels.get(names.MANAGED_BY) == names.MANAGED_BY_VALUE and labels.get(names.INSTANCE_LABEL) == instance
    if not is_ours or names.SERVICE_ID_LABEL in labels:
        raise RefusedError(
            Reason.SECRET_CONFLICT if kind == "Secret" else Reason.OBJECT_CONFLICT,
            f"{kind} {metadata['name']} exists and does not belong to this instance, it is not touched: "
            "delete or rename it",
        )
    owners = [one for one in metadata.get("ownerReferences") or () if one["kind"] == "EventStreamsInstance"]
    if any(one["uid"] != uid for one in owners):
        raise NotYetError(
            Reason.RECONCILING,
            f"{kind} {metadata['name']} belongs to a former instance of this name and is about to go",
            delay=2,
        )


def _holds(ours: Any, live: Any, field: str = "") -> bool:  # noqa: ANN401  # JSON from the API server
    if isinstance(ours, dict):
        theirs = live if isinstance(live, dict) else {}
        if field in _WHOLE_MAPS and theirs.keys() != ours.keys():
            return False
        return all(_holds(value, theirs.get(key), key) for key, value in ours.items())
    if isinstance(ours, list):
        return _list_holds(ours, live if isinstance(live, list) else [], _ELEMENT_KEYS.get(field, ""))
    if ours == live:
        return True
    number = number_of(ours)
    return number is not None and number == number_of(live)


def _list_holds(ours: list[Any], live: list[Any], key: str) -> bool:
    if key and all(isinstance(one, dict) and key in one for one in (*ours, *live)):
        by_key = {one[key]: one for one in live}
        return all(_holds(one, by_key.get(one[key])) for one in ours)
    return len(ours) == len(live) and all(_holds(one, other) for one, other in zip(ours, live, strict=True))
