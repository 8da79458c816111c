"""The key of a namespaced object: what stores, queues and connections are indexed by."""

from typing import NamedTuple

from typing_extensions import override


class Key(NamedTuple):
    """Namespace and name of one object; its kind is known from where the key is used."""

    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
