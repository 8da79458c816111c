"""The client against a real API server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from eventstreams.api.topic import Topic
from eventstreams.core.errors import NotYetError
from eventstreams.core.names import FINALIZER
from eventstreams.kube import events, finalizer
from eventstreams.kube.apis import CONFIG_MAPS, EVENTS, NAMESPACES, SECRETS, TOPICS, Manifest
from eventstreams.kube.client import Kube, WatchEvent
from eventstreams.kube.errors import (
    AlreadyExistsError,
    ChangedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from integration.accounts import account, write_kubeconfig
from integration.waiting import eventually

pytestmark = pytest.mark.integration


def config_map(namespace: str, name: str = "one", data: dict[str, str] | None = None) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name},
        "data": data or {"a": "1"},
    }


def topic(namespace: str, name: str = "orders", **spec: Any) -> Manifest:
    return {
        "apiVersion": TOPICS.api_version,
        "kind": TOPICS.kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"instanceRef": {"name": "demo"}, **spec},
    }


async def test_what_was_created_is_read_back_and_a_second_create_is_told_apart(kube: Kube, namespace: str) -> None:
    created = await kube.create(config_map(namespace))

    assert await kube.get(CONFIG_MAPS, namespace, "one") == created
    with pytest.raises(AlreadyExistsError):
        await kube.create(config_map(namespace))


async def test_what_does_not_exist_is_none_to_get_and_a_success_to_delete(kube: Kube, namespace: str) -> None:
    assert await kube.get(CONFIG_MAPS, namespace, "none") is None
    await kube.delete(CONFIG_MAPS, namespace, "none")
    with pytest.raises(NotFoundError):
        await kube.patch(CONFIG_MAPS, namespace, "none", {"data": {}})


async def test_apply_takes_over_fields_that_somebody_else_holds_and_leaves_the_others(
    kube: Kube, namespace: str
) -> None:
    await kube.create(config_map(namespace, data={"a": "theirs", "b": "theirs"}))

    applied = await kube.apply(config_map(namespace, data={"a": "ours"}))

    assert applied["data"] == {"a": "ours", "b": "theirs"}


async def test_apply_removes_what_an_earlier_apply_of_ours_had_set(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace, data={"a": "1", "b": "2"}))

    applied = await kube.apply(config_map(namespace, data={"a": "1"}))

    assert applied["data"] == {"a": "1"}


async def test_equal_applies_write_once(kube: Kube, namespace: str) -> None:
    first = await kube.apply(config_map(namespace))
    second = await kube.apply(config_map(namespace))

    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_a_status_patch_on_an_old_state_is_refused(kube: Kube, namespace: str) -> None:
    old = await kube.create(topic(namespace))
    await kube.patch(TOPICS, namespace, "orders", {"metadata": {"labels": {"edited": "yes"}}})

    body = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "status": {"partitions": 3}}
    with pytest.raises(ChangedError):
        await kube.patch(TOPICS, namespace, "orders", body, subresource="status")


async def test_replace_needs_the_newest_state(kube: Kube, namespace: str) -> None:
    old = await kube.create(config_map(namespace))
    await kube.replace({**old, "data": {"a": "2"}})

    with pytest.raises(ChangedError):
        await kube.replace({**old, "data": {"a": "3"}})


@pytest.mark.parametrize("precondition", ["uid", "resource_version"])
async def test_a_delete_with_a_precondition_spares_what_is_not_meant(
    kube: Kube, namespace: str, precondition: str
) -> None:
    stored = await kube.create(config_map(namespace))
    other = {"uid": "00000000-0000-0000-0000-000000000000", "resource_version": "1"}

    with pytest.raises(ChangedError):
        await kube.delete(CONFIG_MAPS, namespace, "one", **{precondition: other[precondition]})
    assert await kube.get(CONFIG_MAPS, namespace, "one") == stored


async def test_content_that_the_schema_refuses_is_our_bug(kube: Kube, namespace: str) -> None:
    with pytest.raises(InvalidError, match="partitions"):
        await kube.create(topic(namespace, partitions=0))


async def test_a_refused_secret_is_not_quoted(kube: Kube, namespace: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": "one"},
        "data": {"password": ["hunter2"]},
    }

    with pytest.raises((InvalidError, NotYetError)) as refusal:
        await kube.apply(secret)

    assert "hunter2" not in str(refusal.value)


async def test_a_list_is_complete_over_several_pages_and_its_items_say_what_they_are(
    kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstreams.kube.client.PAGE", 3)
    for number in range(8):
        await kube.create(config_map(namespace, f"many-{number}"))

    listed = await kube.list(CONFIG_MAPS, namespace)

    names = {item["metadata"]["name"] for item in listed.items if item["metadata"]["name"].startswith("many-")}
    assert names == {f"many-{number}" for number in range(8)}
    assert {(item["apiVersion"], item["kind"]) for item in listed.items} == {("v1", "ConfigMap")}


async def test_a_list_of_metadata_holds_no_content(kube: Kube, namespace: str) -> None:
    await kube.create(topic(namespace))

    listed = await kube.list(TOPICS, namespace, metadata_only=True)

    assert [item["metadata"]["name"] for item in listed.items] == ["orders"]
    assert "spec" not in listed.items[0]


async def test_a_watch_tells_every_change_after_the_list(kube: Kube, namespace: str) -> None:
    listed = await kube.list(SECRETS, namespace)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "one"}}
    seen: list[WatchEvent] = []

    await kube.create(secret)
    await kube.patch(SECRETS, namespace, "one", {"metadata": {"labels": {"a": "b"}}})
    await kube.delete(SECRETS, namespace, "one")
    async with asyncio.timeout(10):
        async for event in kube.watch(SECRETS, namespace, resource_version=listed.resource_version):
            seen.append(event)
            if event.type == "DELETED":
                break

    assert [event.type for event in seen] == ["ADDED", "MODIFIED", "DELETED"]


async def test_an_event_of_many_chunks_comes_through_a_watch_whole(kube: Kube, namespace: str) -> None:
    listed = await kube.list(CONFIG_MAPS, namespace)
    large = "0123456789\n" * 80_000

    await kube.create(config_map(namespace, "large", {"text": large}))
    async with asyncio.timeout(10):
        async for event in kube.watch(CONFIG_MAPS, namespace, resource_version=listed.resource_version):
            if event.object["metadata"]["name"] == "large":
                break

    assert event.object["data"]["text"] == large


async def test_an_api_server_that_is_not_there_is_the_worlds_turn(kube: Kube, tmp_path: Path) -> None:
    ca = (await kube.credentials()).ca_path or ""
    config = write_kubeconfig(tmp_path / "kubeconfig", server="https://127.0.0.1:1", ca=ca, token="none")
    nobody = await Kube.connect(timeout_seconds=5, user_agent="tests", kubeconfig=str(config))

    with pytest.raises(NotYetError, match="does not answer GET /api/v1/namespaces/default"):
        await nobody.get(NAMESPACES, None, "default")
    await nobody.close()


async def test_a_missing_right_is_told_apart(kube: Kube, namespace: str, tmp_path: Path) -> None:
    config = await account(kube, namespace, tmp_path / "kubeconfig", name="nobody")
    nobody = await Kube.connect(timeout_seconds=5, user_agent="tests", kubeconfig=str(config))

    with pytest.raises(ForbiddenError, match=f"{namespace}:nobody"):
        await nobody.list(CONFIG_MAPS, namespace)
    await nobody.close()


async def test_a_configuration_that_is_not_there_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(NotYetError, match="KUBECONFIG"):
        await Kube.connect(timeout_seconds=5, user_agent="tests", kubeconfig=str(tmp_path / "none"))


async def test_the_guard_stops_every_call_that_changes_something_and_no_read(kube: Kube, namespace: str) -> None:
    class LostError(Exception):
        pass

    def guard() -> None:
        raise LostError

    fenced = kube.guarded(guard)
    manifest = config_map(namespace)

    for call in (
        fenced.create(manifest),
        fenced.apply(manifest),
        fenced.replace(manifest),
        fenced.patch(CONFIG_MAPS, namespace, "one", {}),
        fenced.delete(CONFIG_MAPS, namespace, "one"),
    ):
        with pytest.raises(LostError):
            await call
    assert await fenced.get(CONFIG_MAPS, namespace, "one") is None


async def test_a_finalizer_is_put_on_once_and_taken_off_when_the_object_goes(kube: Kube, namespace: str) -> None:
    created = Topic.model_validate(await kube.create(topic(namespace)))

    stored = await finalizer.add(kube, TOPICS, created)
    assert stored is not None
    held = Topic.model_validate(stored)
    assert await finalizer.add(kube, TOPICS, held) is None
    await kube.delete(TOPICS, namespace, "orders")
    going = await kube.get(TOPICS, namespace, "orders")
    assert going is not None
    assert going["metadata"]["finalizers"] == [FINALIZER]
    await finalizer.drop(kube, TOPICS, Topic.model_validate(going))

    assert await kube.get(TOPICS, namespace, "orders") is None
    await finalizer.drop(kube, TOPICS, Topic.model_validate(going))


async def test_a_finalizer_is_not_put_on_what_somebody_changed_meanwhile(kube: Kube, namespace: str) -> None:
    created = Topic.model_validate(await kube.create(topic(namespace)))
    await kube.patch(TOPICS, namespace, "orders", {"metadata": {"finalizers": ["example.com/theirs"]}})

    with pytest.raises(ChangedError):
        await finalizer.add(kube, TOPICS, created)


async def test_an_event_shows_with_its_object(kube: Kube, namespace: str) -> None:
    created = Topic.model_validate(await kube.create(topic(namespace)))

    await events.emit(kube, created, type="Warning", reason="KafkaRefused", message="no " * 1000)

    async def posted() -> Manifest | None:
        listed = await kube.list(EVENTS, namespace)
        return listed.items[0] if listed.items else None

    event = await eventually(posted, "the event")
    assert event["involvedObject"]["uid"] == created.metadata.uid
    assert (event["type"], event["reason"]) == ("Warning", "KafkaRefused")


async def test_an_event_that_cannot_be_posted_changes_nothing(kube: Kube, namespace: str) -> None:
    created = Topic.model_validate(await kube.create(topic(namespace)))
    elsewhere = created.model_copy(
        update={"metadata": created.metadata.model_copy(update={"namespace": "there-is-none"})}
    )

    await events.emit(kube, elsewhere, type="Normal", reason="Ready", message="all is well")
