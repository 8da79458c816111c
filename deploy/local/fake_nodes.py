"""Nodes without a kubelet: pods placed on them become Ready, claims become Bound, and nothing runs.

For tests of what goes through the API alone: no logs, no exec, no network. A test steers a pod by annotations:
`fake/ready: "false"` keeps it unready, `fake/phase: Failed` or `Succeeded` ends it. A pod that never restarts
(a Job's) succeeds unless told otherwise.

Run as a program: python -m local.fake_nodes --server URL --pki DIRECTORY [--nodes N] [--zones N]
"""

import argparse
import http.client
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from local.api import API, STRATEGIC_PATCH, Object, Refused
from local.certificates import Authority

PREFIX = "fake-"
READY_ANNOTATION = "fake/ready"
PHASE_ANNOTATION = "fake/phase"

HEARTBEAT_SECONDS = 10.0  # a node's lease lasts 40 s
RETRY_SECONDS = 0.5
HOST_ADDRESS = "192.0.2.1"  # TEST-NET-1 (RFC 5737): routed nowhere
CAPACITY = {"cpu": "16", "memory": "64Gi", "pods": "1000", "ephemeral-storage": "100Gi"}


class FakeNodes:
    """`count` nodes in `zones` zones, and what a kubelet and a volume provisioner would do for their pods."""

    def __init__(self, api: API, count: int, zones: int) -> None:
        self._api = api
        self._nodes = {f"{PREFIX}{index}": f"zone-{index % zones}" for index in range(count)}
        self._addresses = 0

    def run(self) -> None:
        """Never returns; each duty goes on by itself when the API server was away."""
        duties: list[Callable[[], None]] = [
            lambda: self._follow("/api/v1/pods", self.settle_pod),
            lambda: self._follow("/api/v1/persistentvolumeclaims", self.settle_claim),
        ]
        for duty in duties:
            threading.Thread(target=_again_and_again, args=(duty,), daemon=True).start()
        _again_and_again(self._keep_nodes)

    def _keep_nodes(self) -> None:
        for index, (name, zone) in enumerate(self._nodes.items()):
            self._api.create("/api/v1/nodes", node(name, zone))
            self._api.patch(f"/api/v1/nodes/{name}/status", {"status": node_status(name, index)}, STRATEGIC_PATCH)
        while True:
            for name in self._nodes:
                self._renew(name)
            time.sleep(HEARTBEAT_SECONDS)

    def _renew(self, name: str) -> None:
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        renewed = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": _now(with_microseconds=True)}
        if not self._api.create(leases, {"metadata": {"name": name}, "spec": renewed}):
            self._api.patch(f"{leases}/{name}", {"spec": renewed})

    def _follow(self, path: str, settle: Callable[[Object], None]) -> None:
        """Call `settle` for each object of a collection, and again at each change."""
        listed = self._api.get(path)
        for item in listed["items"]:
            _unless_it_moved_on(settle, item)
        for event in self._api.watch(path, listed["metadata"]["resourceVersion"]):
            if event["type"] == "ERROR":  # the version is too old: list again
                return
            if event["type"] != "DELETED":
                _unless_it_moved_on(settle, event["object"])

    def settle_pod(self, pod: Object) -> None:
        """Do what a kubelet would: end a deleted pod, report the state of any other."""
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if pod["spec"].get("nodeName") not in self._nodes:
            return
        if "deletionTimestamp" in meta:
            self._api.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})
            return
        self._addresses += 1
        if status := pod_status(pod, "10.245.{}.{}".format(*divmod(self._addresses, 250))):
            self._api.patch(f"{path}/status", {"metadata": {"uid": meta["uid"]}, "status": status}, STRATEGIC_PATCH)

    def settle_claim(self, claim: Object) -> None:
        """Do what a provisioner would: make the volume that a pending claim asks for."""
        if claim["status"].get("phase") == "Pending" and not claim["spec"].get("volumeName"):
            self._api.create("/api/v1/persistentvolumes", volume(claim))


