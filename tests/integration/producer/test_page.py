"""The API page in a real browser: it sends records, keeps the key to itself, and reads well on a phone."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.async_api import Page, ViewportSize, async_playwright

from eventstreams.core.apikey import ApiKey
from integration.producer.conftest import grant_of
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import records
from local import packages
from local.kafka import LocalKafka
from local.progress import Progress
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

# A closed network refuses what a browser asks of its maker at every start.
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PATIENCE_MS = 10_000
FINGER_PIXELS = 44
"""Least height of what a finger touches (WCAG 2.2, 2.5.5)."""


class Visit:
    """A page that is open, and what the browser complained about meanwhile: errors, and requests to anyone else."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self._note(said.type in {"error", "warning"}, said.text))
        page.on("pageerror", lambda error: self._note(True, str(error)))
        page.on("request", lambda asked: self._note(not asked.url.startswith((origin, "data:")), asked.url))

    def _note(self, bad: bool, text: str) -> None:
        if bad:
            self.complaints.append(text)

    async def fill(self, **fields: str) -> None:
        """Fill in fields by their ids."""
        for name, value in fields.items():
            await self.page.locator(f"#{name}").fill(value)

    async def send(self) -> str:
        """Press the button and return the answer that is shown."""
        await self.page.get_by_role("button", name="Send").click()
        return await self.answer()

    async def answer(self) -> str:
        await self.page.locator("#answer .pill").wait_for()
        return await self.page.locator("#answer").inner_text()


Visitor = Callable[..., Awaitable[Visit]]


@pytest.fixture
async def visit(producer: ProducerProcess) -> AsyncIterator[Visitor]:
    """Return what opens the page in a real Chromium without a window."""
    packages.ensure({"chromium": "chromium"}, Progress())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET, timeout=60_000)

        async def opened(size: ViewportSize = DESKTOP, scheme: Literal["light", "dark"] = "light") -> Visit:
            page = await browser.new_page(viewport=size, color_scheme=scheme, ignore_https_errors=True)
            seen = Visit(page, producer.url)
            await page.goto(producer.url)
            await page.get_by_text("Store one record, or one a line").wait_for()
            return seen

        yield opened
        await browser.close()


async def test_a_record_is_sent_from_the_page_and_the_key_stays_in_its_memory(
    visit: Visitor, kafka: LocalKafka, key: ApiKey, topic: str
) -> None:
    seen = await visit()
    await seen.fill(secret=key.reveal(), topic=topic, key="order 4711", body='{"price": "1 €"}')
    await seen.page.get_by_label("Content type").select_option("application/json")

    shown = await seen.send()

    assert "200 OK" in shown
    (record,) = records(kafka, topic)
    assert (record.key(), record.value()) == (b"order 4711", '{"price": "1 €"}'.encode())
    assert f'"offset": {record.offset()}' in shown
    kept = "document.cookie + location.href + JSON.stringify([{...localStorage}, {...sessionStorage}])"
    assert key.reveal() not in await seen.page.content() + await seen.page.evaluate(kept)
    assert seen.complaints == []


async def test_the_curl_command_of_the_page_stores_the_same_record(
    visit: Visitor, kafka: LocalKafka, key: ApiKey, topic: str, certificate: Certificate
) -> None:
    seen = await visit()
    await seen.page.get_by_text("Headers, partition, timestamp").click()
    await seen.fill(secret=key.reveal(), topic=topic, key="00ff", headers="colour: red\na b: é, ü")
    await seen.fill(body='it\'s $HOME\n"two" lines \\ é')
    await seen.page.get_by_label("The key is hexadecimal").check()
    assert "200 OK" in await seen.send()

    command = await seen.page.locator("#curl").inner_text()
    shell = await asyncio.create_subprocess_shell(
        command.replace("es-cert.pem", str(certificate.file)),
        env={"API_KEY": key.reveal(), "PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await shell.communicate()

    assert key.reveal() not in command
    assert b"metadata" in printed
    first, second = records(kafka, topic)
    assert (first.key(), first.value(), first.headers()) == (second.key(), second.value(), second.headers())
    assert first.headers() == [("colour", b"red"), ("a b", "é, ü".encode())]
    assert (first.key(), first.value()) == (b"\x00\xff", 'it\'s $HOME\n"two" lines \\ é'.encode())


async def test_a_refusal_is_shown_with_its_words_and_its_incident(visit: Visitor, key: ApiKey) -> None:
    seen = await visit()
    await seen.fill(secret=key.reveal(), topic="forbidden")

    shown = await seen.send()

    assert "403 Forbidden" in shown
    assert "add it to the ServiceID's topics" in shown
    assert "incident" in shown


async def test_the_page_fits_is_labelled_and_works_by_keyboard_alone_on_a_desktop_and_a_phone(
    visit: Visitor, key: ApiKey, topic: str, tmp_path: Path
) -> None:
    for size, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
        seen = await visit(size, scheme)
        await sends_by_keyboard(seen, key, topic)
        await seen.page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)  # for who wants to look
        await fits_and_is_labelled(seen)
        assert seen.complaints == []


async def sends_by_keyboard(seen: Visit, key: ApiKey, topic: str) -> None:
    page = seen.page

    await page.locator("#secret").focus()
    await page.keyboard.type(key.reveal())
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.type(topic)
    await page.keyboard.press("Control+Enter")

    assert "200 OK" in await seen.answer()


async def fits_and_is_labelled(seen: Visit) -> None:
    page = seen.page
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    small = f"""[...document.querySelectorAll("input, select, textarea, button")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < {FINGER_PIXELS}).length"""
    unnamed = """[...document.querySelectorAll("input, select, textarea")].filter((one) => !one.labels.length).length"""
    assert (await page.evaluate(small), await page.evaluate(unnamed)) == (0, 0)
    assert await page.locator("#ready").inner_text() == "Ready"


async def test_a_script_that_finds_its_way_into_the_page_does_not_run(visit: Visitor) -> None:
    seen = await visit()
    inject = """() => {
        try { document.body.innerHTML += "<img src=x onerror='window.ran = 1'>"; } catch { /* trusted types */ }
        const link = document.body.appendChild(document.createElement("a"));
        try { link.setAttribute("onclick", "window.ran = 1"); } catch { /* trusted types */ }
        link.click();
        return window.ran ?? null;
    }"""

    assert await seen.page.evaluate(inject) is None
    assert seen.complaints


async def test_without_the_page_there_is_still_the_document(
    kafka_settings: Mapping[str, str], certificate: Certificate, key: ApiKey, topic: str, tmp_path: Path
) -> None:
    process = ProducerProcess(tmp_path, kafka_settings, certificate.directory, page="false")
    process.grant(grant_of(key, topic))
    async with process:
        assert (await process.get("/")).status == 404
        assert (await process.get("/openapi.json")).body["openapi"].startswith("3.1")
