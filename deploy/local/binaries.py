"""Builds the platform's programs from Go modules, once.

Each module in `go/` pins everything it compiles by go.mod and checks it against go.sum. The result is kept in the
cache under a fingerprint of the module's files and the build flags.
"""

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.errors import PlatformError
from local.places import PACKAGE, cache_root, exclusive, fingerprint, made_whole
from local.progress import Progress
from local.shell import run

KUBERNETES = "v1.34.4"
HELM = "v3.19.5"
GO_NEEDED = (1, 24)

_BUILD_DATE = "2026-01-01T00:00:00Z"  # fixed: the same source gives the same bytes


@dataclass(frozen=True, slots=True)
class Module:
    """A directory below `go/`, and the programs that one `go build` each makes of its packages.

    `builds` are groups of (package, program): a group shares one build, so that its programs share what they compile.
    `cost` tells a person how long a first build takes on two cores.
    """

    name: str
    builds: tuple[tuple[tuple[str, str], ...], ...]
    cost: str
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def source(self) -> Path:
        return PACKAGE / "go" / self.name

    @property
    def flags(self) -> list[str]:
        linker = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in self.variables)])
        return ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", linker]

    @property
    def directory(self) -> Path:
        """Where the built programs are, or will be."""
        files = sorted(path for path in self.source.iterdir() if path.suffix in {".go", ".mod", ".sum"})
        key = fingerprint(*files, repr(self.builds), *self.flags, os.uname().machine)
        return cache_root() / "bin" / f"{self.name}-{key}"

    @property
    def programs(self) -> list[str]:
        return [program for group in self.builds for _, program in group]


def _versions() -> Iterable[tuple[str, str]]:
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        yield f"{package}.gitVersion", KUBERNETES
        yield f"{package}.gitMajor", major
        yield f"{package}.gitMinor", minor
        yield f"{package}.gitTreeState", "clean"
        yield f"{package}.buildDate", _BUILD_DATE


_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_NODE = ("kubelet", "kube-proxy")

KUBERNETES_MODULE = Module(
    "kubernetes",
    builds=(
        (
            ("go.etcd.io/etcd/server/v3", "etcd"),
            *((f"k8s.io/kubernetes/cmd/{program}", program) for program in (*_CONTROL_PLANE, *_NODE)),
        ),
        # A build of its own: it and kubelet import one package under two names that differ in case only.
        (("github.com/rancher/local-path-provisioner", "local-path-provisioner"),),
    ),
    variables=tuple(_versions()),
    cost="10 to 17 minutes",
)
COREDNS_MODULE = Module("coredns", builds=(((".", "coredns"),),), cost="4 minutes")
PAUSE_MODULE = Module("pause", builds=(((".", "pause"),),), cost="1 second")
HELM_MODULE = Module(
    "helm",
    builds=((("helm.sh/helm/v3/cmd/helm", "helm"),),),
    variables=(
        ("helm.sh/helm/v3/internal/version.version", HELM),
        ("helm.sh/helm/v3/internal/version.gitTreeState", "clean"),
        # What `helm template` and `helm lint` take for the cluster's version when there is none to ask.
        *(
            (f"helm.sh/helm/v3/pkg/{package}.k8sVersion{part}", value)
            for package in ("chartutil", "lint/rules")
            for part, value in zip(("Major", "Minor"), KUBERNETES.removeprefix("v").split("."), strict=False)
        ),
    ),
    cost="4 minutes",
)
MODULES = (KUBERNETES_MODULE, COREDNS_MODULE, PAUSE_MODULE, HELM_MODULE)


def binary(program: str) -> Path:
    """Return the path of a built program; PlatformError when it was not built yet."""
    module = next(module for module in MODULES if program in module.programs)
    path = module.directory / program
    if not path.exists():
        raise PlatformError(f"{program} is not built yet: run make cluster-build")
    return path


def tools() -> Path:
    """Return a directory that holds kubectl and helm, fit for PATH."""
    directory = cache_root() / "tools"
    directory.mkdir(parents=True, exist_ok=True)
    for program in ("kubectl", "helm"):
        link, target = directory / program, binary(program)
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return directory


def build(progress: Progress, modules: Iterable[Module] = MODULES) -> None:
    """Build what the cache lacks; another build under way is waited for, not repeated."""
    for module in modules:
        if module.directory.exists():
            continue
        _require_go()
        with exclusive(module.directory):
            if not module.directory.exists():
                with progress.step(f"build {', '.join(module.programs)} (once, about {module.cost} on 2 cores)"):
                    _build(module)


def _build(module: Module) -> None:
    with made_whole(module.directory) as directory:
        for index, group in enumerate(module.builds):
            out = directory / f"group{index}"
            out.mkdir()
            log = cache_root() / "log" / f"build-{module.name}-{index}.log"
            run(
                ["nice", "go", "build", *module.flags, "-v", "-o", f"{out}/", *(package for package, _ in group)],
                cwd=module.source,
                env={"CGO_ENABLED": "0"},
                log=log,
            )
            for built, (_, program) in zip(_built(out, group), group, strict=True):
                built.rename(directory / program)
            shutil.rmtree(out)


def _built(out: Path, group: tuple[tuple[str, str], ...]) -> list[Path]:
    """Return the file that go made of each package: it names it by the package, without a version suffix."""
    if len(group) == 1:
        return list(out.iterdir())
    names = [re.sub(r"/v\d+$", "", package).rpartition("/")[2] for package, _ in group]
    return [out / name for name in names]


def _require_go() -> None:
    needed = ".".join(map(str, GO_NEEDED))
    cure = f"install Go {needed} or newer (https://go.dev/doc/install) and put it on PATH; Debian 12 has only 1.19"
    if not shutil.which("go"):
        raise PlatformError(f"Go compiles Kubernetes here and is not on PATH: {cure}")
    said = run(["go", "version"], env={"GOTOOLCHAIN": "local"})
    found = re.search(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < GO_NEEDED:
        raise PlatformError(f"Kubernetes {KUBERNETES} needs Go {needed}, this machine has {said.strip()}: {cure}")
