"""The Python parts: hash-checked wheels of the locked requirements, and the project's own wheel.

Both are directories for /opt/eventstreams: `lib` on PYTHONPATH, `bin` on PATH.
"""

import platform
import sys
import tempfile
from pathlib import Path

from images.debian import RootFileSystem, make_root, remove, run_inside
from local.shell import run

PYTHON = "3.11"
HOME = "/opt/eventstreams"

# Modules whose libraries are not here (terminals, NIS, databases, old password hashes), and Python's own tests.
LEFT_OUT = ("_crypt", "_curses*", "_dbm", "_sqlite3", "_test*", "nis", "readline", "xxlimited*")

BASE = RootFileSystem(
    packages=(
        "base-files",
        "ca-certificates",
        "libbz2-1.0",
        "libc6",
        "libexpat1",
        "libffi8",
        "libgcc-s1",
        "liblzma5",
        f"libpython{PYTHON}-minimal",
        f"libpython{PYTHON}-stdlib",
        "libssl3",
        "libstdc++6",
        "libuuid1",
        f"python{PYTHON}-minimal",
        "zlib1g",
    ),
    # Public Python images have it in /usr/local/bin, and the scripts name the interpreter by its path.
    links=(
        ("usr/bin/python3", f"usr/bin/python{PYTHON}"),
        ("usr/local/bin/python3", f"usr/bin/python{PYTHON}"),
        ("usr/lib/ssl/cert.pem", "etc/ssl/certs/ca-certificates.crt"),
    ),
    unread=(
        "usr/sbin",
        f"usr/lib/python{PYTHON}/pydoc_data",
        f"usr/lib/python{PYTHON}/test",
        *(f"usr/lib/python{PYTHON}/lib-dynload/{module}.*" for module in LEFT_OUT),
    ),
)

# Of the wheels: sources of compiled modules, tests, commands. The synchronous Kubernetes client comes in one package
# with the asynchronous one that we use, loads its 1 300 modules only when named, and nothing names them (50 MB).
UNREAD = (
    "lib/bin",
    "lib/*/tests",
    "lib/**/*_test.py",
    "lib/**/*.py[ix]",
    "lib/**/*.px[di]",
    "lib/**/*.[ch]",
    "lib/kubernetes/client/api/*_api.py",
    "lib/kubernetes/client/models/*_*.py",
)


def make_base(target: Path) -> None:
    """Fill `target` with Debian's Python, bytecode and all."""
    make_root(target, BASE)
    _compile(f"/usr/lib/python{PYTHON}", base=target, shown=None)


def make_dependencies(target: Path, *, base: Path, requirements: Path) -> None:
    """Install the locked wheels; a hash that is not in `requirements` ends it."""
    _install(target, "--require-hashes", "--requirement", str(requirements))
    for pattern in UNREAD:
        for path in list(target.glob(pattern)):
            if path.name != "__init__.py":
                remove(path)
    _compile(f"{HOME}/lib", base=base, shown=target)


def make_project(target: Path, *, base: Path, project: Path) -> None:
    """Build the project's wheel, offline, and install it with its commands."""
    with tempfile.TemporaryDirectory(prefix="eventstreams-wheel-") as scratch:
        run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch], cwd=project)
        (wheel,) = Path(scratch).glob("*.whl")
        _install(target, "--offline", str(wheel))
    (target / "lib/bin").rename(target / "bin")
    for script in (target / "bin").iterdir():
        _, _, body = script.read_text().partition("\n")
        script.write_text(f"#!/usr/local/bin/python3\n{body}")
    _compile(f"{HOME}/lib", base=base, shown=target)


def _install(target: Path, *what: str) -> None:
    """Install wheels, never a source distribution, for the Python and C library of the image."""
    run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable),
            *("--target", str(target / "lib"), "--link-mode", "copy", "--no-deps", "--only-binary", ":all:"),
            *("--python-version", PYTHON, "--python-platform", f"{platform.machine()}-manylinux_2_28"),
            *what,
        ]
    )
    (target / "lib/.lock").unlink(missing_ok=True)


def _compile(directory: str, *, base: Path, shown: Path | None) -> None:
    """Write bytecode with the image's own Python.

    Unchecked: files have no times in an image, and a stale cache can't occur in one.
    """
    command = [f"/usr/bin/python{PYTHON}", "-IB", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    run_inside(base, [*command, directory], shown={} if shown is None else {HOME: shown})
