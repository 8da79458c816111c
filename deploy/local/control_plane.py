"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this machine."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from local.api import API
from local.binaries import binary
from local.certificates import Authority, make_signing_pair, write_kubeconfig
from local.errors import PlatformError
from local.places import made_whole, render, write_if_changed
from local.processes import Daemon, stop_all
from local.progress import Progress
from local.waiting import wait_until

ADMIN = "admin"
CONTROLLER_MANAGER = "controller-manager"
SCHEDULER = "scheduler"
KUBE_PROXY = "kube-proxy"
KUBELET = "kubelet"

SERVICE_RANGE = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
POD_RANGE = "10.244.0.0/16"

API_SECONDS = 90.0
ISSUER = "https://kubernetes.default.svc.cluster.local"

# Go's garbage collector runs a quarter as often: a sixth less CPU for 100 MB more.
ENVIRONMENT = {"GOGC": "400"}


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of the control plane."""

    api: int = 6443
    etcd: int = 2379
    etcd_peer: int = 2380
    controller_manager: int = 10257
    scheduler: int = 10259


@dataclass(frozen=True, slots=True)
class Site:
    """Where a control plane runs: `address` is the API server's, `namespace` the network namespace, if any."""

    state: Path
    name: str
    node: str
    address: str = "127.0.0.1"
    ports: Ports = Ports()
    namespace: str | None = None

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.ports.api}"

    @property
    def authority(self) -> Authority:
        return Authority(self.state / "pki")

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for people and tests."""
        return self.state / "kubeconfig"

    @property
    def authentication(self) -> Path:
        """Who may come without a name; a copy, so that work trees at other paths start the same API server."""
        return self.state / "authentication.yaml"

    def kubeconfig_of(self, user: str) -> Path:
        return self.state / "pki" / f"{user}.kubeconfig"


class ControlPlane:
    """The four programs of one site. Their order of start is that of `daemons`."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.etcd, self.api_server, self.controller_manager, self.scheduler = self.daemons = tuple(
            Daemon(name, site.state) for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
        )

    @cached_property
    def api(self) -> API:
        """The administrator's client; there once `prepare` was called."""
        return API(self.site.server, self.site.authority, ADMIN)

    def prepare(self) -> None:
        """Make certificates, once, and what is read beside them for the site's present address."""
        site = self.site
        if not site.authority.directory.exists():
            with made_whole(site.authority.directory) as directory:
                _make_certificates(directory, site)
        write_if_changed(site.authentication, render("authentication.yaml"))
        for user in (CONTROLLER_MANAGER, SCHEDULER, KUBE_PROXY, KUBELET, ADMIN):
            path = site.kubeconfig if user == ADMIN else site.kubeconfig_of(user)
            write_kubeconfig(path, server=site.server, authority=site.authority, user=user, context=site.name)

    def start(self, progress: Progress) -> None:
        """Start what does not run, and return when the API server is ready and service accounts are made."""
        with progress.step("etcd and API server"):
            self._start(self.etcd, _etcd_arguments(self.site))
            self._start(self.api_server, _api_server_arguments(self.site), [self.site.authentication])
            try:
                self._wait_for_api()
            except PlatformError:
                if not self.etcd.died():
                    raise
                self._start_with_empty_etcd(progress)
        with progress.step("controller manager and scheduler"):
            self._start(self.controller_manager, _controller_manager_arguments(self.site))
            self._start(self.scheduler, _scheduler_arguments(self.site))
            wait_until(
                lambda: self.api.answers("/api/v1/namespaces/default/serviceaccounts/default"),
                "making of the default service account",
                seconds=API_SECONDS,
                daemons=self.daemons,
            )

    def stop(self) -> None:
        """End all four. Only etcd has something to write down; the others may be killed at any moment."""
        stop_all([self.scheduler, self.controller_manager, self.api_server], grace_seconds=0)
        self.etcd.stop()

    def _start(self, daemon: Daemon, arguments: Sequence[str], files: Sequence[Path] = ()) -> None:
        command = [str(binary(daemon.name)), *arguments]
        daemon.start(command, namespace=self.site.namespace, files=files, env=ENVIRONMENT)

    def _wait_for_api(self) -> None:
        wait_until(
            lambda: self.api.answers("/readyz"),
            "readiness of the API server",
            seconds=API_SECONDS,
            daemons=[self.etcd, self.api_server],
        )

    def _start_with_empty_etcd(self, progress: Progress) -> None:
        """Give up data that etcd cannot read: it runs without fsync, so a crash of the whole machine may cost them."""
        progress.note(f"etcd cannot use its data and begins anew: {self.etcd.last_words().splitlines()[-1][:200]}")
        stop_all([self.api_server], grace_seconds=0)
        shutil.rmtree(self.site.state / "etcd", ignore_errors=True)
        self._start(self.etcd, _etcd_arguments(self.site))
        self._start(self.api_server, _api_server_arguments(self.site), [self.site.authentication])
        self._wait_for_api()


