"""A real Kubernetes API server (k8s.io/apiserver with an etcd in it) for tests: the program that $SVCDNS_APISERVER names.

    with RealApi(folder, tls=True, deny='pods') as api: ...
    api.url, api.port, api.https_port, api.account (folder of ca.crt and token; each start makes another certificate)
    api.put(item), api.delete(kind, namespace, name), api.objects()
    api.stop(), api.start()                     # objects and versions stay
    api.compact()                               # history is forgotten: watches from older versions get 410 after a start
"""
import os
import pathlib
import subprocess
import urllib.request

from load_objects import RESOURCES, Client, namespace_of
from ports import free_port

VARIABLE = "SVCDNS_APISERVER"


def is_there():
    return VARIABLE in os.environ


class RealApi:
    def __init__(self, folder, tls=False, deny=""):
        self.folder, self.deny = pathlib.Path(folder), deny
        self.port, self.https_port = free_port(), free_port() if tls else None
        self.known = set()
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def account(self):
        return self.folder / "serviceaccount"

    def start(self):
        command = [os.environ[VARIABLE], "-http", f"127.0.0.1:{self.port}", "-dir", str(self.folder)]
        if self.https_port:
            command += ["-https", f"127.0.0.1:{self.https_port}", "-deny", self.deny]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if line == "ready\n":
                break
        else:
            raise RuntimeError(f"{command}: it did not come up")
        self.client = Client(self.url)

    def stop(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def compact(self):
        urllib.request.urlopen(urllib.request.Request(self.url + "/debug/compact", method="POST")).close()

    def put(self, *items):
        for item in items:
            item = {"apiVersion": "discovery.k8s.io/v1" if item["kind"] == "EndpointSlice" else "v1", **item}
            key = item["kind"], namespace_of(item), item["metadata"]["name"]
            if key in self.known:
                self.client.update(item)
            else:
                self.client.create(item)
                self.known.add(key)

    def delete(self, kind, namespace, name):
        self.client.delete(kind, namespace, name)
        self.known.discard((kind, namespace or "", name))

    def objects(self):
        return [{"apiVersion": "discovery.k8s.io/v1" if kind == "EndpointSlice" else "v1", "kind": kind, **item}
                for kind in RESOURCES for item in self.client.list(kind)]

    def close(self):
        self.stop()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()
