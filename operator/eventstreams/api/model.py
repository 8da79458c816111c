"""What the three kinds share: the model base, CEL rules, conditions, object metadata, references.

These models are the single source of crds/*.yaml, the chart's copy and docs/reference/api.md (`make generate`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from eventstreams.core.key import Key


class Model(BaseModel):
    """Frozen value with camelCase names on the wire. Unknown fields are dropped, as the API server prunes them."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule; `says` is the message a user reads when it refuses, without a trailing full stop."""

    cel: str
    says: str


def rules(*given: Rule) -> dict[str, Any]:
    """Return the schema extension that carries CEL rules, for `json_schema_extra` of a model or a field."""
    return {"x-kubernetes-validations": [{"rule": rule.cel, "message": rule.says} for rule in given]}


def never_changes(field: str, *, required: bool = False) -> Rule:
    """Return the parent's rule that keeps `field` as it was, also against removing and re-adding it."""
    says = f"{field} never changes: delete and re-create the resource"
    if required:
        return Rule(f"self.{field} == oldSelf.{field}", says)
    return Rule(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})", says
    )


def no_schema_default(schema: dict[str, Any]) -> None:
    """Keep a default out of the CRD, for `json_schema_extra`: what excludes this field may come beside it one day."""
    schema.pop("default", None)


class Metadata(Model):
    """The part of ObjectMeta that the operator reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()


class Condition(Model):
    """One condition, as the Kubernetes API conventions have it."""

    type: str
    """What is judged, for example Ready."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: str
    """One word for programs; listed with its cure in docs/reference/reasons.md."""
    message: str = ""
    """One sentence for a person."""
    last_transition_time: datetime
    """When `status` last changed."""
    observed_generation: int = 0
    """The generation of the resource that this was judged on."""


class Status(Model):
    """What every status has."""

    observed_generation: int = -1
    """The generation that the operator last judged; -1 on a new object, so that it does not count as current."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    """Ready, Reconciling, Stalled, and what the kind adds."""


class InstanceReference(Model):
    """The EventStreamsInstance that a resource belongs to."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    """Name of the instance."""
    namespace: Annotated[str | None, Field(max_length=63)] = None
    """Namespace of the instance; absent: the resource's own namespace."""

    def seen_from(self, namespace: str) -> Key:
        """Return the key of the instance for a resource in `namespace`."""
        return Key(self.namespace or namespace, self.name)


SAME_INSTANCE = Rule(
    "self.instanceRef.name == oldSelf.instanceRef.name && "
    "has(self.instanceRef.__namespace__) == has(oldSelf.instanceRef.__namespace__) && "
    "(!has(self.instanceRef.__namespace__) || self.instanceRef.__namespace__ == oldSelf.instanceRef.__namespace__)",
    "instanceRef never changes: delete and re-create the resource",
)


class SecretReference(Model):
    """A Secret in the namespace of the resource that names it."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the Secret."""


Quantity = Annotated[
    int | str,
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            # resource.Quantity of apimachinery: number, then a binary, decimal or exponent suffix
            "pattern": r"^[0-9]+(\.[0-9]*)?(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$",
        }
    ),
]


class Resources(Model):
    """Compute resources of a container, as in a Pod."""

    requests: dict[str, Quantity] = Field(default_factory=dict)
    """What the scheduler sets aside."""
    limits: dict[str, Quantity] = Field(default_factory=dict)
    """What the container never exceeds."""


class Resource(Model):
    """What every object of our kinds has."""

    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. `priority` 1 shows it with `-o wide` only."""

    name: str
    path: str
    type: Literal["string", "integer", "date"] = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """A custom resource: its names, its models, and what its CustomResourceDefinition says beside the schema."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    spec: type[Model]
    status: type[Status]
    resource: type[Resource]
    columns: Sequence[Column]
    root_rules: Sequence[Rule] = ()
