"""The clients that people have, each as it comes, over TLS with a CA as the operator makes it.

What they send is stored byte for byte, what is refused they can read, even while they still send, and they keep their
connection. The programs in clients/ are told what to send by a file of lines.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest

from eventstreams.core.apikey import ApiKey
from eventstreams.pki.certificates import Leaf, Usage, make_ca, make_leaf
from integration.producer.conftest import grant_of
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import records
from local import packages
from local.kafka import LocalKafka
from local.progress import Progress

pytestmark = pytest.mark.integration

CLIENTS: Final = Path(__file__).parent / "clients"
CLIENT_SECONDS: Final = 120
"""For a program; Go compiles its library the first time."""

BYTES: Final = bytes(range(256)) * 200
TEXT: Final = "naïve café, 1 €, 日本語, 🙂\r\n".encode()
TOO_LARGE: Final = b"x" * 4_000_000
"""Many clients read no answer before they have sent this."""
KEY_TEXT: Final = "order 4711/é+&=%"
HEADERS: Final = "colour:726463,größe:00ff"
HEADERS_STORED: Final = [("colour", b"rdc"), ("größe", b"\x00\xff")]


@dataclass(frozen=True)
class Program:
    """A client: its command, what it needs of the distribution, and environment that it reads `{ca}` from."""

    command: tuple[str, ...]
    needs: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


PROGRAMS: Final = {
    "java": Program(("java", "Client.java"), {"javac": "openjdk-17-jdk-headless"}),
    "go": Program(("go", "run", "client.go"), {"go": "golang-go"}),
    "node": Program(("node", "client.mjs"), {"node": "nodejs"}, {"NODE_EXTRA_CA_CERTS": "{ca}"}),
    "requests": Program((sys.executable, "requests_client.py")),
    "aiohttp": Program((sys.executable, "aiohttp_client.py")),
    "http.client": Program((sys.executable, "http_client.py")),
}


@dataclass(frozen=True)
class Endpoint:
    """A running producer, and what a client needs to know of it."""

    producer: ProducerProcess
    ca: Path
    key: ApiKey
    topic: str
    directory: Path

    @property
    def url(self) -> str:
        return f"{self.producer.url}/topics/{self.topic}/records"

    def file(self, name: str, content: bytes) -> str:
        path = self.directory / name
        path.write_bytes(content)
        return str(path)

    def script(self, *requests: tuple[str, str, bytes]) -> str:
        """Write what a program is to send, a line each, and return the file; requests are (secret, type, body)."""
        lines = [
            "\t".join((self.url, secret, content_type, self.file(str(number), body), KEY_TEXT, HEADERS))
            for number, (secret, content_type, body) in enumerate(requests)
        ]
        return self.file("script", "\n".join(lines).encode())

    async def opened(self) -> int:
        """Return how many connections were opened so far."""
        match = re.search(
            r"^eventstreams_producer_connections_opened_total (\S+)$", await self.producer.metrics(), re.MULTILINE
        )
        assert match is not None
        return int(float(match[1]))


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory, kafka_settings: Mapping[str, str], key: ApiKey
) -> Iterator[ProducerProcess]:
    """Return a producer whose certificate is signed by a CA as the operator makes it."""
    directory, now = tmp_path_factory.mktemp("producer"), datetime.now(UTC)
    ca = make_ca("demo", "tests", generation=1, now=now)
    leaf = make_leaf(ca, Leaf("demo-rest", Usage.SERVER, ("localhost", "127.0.0.1")), now=now)
    (directory / "tls.crt").write_text(leaf.certificate_pem)
    (directory / "tls.key").write_text(leaf.key_pem)
    (directory / "ca.crt").write_text(ca.certificate_pem)
    process = ProducerProcess(directory, kafka_settings, directory)
    process.grant(grant_of(key, "t-*"))
    with process:
        yield process


@pytest.fixture
async def endpoint(tmp_path: Path, process: ProducerProcess, key: ApiKey, topic: str) -> AsyncIterator[Endpoint]:
    """Return the ready producer, and what one test needs of it."""
    async with process.visit():
        yield Endpoint(process, process.directory / "ca.crt", key, topic, tmp_path)


async def shown(*command: str, given: bytes = b"", environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it printed, complaints included."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=CLIENTS,
        env={**{name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}, **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(CLIENT_SECONDS):
            output, _ = await process.communicate(given)
    finally:
        if process.returncode is None:
            process.kill()
    return output.decode()


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_library_stores_its_records_reads_refusals_and_keeps_its_connection(
    endpoint: Endpoint, kafka: LocalKafka, name: str
) -> None:
    program = PROGRAMS[name]
    packages.ensure(program.needs, Progress())
    environment = {key: value.format(ca=endpoint.ca) for key, value in program.environment.items()}
    key = endpoint.key.reveal()
    script = endpoint.script(
        (key, "application/octet-stream", BYTES),
        ("esk_wrong", "text/plain", TEXT),
        (key, "text/plain", TOO_LARGE),
        (key, "text/plain; charset=utf-8", TEXT),
    )
    before = await endpoint.opened()

    output = await shown(*program.command, script, str(endpoint.ca), environment=environment)

    assert [line[:4] for line in output.splitlines()] == ["200\t", "401\t", "400\t", "200\t"], output
    answers = [json.loads(line.partition("\t")[2]) for line in output.splitlines()]
    assert "limit of 65536 bytes" in answers[2]["message"]
    stored = {record.value(): (record.key(), record.headers()) for record in records(kafka, endpoint.topic)}
    assert stored == dict.fromkeys((BYTES, TEXT), (KEY_TEXT.encode(), HEADERS_STORED))
    assert await endpoint.opened() - before == 2, "one, and another after the refusal that closes"


class Commands:
    """curl and wget as a person types them, with what every command has in common."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def curl(self, *options: str, given: bytes = b"") -> str:
        return await shown(
            *("curl", "--no-progress-meter", "--cacert", str(self._endpoint.ca)),
            *("-H", f"Authorization: Bearer {self._endpoint.key.reveal()}", *options),
            given=given,
        )

    async def wget(self, *options: str, key: str | None = None) -> str:
        packages.ensure({"wget": "wget"}, Progress())
        return await shown(
            *("wget", "--no-verbose", "--server-response", "--content-on-error", "--output-document=-"),
            *(f"--ca-certificate={self._endpoint.ca}", "--header=Content-Type: text/plain"),
            *(f"--header=Authorization: Bearer {key or self._endpoint.key.reveal()}", *options),
        )


