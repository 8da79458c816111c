"""What Kopf hears of instances: note and wake; and who else is woken by an instance's change."""

from typing import Any

import kopf

from eventstreams.api.instance import INSTANCE, EventStreamsInstance
from eventstreams.core import names
from eventstreams.core.key import Key
from eventstreams.instance.dependents import relied_on
from eventstreams.runtime.context import Context


@kopf.on.event(names.GROUP, names.VERSION, INSTANCE.plural)
async def instance_seen(event: kopf.RawEvent, memo: Context, **_: Any) -> None:
    """Keep the newest copy and wake its key."""
    memo.instances.seen(event)


def wire(context: Context) -> None:
    """Have an instance's topics and service IDs woken whenever what they rely on changes."""

    def changed(key: Key, before: EventStreamsInstance | None, after: EventStreamsInstance | None) -> None:
        if relied_on(before) != relied_on(after):
            context.topics.wake_where(lambda topic: topic.instance_key == key)
            context.service_ids.wake_where(lambda service_id: service_id.instance_key == key)

    context.instances.store.subscribe(changed)
