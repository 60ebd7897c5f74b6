#!/usr/bin/python3
"""Makes an API server hold the objects of a manifest file, and no others: load_objects.py http://HOST:PORT FILE

Other kinds than those that DNS is made of are left out. Used as a module, too: replace(url, path).
"""
import http.client
import json
import sys
import urllib.parse

import yaml

RESOURCES = {"Namespace": ("/api/v1", "namespaces"), "Service": ("/api/v1", "services"), "Pod": ("/api/v1", "pods"),
             "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices")}


class Client:
    """One connection to an API server."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        answer = json.loads(response.read() or b"null")
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer}")
        return answer

    @staticmethod
    def path(kind, namespace="", name=""):
        root, plural = RESOURCES[kind]
        scope = f"/namespaces/{namespace}" if namespace and kind != "Namespace" else ""
        return f"{root}{scope}/{plural}" + (f"/{name}" if name else "")

    def list(self, kind):
        return self.call("GET", self.path(kind))["items"] or []

    def create(self, item):
        return self.call("POST", self.path(item["kind"], namespace_of(item)), item)

    def update(self, item):
        return self.call("PUT", self.path(item["kind"], namespace_of(item), item["metadata"]["name"]), item)

    def delete(self, kind, namespace, name):
        self.call("DELETE", self.path(kind, namespace, name))

    def clear(self):
        for kind in RESOURCES:
            for item in self.list(kind):
                self.delete(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])

    def close(self):
        self.connection.close()


def namespace_of(item):
    return "" if item["kind"] == "Namespace" else item["metadata"].get("namespace", "default")


def objects(path):
    """The objects of a manifest file that an API server of these resources takes."""
    with open(path, encoding="utf-8") as file:
        for document in yaml.load_all(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if document:
                items = document["items"] if document["kind"].endswith("List") else [document]
                yield from (item for item in items if item["kind"] in RESOURCES)


def replace(url, path):
    client = Client(url)
    client.clear()
    for item in objects(path):
        client.create(item)
    client.close()


if __name__ == "__main__":
    replace(*sys.argv[1:3])