def node(name: str, zone: str) -> Object:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": "local",
    }
    return {"metadata": {"name": name, "labels": labels}}


def node_status(name: str, index: int) -> Object:
    invented = ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion")
    info = dict.fromkeys((*invented, "machineID", "osImage", "systemUUID"), "fake")
    states = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
    return {
        "capacity": CAPACITY,
        "allocatable": CAPACITY,
        "addresses": [
            {"type": "InternalIP", "address": f"192.0.2.{index + 1}"},
            {"type": "Hostname", "address": name},
        ],
        "nodeInfo": info | {"operatingSystem": "linux", "architecture": "amd64"},
        "conditions": [_condition(kind, state, reason="Fake") for kind, state in states.items()],
    }


def pod_status(pod: Object, free_address: str) -> Object | None:
    """Return the status that a kubelet would report; None when the pod has it already.

    The pod keeps its address, or gets `free_address`.
    """
    annotations, spec, status = pod["metadata"].get("annotations", {}), pod["spec"], pod["status"]
    usual = "Running" if spec.get("restartPolicy", "Always") == "Always" else "Succeeded"
    phase = annotations.get(PHASE_ANNOTATION, usual)
    runs = phase == "Running"
    ready = runs and annotations.get(READY_ANNOTATION, "true") == "true"
    reported = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if status.get("phase") == phase and reported.get("Ready") == str(ready):
        return None
    ended = {"exitCode": int(phase == "Failed"), "reason": "Fake", "finishedAt": _now()}
    state = {"running": {"startedAt": _now()}} if runs else {"terminated": ended}
    address = status.get("podIP") or free_address
    return {
        "phase": phase,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": HOST_ADDRESS,
        "startTime": status.get("startTime") or _now(),
        "conditions": [
            _condition("Initialized", "True"),
            _condition("ContainersReady", str(ready)),
            _condition("Ready", str(ready)),
        ],
        "containerStatuses": [_container_status(container, state, ready=ready) for container in spec["containers"]],
    }


def _container_status(container: Object, state: Object, *, ready: bool) -> Object:
    image = container["image"]
    same = {"name": container["name"], "image": image, "imageID": image, "restartCount": 0}
    return same | {"state": state, "ready": ready, "started": "running" in state}


def volume(claim: Object) -> Object:
    """Return a volume bound to a claim, of the size, modes and class that it asks for."""
    meta, spec = claim["metadata"], claim["spec"]
    name = f"pv-{meta['uid']}"
    return {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName", ""),
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/nowhere/{name}"},
            "claimRef": {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
        },
    }


def _condition(kind: str, status: str, **more: str) -> Object:
    return {"type": kind, "status": status, "lastTransitionTime": _now(), **more}


def _now(*, with_microseconds: bool = False) -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ" if with_microseconds else "%Y-%m-%dT%H:%M:%SZ")


def _unless_it_moved_on(settle: Callable[[Object], None], item: Object) -> None:
    """Settle one object; when it went or changed meanwhile, its next event will do."""
    try:
        settle(item)
    except Refused as refused:
        if refused.status not in {http.client.NOT_FOUND, http.client.CONFLICT}:
            print(f"{item['metadata'].get('name')}: {refused}", file=sys.stderr, flush=True)


def _again_and_again(duty: Callable[[], None]) -> None:
    while True:
        try:
            duty()
        except (OSError, http.client.HTTPException, Refused) as error:
            print(f"again in {RETRY_SECONDS} s: {error}", file=sys.stderr, flush=True)
            time.sleep(RETRY_SECONDS)


def main() -> None:
    """Keep the nodes alive until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="URL of the API server")
    parser.add_argument("--pki", type=Path, required=True, help="directory with ca.crt, admin.crt, admin.key")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--zones", type=int, default=3)
    options = parser.parse_args()
    FakeNodes(API(options.server, Authority(options.pki), "admin"), options.nodes, options.zones).run()


if __name__ == "__main__":
    main()
