"""Our rights in Kafka's words: AclRule to AclBinding and back."""

from typing import Any, Final

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from eventstreams.kafka.views import AclRule, Operation, Pattern, ResourceKind

_RESOURCES: Final[dict[ResourceKind, ResourceType]] = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,  # librdkafka's name of the CLUSTER resource, whose name is kafka-cluster
}
_PATTERNS: Final[dict[Pattern, ResourcePatternType]] = {
    "literal": ResourcePatternType.LITERAL,
    "prefixed": ResourcePatternType.PREFIXED,
}
_OPERATIONS: Final[dict[Operation, AclOperation]] = {
    "read": AclOperation.READ,
    "write": AclOperation.WRITE,
    "create": AclOperation.CREATE,
    "delete": AclOperation.DELETE,
    "alter": AclOperation.ALTER,
    "describe": AclOperation.DESCRIBE,
    "describe-configs": AclOperation.DESCRIBE_CONFIGS,
    "alter-configs": AclOperation.ALTER_CONFIGS,
    "idempotent-write": AclOperation.IDEMPOTENT_WRITE,
}
_RESOURCE_OF: Final[dict[object, ResourceKind]] = {theirs: ours for ours, theirs in _RESOURCES.items()}
_PATTERN_OF: Final[dict[object, Pattern]] = {theirs: ours for ours, theirs in _PATTERNS.items()}
_OPERATION_OF: Final[dict[object, Operation]] = {theirs: ours for ours, theirs in _OPERATIONS.items()}
_ANY_HOST: Final = "*"
_USER: Final = "User:"


def binding(rule: AclRule) -> AclBinding:
    """Return the rule as Kafka's client wants it: allowed, from any host."""
    return AclBinding(
        _RESOURCES[rule.resource],
        rule.name,
        _PATTERNS[rule.pattern],
        _USER + rule.user,
        _ANY_HOST,
        _OPERATIONS[rule.operation],
        AclPermissionType.ALLOW,
    )


def rule(given: AclBinding) -> AclRule | None:
    """Return the rule that a binding is, None when it is none of ours (denied, one host, another operation)."""
    rule = AclRule(
        user=given.principal.removeprefix(_USER),
        resource=_RESOURCE_OF.get(given.restype, "topic"),
        name=given.name,
        operation=_OPERATION_OF.get(given.operation, "read"),
        pattern=_PATTERN_OF.get(given.resource_pattern_type, "literal"),
    )
    return rule if binding(rule) == given else None


def everything_of(user: str | None) -> AclBindingFilter:
    """Return the filter that matches every binding of a user, of all users when None."""
    anything: Any = None  # the client's own way to say "any", which its types do not know
    return AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        anything if user is None else _USER + user,
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