def _make_certificates(directory: Path, site: Site) -> None:
    authority = Authority.create(directory, f"{site.name} CA")
    cluster_names = ["kubernetes", *(f"kubernetes.default{end}" for end in ("", ".svc", ".svc.cluster.local"))]
    addresses = sorted({"127.0.0.1", site.address, KUBERNETES_SERVICE})
    names = [f"IP:{address}" for address in addresses] + [f"DNS:{name}" for name in ("localhost", *cluster_names)]
    authority.issue_server("apiserver", common_name="kube-apiserver", names=names)
    authority.issue_client(ADMIN, user="admin", group="system:masters")
    authority.issue_client(CONTROLLER_MANAGER, user="system:kube-controller-manager")
    authority.issue_client(SCHEDULER, user="system:kube-scheduler")
    authority.issue_client(KUBE_PROXY, user="system:kube-proxy")
    authority.issue_client(KUBELET, user=f"system:node:{site.node}", group="system:nodes")
    kubelet_names = [f"IP:{site.address}", f"DNS:{site.node}"]
    authority.issue_server("kubelet-server", common_name=f"system:node:{site.node}", names=kubelet_names)
    authority.issue_client("apiserver-kubelet-client", user="apiserver-kubelet-client", group="system:masters")
    authority.issue_client("front-proxy", user="front-proxy")
    make_signing_pair(directory, "service-account")


def _etcd_arguments(site: Site) -> list[str]:
    client, peer = (f"http://127.0.0.1:{port}" for port in (site.ports.etcd, site.ports.etcd_peer))
    return [
        f"--name={site.name}",
        f"--data-dir={site.state}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={site.name}={peer}",
        "--unsafe-no-fsync",  # test data: speed is worth more than surviving a power cut
        "--log-level=warn",
    ]


def _api_server_arguments(site: Site) -> list[str]:
    pki = site.authority.directory
    arguments = {
        "etcd-servers": f"http://127.0.0.1:{site.ports.etcd}",
        "bind-address": "0.0.0.0" if site.namespace else site.address,  # noqa: S104  # all of a namespace without a way out
        "advertise-address": site.address,
        "secure-port": site.ports.api,
        "service-cluster-ip-range": SERVICE_RANGE,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "authentication-config": site.authentication,
        "client-ca-file": pki / "ca.crt",
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "service-account-issuer": ISSUER,
        "service-account-key-file": pki / "service-account.pub",
        "service-account-signing-key-file": pki / "service-account.key",
        "kubelet-client-certificate": pki / "apiserver-kubelet-client.crt",
        "kubelet-client-key": pki / "apiserver-kubelet-client.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "requestheader-client-ca-file": pki / "ca.crt",
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": pki / "front-proxy.crt",
        "proxy-client-key-file": pki / "front-proxy.key",
        # A loopback address is refused in Endpoints, so without a node there is none for `kubernetes`.
        **({} if site.namespace else {"endpoint-reconciler-type": "none"}),
    }
    return [f"--{name}={value}" for name, value in arguments.items()]


def _controller_manager_arguments(site: Site) -> list[str]:
    pki = site.authority.directory
    return [
        *_common_arguments(site.kubeconfig_of(CONTROLLER_MANAGER), site.ports.controller_manager),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--cluster-cidr={POD_RANGE}",
        "--allocate-node-cidrs=false",
    ]


def _scheduler_arguments(site: Site) -> list[str]:
    return _common_arguments(site.kubeconfig_of(SCHEDULER), site.ports.scheduler)


def _common_arguments(kubeconfig: Path, port: int) -> list[str]:
    return [
        *(f"--{use}kubeconfig={kubeconfig}" for use in ("", "authentication-", "authorization-")),
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--leader-elect=false",
        # the default of 20 requests a second makes a start 5 s longer
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
