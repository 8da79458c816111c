"""The connection to an instance's Kafka: given to the other rooms only once it is known to be the right one."""

from eventstreams.core.errors import RefusedError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.kafka.config import KafkaConfig
from eventstreams.kafka.connections import Kafkas
from eventstreams.kafka.views import ClusterView


async def connect(kafkas: Kafkas, instance: Key, config: KafkaConfig, *, recorded: str | None) -> ClusterView:
    """Connect, and return the cluster that answers; `recorded` is the id that it must have, None for any.

    A new address or user is tried under a key of its own first: topics must not be made or deleted, not even for a
    moment, in a Kafka that is another one. Raises RefusedError(CLUSTER_ID_CHANGED), after which nobody has a
    connection, and NotYetError while Kafka does not answer.
    """
    current = kafkas.get(instance)
    try:
        if current is None or current.config != config:
            await _try(kafkas, Key(instance.namespace, f"{instance.name}/candidate"), config, recorded)
        view = await kafkas.connect(instance, config).cluster()
        _refuse_other(view, config, recorded)
    except RefusedError:
        await kafkas.disconnect(instance)
        raise
    return view


async def _try(kafkas: Kafkas, candidate: Key, config: KafkaConfig, recorded: str | None) -> None:
    try:
        _refuse_other(await kafkas.connect(candidate, config).cluster(), config, recorded)
    finally:
        await kafkas.disconnect(candidate)


def _refuse_other(view: ClusterView, config: KafkaConfig, recorded: str | None) -> None:
    if recorded is not None and view.cluster_id != recorded:
        raise RefusedError(
            Reason.CLUSTER_ID_CHANGED,
            f"{config.bootstrap_servers} is Kafka cluster {view.cluster_id}, this instance was made with {recorded}: "
            "bring that one back, or re-create the instance",
        )
