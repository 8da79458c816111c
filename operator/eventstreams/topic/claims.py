"""Who holds a Kafka topic when several Topics name it: two instances may stand before one Kafka. Pure.

A claim is on (Kafka's cluster id, Kafka's name of the topic). Claimants that are being deleted stand behind live ones,
so a topic that somebody still declares is handed over, never deleted. Among equals: who has recorded Kafka's id of
the topic as it is now, else the oldest, else the smaller UID.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from eventstreams.core.key import Key


@dataclass(frozen=True, slots=True)
class Claimant:
    """A Topic that names the Kafka topic. `recorded_id` is Kafka's id in its status."""

    key: Key
    uid: str
    created: datetime
    recorded_id: str | None = None
    is_deleting: bool = False


def holder(claimants: Iterable[Claimant], topic_id: str | None) -> Claimant:
    """Return the one claimant that may act on the topic; `topic_id` is Kafka's, None when there is no such topic.

    Whatever their order, the answer is the same. Raises ValueError without claimants.
    """

    def rank(one: Claimant) -> tuple[bool, bool, datetime, str]:
        is_recorded = topic_id is not None and one.recorded_id == topic_id
        return one.is_deleting, not is_recorded, one.created, one.uid

    return min(claimants, key=rank)


class Names:
    """Which Topics name which Kafka topic: an index, so that no decision walks over all Topics.

    Told of every change of the store; two instances may use one Kafka, so who asks still compares the cluster.
    """

    def __init__(self) -> None:
        self._name_of: dict[Key, str] = {}
        self._keys_of: dict[str, set[Key]] = {}

    def note(self, key: Key, name: str) -> None:
        """Remember that the Topic `key` names the Kafka topic `name`."""
        if self._name_of.get(key) != name:
            self.forget(key)
            self._name_of[key] = name
            self._keys_of.setdefault(name, set()).add(key)

    def forget(self, key: Key) -> None:
        """Forget a Topic that is gone."""
        name = self._name_of.pop(key, None)
        if name is not None:
            self._keys_of[name].discard(key)
            if not self._keys_of[name]:
                del self._keys_of[name]

    def same_as(self, key: Key) -> frozenset[Key]:
        """Return all Topics that name the same Kafka topic as `key`, itself among them."""
        return frozenset(self._keys_of.get(self._name_of.get(key, ""), ()))
