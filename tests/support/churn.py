"""A cluster that changes all the time, by a seed: creates, updates, deletes and renames of Services, headless ones that get a
ClusterIP and back, ExternalNames, endpoints that flap, slices that move to another Service, namespaces that come and go.

    churn = Churn(seed)
    for operation, item in churn.changes(20000): ...       # ('put', item) or ('delete', item)
    churn.names()                                          # every name and type that may have had an answer
"""
import random

NAMESPACES = [f"ns-{i}" for i in range(4)]
SERVICES = [f"svc-{i}" for i in range(40)]
ADDRESSES = 60
CHOICES = 5  # of ClusterIPs for a Service; no other one has them


def cluster_ip(namespace, name, choice):
    return f"10.96.{NAMESPACES.index(namespace)}.{SERVICES.index(name) * CHOICES + choice}"


class Churn:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.objects = {}

    def put(self, item):
        metadata = item["metadata"]
        self.objects[item["kind"], metadata.get("namespace", ""), metadata["name"]] = item
        return "put", item

    def delete(self, key):
        return "delete", self.objects.pop(key)

    def service(self, namespace, name):
        choice = self.random.random()
        spec = {"type": "ClusterIP", "clusterIP": cluster_ip(namespace, name, self.random.randrange(CHOICES))}
        if choice < 0.3:
            spec["clusterIP"] = "None"
        elif choice < 0.4:
            spec = {"type": "ExternalName", "externalName": f"host-{self.random.randrange(5)}.example.org"}
        if "clusterIP" in spec:
            spec["clusterIPs"] = [spec["clusterIP"]] + (["fd00::" + str(self.random.randrange(9) + 1)]
                                                       if choice > 0.8 else [])
            spec["ports"] = [{"name": n, "protocol": "TCP", "port": self.random.randrange(1, 99)}
                             for n in self.random.sample(["http", "grpc", "metrics"], self.random.randrange(1, 4))]
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}

    def slice(self, namespace, name, number):
        endpoints = [{"addresses": [f"10.1.0.{self.random.randrange(ADDRESSES)}"],
                      "conditions": {"ready": self.random.random() < 0.8},
                      **({"hostname": f"h-{self.random.randrange(4)}"} if self.random.random() < 0.3 else {})}
                     for _ in range(self.random.randrange(5))]
        return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints,
                "metadata": {"name": f"slice-{number}", "namespace": namespace,
                             "labels": {"kubernetes.io/service-name": name}},
                "ports": [{"name": "http", "protocol": "TCP", "port": 8080 + self.random.randrange(2)}]}

    def namespace(self, name):
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

    def rename(self):
        """A Service goes, and comes again under another name."""
        keys = [k for k in self.objects if k[0] == "Service"]
        if keys:
            key = self.random.choice(keys)
            _, item = self.delete(key)
            yield "delete", item
            yield self.put(self.service(item["metadata"]["namespace"], self.random.choice(SERVICES)))

    def one(self):
        choice, namespace = self.random.random(), self.random.choice(NAMESPACES)
        name = self.random.choice(SERVICES)
        if choice < 0.35:
            yield self.put(self.service(namespace, name))
        elif choice < 0.75:
            yield self.put(self.slice(namespace, name, self.random.randrange(60)))
        elif choice < 0.8:
            yield from self.rename()
        elif choice < 0.82:
            key = ("Namespace", "", namespace)
            yield self.delete(key) if key in self.objects else self.put(self.namespace(namespace))
        else:
            keys = [k for k in self.objects if k[0] != "Namespace"]
            if keys:
                yield self.delete(self.random.choice(keys))

    def changes(self, count):
        for name in NAMESPACES:
            yield self.put(self.namespace(name))
        while count > 0:
            for change in self.one():
                yield change
                count -= 1

    @staticmethod
    def names():
        for namespace in NAMESPACES:
            for name in SERVICES:
                full = f"{name}.{namespace}.svc.cluster.local"
                yield from ((full, type_) for type_ in ("A", "AAAA", "SRV", "CNAME"))
                yield from ((f"h-{i}.{full}", "A") for i in range(4))
        for i in range(ADDRESSES):
            yield f"{i}.0.1.10.in-addr.arpa", "PTR"
        for namespace in range(len(NAMESPACES)):
            for i in range(len(SERVICES) * CHOICES):
                yield f"{i}.{namespace}.96.10.in-addr.arpa", "PTR"
