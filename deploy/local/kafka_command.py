"""`python -m local kafka`: the Kafka on loopback."""

from typing import Annotated

import typer

from local.jars import CHECKSUMS, checksums, kafka_jars, resolve
from local.kafka import local_kafka
from local.places import cache_root, made_whole
from local.progress import Progress

app = typer.Typer(no_args_is_help=True, help="A real Kafka on loopback, for tests and for trying things out.")


@app.command()
def up(nodes: Annotated[int, typer.Option(help="How many, when it is made new.", min=1, max=5)] = 1) -> None:
    """Start it and print how to reach it."""
    kafka = local_kafka(Progress(), nodes).up()
    print(f"internal (PLAINTEXT, everybody is a super user): {kafka.bootstrap_internal}")
    print(f"external (SASL_SSL, SCRAM-SHA-512):              {kafka.bootstrap_sasl}")
    print(f"CA certificate:                                  {kafka.ca_file}")
    print(f"user, and the file that has its password:        {kafka.admin_user} {kafka.directory}/layout.json")


@app.command()
def down() -> None:
    """End its nodes in good order; the data stay."""
    local_kafka().down()


@app.command()
def wipe() -> None:
    """End it and remove its data."""
    local_kafka().wipe()


@app.command()
def status() -> None:
    """Show its nodes (exit: 0 all run, 1 not)."""
    running = local_kafka().running()
    for node, process in running.items():
        print(f"kafka-{node} {f'running {process.pid}' if process else 'stopped'}")
    if not running or not all(running.values()):
        raise typer.Exit(1)


@app.command()
def jars() -> None:
    """Download the jars, once, and print their directory."""
    print(kafka_jars(Progress()))


@app.command(name="checksums")
def write_checksums() -> None:
    """Resolve the jars of maven/pom.xml and pin them as they are now."""
    with made_whole(cache_root() / "kafka" / "unpinned") as directory:
        resolve(directory)
        CHECKSUMS.write_text(checksums(directory))
    print(CHECKSUMS)
