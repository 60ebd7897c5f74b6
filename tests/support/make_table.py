#!/usr/bin/python3
"""Writes a big service table for benchmarks: N Services with a full EndpointSlice each, as YAML documents or a JSON List.

The services are ClusterIP ones but every tenth, which is headless and whose endpoints have a hostname. Names and
addresses follow from the numbers, so that a load generator can ask for them:
service K is svc-K.ns-(K modulo namespaces), its ClusterIP 10.96.0.0 + K + 1, its endpoints 10.128.0.0 + K * M + i + 1.
"""
import argparse
import ipaddress
import sys

CLUSTER_IPS = int(ipaddress.IPv4Address("10.96.0.1"))
ENDPOINTS = int(ipaddress.IPv4Address("10.128.0.1"))


def address(number):
    return str(ipaddress.IPv4Address(number))


def namespace_json(name):
    return f'{{"apiVersion": "v1", "kind": "Namespace", "metadata": {{"name": "{name}"}}}}'


def namespace_yaml(name):
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"


def service_json(k, namespace, ip):
    return (f'{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "svc-{k}", "namespace": "{namespace}", '
            f'"labels": {{"app": "app-{k}"}}}}, "spec": {{"type": "ClusterIP", "clusterIP": "{ip}", '
            f'"clusterIPs": ["{ip}"], "selector": {{"app": "app-{k}"}}, '
            f'"ports": [{{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}}]}}}}')


def service_yaml(k, namespace, ip):
    return f"""apiVersion: v1
kind: Service
metadata:
  name: svc-{k}
  namespace: {namespace}
  labels:
    app: app-{k}
spec:
  type: ClusterIP
  clusterIP: {ip}
  clusterIPs:
  - {ip}
  selector:
    app: app-{k}
  ports:
  - name: http
    protocol: TCP
    port: 80
    targetPort: 8080
"""


def endpoint_json(k, i, ip, has_hostname):
    hostname = f'"hostname": "web-{i}", ' if has_hostname else ""
    return (f'{{"addresses": ["{ip}"], "conditions": {{"ready": true}}, {hostname}'
            f'"targetRef": {{"kind": "Pod", "name": "svc-{k}-{i}"}}}}')


def endpoint_yaml(k, i, ip, has_hostname):
    hostname = f"  hostname: web-{i}\n" if has_hostname else ""
    return (f"- addresses:\n  - {ip}\n  conditions:\n    ready: true\n{hostname}"
            f"  targetRef:\n    kind: Pod\n    name: svc-{k}-{i}\n")


def slice_json(k, namespace, endpoints):
    return (f'{{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", '
            f'"metadata": {{"name": "svc-{k}-x1", "namespace": "{namespace}", '
            f'"labels": {{"kubernetes.io/service-name": "svc-{k}"}}}}, "endpoints": [{", ".join(endpoints)}], '
            f'"ports": [{{"name": "http", "protocol": "TCP", "port": 8080}}]}}')


def slice_yaml(k, namespace, endpoints):
    return f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata:
  name: svc-{k}-x1
  namespace: {namespace}
  labels:
    kubernetes.io/service-name: svc-{k}
endpoints:
{"".join(endpoints)}ports:
- name: http
  protocol: TCP
  port: 8080
"""


def documents(arguments):
    is_json = arguments.format == "json"
    namespace_of, service_of, endpoint_of, slice_of = (
        (namespace_json, service_json, endpoint_json, slice_json) if is_json
        else (namespace_yaml, service_yaml, endpoint_yaml, slice_yaml))
    for n in range(arguments.namespaces):
        yield namespace_of(f"ns-{n}")
    for k in range(arguments.services):
        namespace = f"ns-{k % arguments.namespaces}"
        is_headless = k % 10 == 9
        yield service_of(k, namespace, "None" if is_headless else address(CLUSTER_IPS + k))
        first = ENDPOINTS + k * arguments.endpoints
        yield slice_of(k, namespace, [endpoint_of(k, i, address(first + i), is_headless)
                                      for i in range(arguments.endpoints)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10000)
    parser.add_argument("--endpoints", type=int, default=10, help="of each service")
    parser.add_argument("--namespaces", type=int, default=100)
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml")
    parser.add_argument("--output", default="-", help="a file; - is stdout")
    arguments = parser.parse_args()
    out = sys.stdout if arguments.output == "-" else open(arguments.output, "w", encoding="ascii")
    with out:
        if arguments.format == "json":
            out.write('{"apiVersion": "v1", "kind": "List", "items": [\n')
            for i, text in enumerate(documents(arguments)):
                out.write((",\n" if i else "") + text)
            out.write("\n]}\n")
        else:
            out.writelines(text + "---\n" for text in documents(arguments))


if __name__ == "__main__":
    main()
