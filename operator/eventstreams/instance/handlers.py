"""What Kopf hears of instances: note and wake, also those that depend on them; all is decided later."""

from typing import Any, Final

import kopf

from eventstreams.api.instance import INSTANCE
from eventstreams.core import names
from eventstreams.instance.dependents import Dependents, instance_of
from eventstreams.runtime.context import Context
from eventstreams.runtime.store import key_of

DEPENDENTS: Final = Dependents()


@kopf.on.event(names.GROUP, names.VERSION, INSTANCE.plural)
async def instance_seen(event: kopf.RawEvent, memo: Context, **_: Any) -> None:
    """Keep the newest copy and wake its key; wake its topics and service IDs when what they rely on has changed."""
    memo.instances.seen(event)
    key = key_of(event["object"])
    if DEPENDENTS.are_concerned(key, memo.instances.store.get(key)):
        memo.topics.wake_where(lambda topic: instance_of(topic) == key)
        memo.service_ids.wake_where(lambda service_id: instance_of(service_id) == key)
