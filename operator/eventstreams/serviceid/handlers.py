"""What Kopf hears of service IDs: note and wake; all is decided later, from the whole state."""

from typing import Any

import kopf

from eventstreams.api.serviceid import SERVICE_ID
from eventstreams.core import names
from eventstreams.runtime.context import Context


@kopf.on.event(names.GROUP, names.VERSION, SERVICE_ID.plural)
async def service_id_seen(event: kopf.RawEvent, memo: Context, **_: Any) -> None:
    """Keep the newest copy and wake its key."""
    memo.service_ids.seen(event)
