"""Settings of the operator: every one, read once from `EVENTSTREAMS_*` by main/operator.py."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eventstreams.core.logs import LogFormat
from eventstreams.core.settings import Settings


class OperatorSettings(Settings):
    """What an operator process can be told. Times are in seconds."""

    watch_namespaces: str = ""
    """Namespaces to serve, with commas between; empty: all namespaces of the cluster (needs a ClusterRole)."""
    namespace: Annotated[str, Field(min_length=1)] = "default"
    """Namespace of the operator itself: its Lease lives there."""
    pod_name: str = ""
    """Name of the operator's pod, the holder of the Lease; empty: host name and a random number."""

    lease_name: Annotated[str, Field(min_length=1)] = "eventstreams-operator"
    """Name of the Lease that lets one replica at a time act."""
    lease_duration_seconds: Annotated[int, Field(ge=5, le=3600)] = 30
    """A Lease that was not renewed for so long may be taken by a standby. 5 to 3600."""
    lease_renew_deadline_seconds: Annotated[int, Field(ge=2, le=3600)] = 15
    """The holder stops itself when it could not renew for so long. Below lease_duration_seconds."""
    lease_retry_seconds: Annotated[float, Field(gt=0, le=600)] = 3
    """Seconds between two attempts to take or renew the Lease. Below lease_renew_deadline_seconds."""

    workers: Annotated[int, Field(ge=1, le=1000)] = 256
    """Objects of one kind that are worked on at the same time. Mostly they wait for a batch of calls. 1 to 1000."""
    resync_seconds: Annotated[int, Field(ge=5, le=86400)] = 120
    """Seconds between two sweeps that compare everything with the API server and Kafka, jittered. 5 to 86400."""
    retry_base_seconds: Annotated[float, Field(gt=0, le=60)] = 1
    """Wait after a first failure; doubled with each further one. Up to 60."""
    retry_cap_seconds: Annotated[float, Field(ge=1, le=3600)] = 120
    """Longest wait between two attempts. 1 to 3600."""
    reconcile_timeout_seconds: Annotated[int, Field(ge=10, le=3600)] = 120
    """Longest time one object may be worked on in one go. 10 to 3600."""
    shutdown_seconds: Annotated[int, Field(ge=1, le=600)] = 20
    """Time to finish what is in work after SIGTERM; below the pod's terminationGracePeriodSeconds. 1 to 600."""

    kube_timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 10
    """Timeout of one call to the Kubernetes API. Below lease_duration_seconds - lease_renew_deadline_seconds."""
    kube_connections: Annotated[int, Field(ge=10, le=1000)] = 100
    """Open connections to the Kubernetes API at most, watches included. 10 to 1000."""
    kafka_timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 10
    """Timeout of one call to Kafka. Below lease_duration_seconds - lease_renew_deadline_seconds."""

    health_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of /healthz, /readyz and /metrics on all addresses; 0: any free port."""
    log_format: LogFormat = "json"
    """`json`: one object a line; `text`: for a person."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least important level that is logged."""

    producer_image: str = "eventstreams-operator:dev"
    """Image of the REST producer's pods: the operator's own image."""
    kafka_image: str = "apache/kafka:4.3.1"
    """Image of the managed Kafka's pods: `java`, `bash` and `/opt/kafka/libs` are used of it."""
    kafka_version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")] = "4.3.1"
    """Version of the Kafka in kafka_image, recorded in an instance's status."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the nodes pull these images."""
    image_pull_secrets: str = ""
    """Names of Secrets for pulling these images, with commas between, in each instance's namespace."""

    @property
    def namespaces(self) -> tuple[str | None, ...]:
        """The namespaces to list and watch; None alone stands for all."""
        return _names(self.watch_namespaces) or (None,)

    @property
    def pull_secrets(self) -> tuple[str, ...]:
        """The names in image_pull_secrets."""
        return _names(self.image_pull_secrets)

    @model_validator(mode="after")
    def _acts_end_before_the_lease_does(self) -> Self:
        """Refuse timeouts that let an act begun just before the Lease's deadline go on when a standby may act."""
        spare = self.lease_duration_seconds - self.lease_renew_deadline_seconds
        if not self.lease_retry_seconds < self.lease_renew_deadline_seconds < self.lease_duration_seconds:
            raise ValueError(
                "lease_retry_seconds < lease_renew_deadline_seconds < lease_duration_seconds does not hold: "
                f"{self.lease_retry_seconds} < {self.lease_renew_deadline_seconds} < {self.lease_duration_seconds}"
            )
        for name in ("kube_timeout_seconds", "kafka_timeout_seconds"):
            if getattr(self, name) >= spare:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, it must be below lease_duration_seconds - "
                    f"lease_renew_deadline_seconds, which is {spare}"
                )
        return self


def _names(text: str) -> tuple[str, ...]:
    return tuple(sorted({name.strip() for name in text.split(",") if name.strip()}))
