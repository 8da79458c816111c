"""The three kinds in one list, for whatever walks over all of them."""

from typing import Final

from eventstreams.api.instance import INSTANCE
from eventstreams.api.model import Kind
from eventstreams.api.serviceid import SERVICE_ID
from eventstreams.api.topic import TOPIC

KINDS: Final[tuple[Kind, ...]] = (INSTANCE, TOPIC, SERVICE_ID)
