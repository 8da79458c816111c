"""The Kafka parts: the jars, and class data that halves the time a broker takes to start."""

import os
import shutil
from pathlib import Path

from images.debian import RootFileSystem, run_inside
from local.jars import kafka_jars

# Enough to look around in a pod and for small start scripts; the official image is Alpine and has these too.
APPLETS = (
    *("cat", "chmod", "cp", "cut", "date", "df", "du", "env", "find", "grep", "head", "hostname", "id"),
    *("ifconfig", "ls", "mkdir", "mktemp", "mv", "nslookup", "ps", "rm", "sed", "sleep", "sort", "tail"),
    *("tar", "touch", "tr", "wc"),
)

BASE = RootFileSystem(
    packages=(
        "base-files",
        "bash",
        "busybox",
        "libc6",
        "libgcc-s1",
        "libstdc++6",
        "libtinfo6",
        "openjdk-17-jre-headless",
        "zlib1g",
    ),
    links=(
        ("usr/local/bin/java", "usr/lib/jvm/*/bin/java"),
        ("usr/local/bin/keytool", "usr/lib/jvm/*/bin/keytool"),
        ("bin/sh", "bin/bash"),
        *((f"usr/local/bin/{applet}", "bin/busybox") for applet in APPLETS),
    ),
    unread=(
        "usr/bin/bashbug",
        "usr/bin/clear_console",
        # What only a compiler or a screen needs, and the class data for heaps above 32 GB.
        "usr/lib/jvm/*/lib/ct.sym",
        "usr/lib/jvm/*/lib/server/classes_nocoops.jsa",
        "usr/lib/jvm/*/man",
    ),
)

CLASS_DATA_SCRIPT = Path(__file__).with_name("eventstreams-kafka") / "class-data.sh"


def make_jars(target: Path) -> None:
    """Copy the jars, with the time that they will have in the image: class data is bound to it."""
    for jar in kafka_jars().iterdir():
        os.utime(shutil.copyfile(jar, target / jar.name), (0, 0))


def make_class_data(target: Path, *, base: Path, jars: Path) -> None:
    """Run a broker once in the image's root file system and keep the classes that it loaded as kafka.jsa."""
    script = target / CLASS_DATA_SCRIPT.name
    shutil.copyfile(CLASS_DATA_SCRIPT, script)
    run_inside(base, ["/bin/bash", f"/opt/kafka/{script.name}"], shown={"/opt/kafka": target, "/opt/kafka/libs": jars})
    script.unlink()
    (target / "libs").rmdir()