@pytest.fixture
def commands(endpoint: Endpoint) -> Commands:
    packages.ensure({"curl": "curl"}, Progress())
    return Commands(endpoint)


def values(kafka: LocalKafka, endpoint: Endpoint) -> list[bytes | None]:
    return [record.value() for record in records(kafka, endpoint.topic)]


def answered(output: str) -> list[int]:
    """Return the status codes that wget, or curl when it is verbose, tells."""
    return [int(code) for code in re.findall(r"^(?:< |  )HTTP/1\.1 ([0-9]+) ", output, re.MULTILINE)]


async def test_curl_speaks_http_1_0(commands: Commands, endpoint: Endpoint, kafka: LocalKafka) -> None:
    text = ("-H", "Content-Type: text/plain", "--data-binary", f"@{endpoint.file('text', TEXT)}")

    output = await commands.curl("--http1.0", "-v", *text, endpoint.url, endpoint.url)

    assert answered(output) == [200, 200], output
    assert values(kafka, endpoint) == [TEXT, TEXT]
    assert '"offset"' in output


async def test_curl_sends_what_it_reads_in_chunks(commands: Commands, endpoint: Endpoint, kafka: LocalKafka) -> None:
    document = json.dumps({"text": TEXT.decode(), "padding": "x" * 50_000}, ensure_ascii=False).encode()
    as_json = ("-H", "Content-Type: application/json")

    output = await commands.curl("-v", "-X", "POST", "-T", "-", *as_json, endpoint.url, given=document)

    assert answered(output)[-1] == 200, output
    assert "Transfer-Encoding: chunked" in output
    assert values(kafka, endpoint) == [document]


async def test_a_client_that_waits_for_100_continue_is_refused_before_it_sends_its_body(
    commands: Commands, endpoint: Endpoint
) -> None:
    large = ("-H", "Content-Type: text/plain", "--data-binary", f"@{endpoint.file('large', TOO_LARGE)}")

    output = await commands.curl("-v", "-w", "sent %{size_upload} bytes", *large, endpoint.url)

    assert "Expect: 100-continue" in output, output
    assert answered(output) == [400]
    assert "limit of 65536 bytes" in output
    assert "sent 0 bytes" in output


async def test_a_client_that_waits_for_100_continue_gets_it_when_its_body_is_wanted(
    commands: Commands, endpoint: Endpoint, kafka: LocalKafka
) -> None:
    body = ("-H", "Content-Type: application/octet-stream", "--data-binary", f"@{endpoint.file('bytes', BYTES)}")

    output = await commands.curl("-v", "-H", "Expect: 100-continue", *body, endpoint.url)

    assert answered(output) == [100, 200], output
    assert values(kafka, endpoint) == [BYTES]


async def test_curl_sends_to_two_urls_over_one_connection(
    commands: Commands, endpoint: Endpoint, kafka: LocalKafka
) -> None:
    text = ("-H", "Content-Type: text/plain", "-d", "x")

    output = await commands.curl(*text, "-w", "\n%{num_connects}\n", f"{endpoint.url}?key=a", f"{endpoint.url}?key=b")

    assert re.findall("^[0-9]$", output, re.MULTILINE) == ["1", "0"], output
    assert {record.key() for record in records(kafka, endpoint.topic)} == {b"a", b"b"}


async def test_wget_posts_a_file_to_two_urls_over_one_connection(
    commands: Commands, endpoint: Endpoint, kafka: LocalKafka
) -> None:
    before = await endpoint.opened()
    query = f"?{urlencode({'key': KEY_TEXT, 'headers': HEADERS})}"

    output = await commands.wget(f"--post-file={endpoint.file('bytes', BYTES)}", endpoint.url, endpoint.url + query)

    assert answered(output) == [200, 200], output
    assert await endpoint.opened() - before == 1
    assert values(kafka, endpoint) == [BYTES, BYTES]
    assert (KEY_TEXT.encode(), HEADERS_STORED) in [(one.key(), one.headers()) for one in records(kafka, endpoint.topic)]


async def test_wget_posts_text_and_reads_why_it_is_refused(
    commands: Commands, endpoint: Endpoint, kafka: LocalKafka
) -> None:
    stored = await commands.wget(f"--post-data={TEXT.decode()}", endpoint.url)
    unknown = await commands.wget("--post-data=x", endpoint.url, key="esk_wrong")
    too_large = await commands.wget(f"--post-file={endpoint.file('large', TOO_LARGE)}", endpoint.url)

    # wget shows no body of a 401
    assert [answered(output) for output in (stored, unknown, too_large)] == [[200], [401], [400]], too_large
    assert "limit of 65536 bytes" in too_large
    assert values(kafka, endpoint) == [TEXT]
