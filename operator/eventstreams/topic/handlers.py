"""What Kopf calls for Topics: note and wake, nothing else."""

from typing import Any

import kopf

from eventstreams.api.topic import TOPIC
from eventstreams.core.names import GROUP, VERSION
from eventstreams.runtime.context import Context


@kopf.on.event(GROUP, VERSION, TOPIC.plural)
async def topic_seen(event: kopf.RawEvent, memo: Context, **_: Any) -> None:
    """Keep the newest copy and wake its key; all decisions are made later, from the whole state."""
    memo.topics.seen(event)
