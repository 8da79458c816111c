"""The commands of `kubectl es`: flags in, one function that does the work, one that prints."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from eventstreams.cli import certificates, instances, render, service_ids, topics
from eventstreams.cli.certificates import Format
from eventstreams.cli.creating import created
from eventstreams.cli.failures import FailedError
from eventstreams.cli.flags import KEEP_LINES, Creating, DryRun, Flags, Output, OutputFlag, command
from eventstreams.cli.program import Program
from eventstreams.cli.screen import GOOD, Screen
from eventstreams.cli.service_ids import ServiceIDRequest
from eventstreams.cli.session import opened
from eventstreams.cli.topics import TopicRequest
from eventstreams.core.names import TRUSTSTORE_PASSWORD

HELP = f"""Event Streams from the command line: topics, API keys and certificates of an instance.

{KEEP_LINES}
Begin with
  kubectl es init
  kubectl es topic-create --name orders --partitions 1
  kubectl es iam-service-id-create --name my-app --role editor --topic orders
  kubectl es certificates --format pem

Everything it creates is a Kubernetes resource; with --dry-run=client -o yaml a command prints the manifest for Git
instead of creating it. Exit codes: 0 done, 1 failed (the reason and what to do on standard error), 2 wrong usage.
"""

NameArgument = Annotated[str | None, typer.Argument(metavar="NAME", help="Its name.", show_default=False)]
NameFlag = Annotated[str | None, typer.Option("--name", help="Its name, as the product writes it.")]
"""`-n` is the namespace, as everywhere in kubectl."""


async def init(program: Program, flags: Flags, output: OutputFlag = Output.TEXT) -> None:
    """Choose an instance and show its endpoints.

    The choice is remembered for the context of the kubeconfig. The only instance of the namespace is chosen unasked.

    For example:
      kubectl es init
      kubectl es init -n payments --instance my-instance
    """
    screen = _screen(program, flags)
    async with opened(program, flags) as session:
        instance = await instances.initialise(session)
    if output is not Output.TEXT:
        render.one(screen, instance, output, render.INSTANCE, program.now())
        return
    instances.show(screen, session.context.name, instance)
    screen.say("OK", GOOD)


async def topic_create(  # noqa: PLR0913  # one parameter per flag
    program: Program,
    flags: Flags,
    creating: Creating,
    *,
    name_argument: NameArgument = None,
    name: NameFlag = None,
    partitions: Annotated[int, typer.Option("--partitions", "-p", min=1, help="Number of partitions.")] = 1,
    replication_factor: Annotated[
        int | None,
        typer.Option(
            "--replication-factor", "-r", min=1, help="Copies of each partition; default: 3, or the number of brokers."
        ),
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", metavar="KEY=VALUE[;KEY=VALUE]", help="Topic configuration; may be repeated."),
    ] = None,
) -> None:
    """Create a topic.

    For example:
      kubectl es topic-create orders
      kubectl es topic-create --name orders --partitions 6 --config 'retention.ms=86400000;cleanup.policy=delete'
      kubectl es topic-create orders --dry-run=client -o yaml > orders.yaml
    """
    from eventstreams.kube.apis import TOPICS

    screen = _screen(program, flags)
    request = TopicRequest(_one_name(name_argument, name), partitions, replication_factor, tuple(config or ()))
    async with opened(program, flags) as session:
        manifest = await topics.topic_of(session, request)
        topic = await created(session, _screen(program, flags, errors=True), TOPICS, manifest, creating)
    if creating.output is not Output.TEXT:
        render.one(screen, topic, creating.output, render.TOPIC, program.now())
        return
    screen.say(f"{_verb(creating)} topic {request.name}{_remark(creating)}")
    screen.say("OK", GOOD)


async def list_topics(program: Program, flags: Flags, output: OutputFlag = Output.TEXT) -> None:
    """List the topics of the instance.

    For example:
      kubectl es topics
      kubectl es topics -o wide
    """
    screen = _screen(program, flags)
    async with opened(program, flags) as session:
        found = await topics.topics_of(session)
    if output is not Output.TEXT:
        render.many(screen, found, output, render.TOPIC, program.now())
        return
    for line in ("Topic name", *map(topics.kafka_name, found)) if found else ("No topics found.",):
        screen.say(line)
    screen.say("OK", GOOD)


async def iam_service_id_create(  # noqa: PLR0913  # one parameter per flag
    program: Program,
    flags: Flags,
    creating: Creating,
    *,
    name_argument: NameArgument = None,
    name: NameFlag = None,
    role: Annotated[
        service_ids.Role,
        typer.Option(
            "--role", help="editor and operator produce, viewer gets 403; rights to read and manage come later."
        ),
    ],
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", help="Topic, or prefix such as 'pay-*'; repeated or with commas between."),
    ] = None,
    all_topics: Annotated[bool, typer.Option("--all-topics", help="Every topic of the instance.")] = False,
) -> None:
    """Create a service ID and print its API key.

    For example:
      kubectl es iam-service-id-create --name my-app --role editor --topic orders
      kubectl es iam-service-id-create my-app --role editor --topic orders,payments
      kubectl es iam-service-id-create my-app --role editor --all-topics --dry-run=client -o yaml > my-app.yaml
    """
    from eventstreams.kube.apis import SERVICE_IDS

    screen = _screen(program, flags)
    asked = service_ids.topics_asked(topic or (), every=all_topics)
    request = ServiceIDRequest(_one_name(name_argument, name), role.value, asked)
    async with opened(program, flags) as session:
        manifest = service_ids.service_id_manifest(await session.choice(), request)
        made = await created(session, _screen(program, flags, errors=True), SERVICE_IDS, manifest, creating)
        is_ready = creating.wait and creating.dry_run is DryRun.NONE and creating.output is Output.TEXT
        credentials = await service_ids.credentials_of(session, made) if is_ready else None
    if creating.output is not Output.TEXT:
        render.one(screen, made, creating.output, render.SERVICE_ID, program.now())
        return
    screen.say(f"{_verb(creating)} service ID {request.name}{_remark(creating)}")
    if credentials is not None:
        service_ids.show(screen, made, credentials)
    screen.say("OK", GOOD)


async def write_certificates(
    program: Program,
    flags: Flags,
    form: Annotated[Format, typer.Option("--format", help="pem, or p12 for Java.")] = Format.PEM,
    out: Annotated[Path | None, typer.Option("--out", "-d", help="Directory; default: the current one.")] = None,
) -> None:
    """Write the CA certificates to a file.

    It is es-cert.pem, or es-cert.p12, and holds every CA of the instance that clients have to trust.

    For example:
      kubectl es certificates --format pem
      kubectl es certificates --format p12 --out /etc/my-app
    """
    screen = _screen(program, flags)
    async with opened(program, flags) as session:
        content = await certificates.bundle(session, form)
    file = certificates.write(out or program.directory, form, content)
    screen.say(f"Certificate successfully written to {file}.")
    if form is Format.P12:
        screen.say(f"Truststore password: {TRUSTSTORE_PASSWORD}")
    screen.say("OK", GOOD)


COMMANDS: Final[Mapping[str, Callable[..., Awaitable[None]]]] = {
    "init": init,
    "topics": list_topics,
    "topic-create": topic_create,
    "iam-service-id-create": iam_service_id_create,
    "certificates": write_certificates,
}


def build(program: Program, *, width: int | None = None) -> typer.Typer:
    """Return all commands, working in the surroundings given. `width`: columns of help, by default the terminal's."""
    app = typer.Typer(
        name="kubectl es",
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if program.stdout.isatty() else None,
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": width},
    )
    for name, function in COMMANDS.items():
        app.command(name)(command(program, function))
    return app


def _screen(program: Program, flags: Flags, *, errors: bool = False) -> Screen:
    return Screen(program.stderr if errors else program.stdout, flags.color, program.environment)


def _one_name(argument: str | None, flag: str | None) -> str:
    """Return the name given in one of the two ways. Raises FailedError for none, or for both."""
    if argument and flag:
        raise FailedError(f"two names are given: {argument} and {flag}", "give one")
    if not (name := argument or flag):
        raise FailedError("no name is given", "write it after the command, or with --name")
    return name


def _verb(creating: Creating) -> str:
    return "Would create" if creating.dry_run is DryRun.CLIENT else "Created"


def _remark(creating: Creating) -> str:
    if creating.dry_run is DryRun.CLIENT:
        return ": print it with -o yaml"
    return "" if creating.wait else ": it is not Ready yet"
