"""The project's container images, built with or without a container engine.

    PYTHONPATH=deploy python -m images build            # both, into archives that any engine loads
    PYTHONPATH=deploy python -m images list

Two images, a folder with its Containerfile each:

| image | what is inside |
|---|---|
| `eventstreams` | operator, REST producer, kubectl-es: Python 3.11, the locked wheels, the project |
| `eventstreams-kafka` | `java` on PATH, /opt/kafka/libs/*.jar, bash, busybox, and /opt/kafka/kafka.jsa |

Both run as user 65532 on a read-only root file system, with nothing in them that compiles, installs or downloads.

How it works. An image is a list of *parts*, each a directory made once and made again only when what it is made from
has changed: hash-checked wheels, the project's own wheel, jars. A Containerfile only copies parts and sets variables;
it has no RUN step, so it needs neither network nor engine. `containerfile.py` reads it, `build.py` brings the parts up
to date and packs them, on a root file system put together from Debian 12 packages (`debian.py`; apt checks their
signatures). The whole lies in ~/.cache/eventstreams/images; remove that directory to build on today's packages.

With an engine the same context serves on a public base (not proved by our tests, which have no engine):

    docker build --build-arg BASE=python:3.11-slim-bookworm ~/.cache/eventstreams/images/eventstreams/context

The tag ends in twelve digits of the hash of all inputs, so that a changed image rolls what runs it.
Needs Debian 12, as root or where user namespaces are allowed.
"""
