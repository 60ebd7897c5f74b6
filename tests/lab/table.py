"""The table of the laboratory, as manifests: a part of zones/shop.yaml, with the same addresses, and svcdns in two pods.

svcdns and the stand-in of kube-proxy read the same file of it. It is JSON, which manifests may be, because Python's standard
library reads that and not YAML.
"""
import copy
import json
import os

DNS_IP, DNS_PODS = '10.96.0.10', [('coredns-x4', 'node-x', '10.244.1.53'), ('coredns-y4', 'node-y', '10.244.2.53')]
NODE_PORT = 30080  # order-service's, on every node
SERVICES = {'order': 1, 'product': 2, 'payment': 3}
NAMESPACES = {'default': 1, 'shop': 2}
STOCK_DB = [('stock-db-0', 'node-x', '10.244.1.50'), ('stock-db-1', 'node-y', '10.244.2.51'), ('stock-db-2', 'node-x', '10.244.1.52')]
OUTSIDE_NAME = 'example.com'  # exchange-rates stands for it
NODES = {'node-x': 1, 'node-y': 2}


def service(name, namespace, address, selector, ports, node_port=None):
    ports = [dict(zip(('name', 'protocol', 'port', 'targetPort'), port)) for port in ports]
    if node_port:
        ports[0]['nodePort'] = node_port
    return {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name, 'namespace': namespace},
            'spec': {'type': 'NodePort' if node_port else 'ClusterIP', 'clusterIP': address, 'clusterIPs': [address],
                     'selector': selector, 'ports': ports}}


def external_name(name, namespace, target):
    return {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name, 'namespace': namespace},
            'spec': {'type': 'ExternalName', 'externalName': target}}


def slice_of(service, pods):
    """Behind a headless Service each pod has a name of its own."""
    is_headless = service['spec']['clusterIP'] == 'None'
    meta, ports = service['metadata'], service['spec']['ports']
    return {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': 'IPv4',
            'metadata': {'name': f'{meta["name"]}-1', 'namespace': meta['namespace'],
                         'labels': {'kubernetes.io/service-name': meta['name']}},
            'endpoints': [{'addresses': [address], 'conditions': {'ready': True}, 'nodeName': node, **({'hostname': name} if is_headless else {}),
                           'targetRef': {'kind': 'Pod', 'name': name, 'namespace': meta['namespace']}}
                          for name, node, address in pods],
            'ports': [{'name': p['name'], 'protocol': p['protocol'], 'port': p['targetPort']} for p in ports]}


def pod(name, namespace, node, address, labels):
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name, 'namespace': namespace, 'labels': labels},
            'spec': {'nodeName': node, 'containers': [{'name': 'main', 'image': 'shop'}]},
            'status': {'phase': 'Running', 'podIP': address, 'podIPs': [{'ip': address}]}}


def group(name, namespace, address, selector, ports, pods, node_port=None):
    """A Service, its slice, and the pods behind it, each of which is (name, node, address)."""
    made = service(name, namespace, address, selector, ports, node_port)
    return [made, slice_of(made, pods), *(pod(each[0], namespace, *each[1:], selector) for each in pods)]


def manifests():
    found = [{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name}} for name in (*NAMESPACES, 'kube-system')]
    for namespace, tens in NAMESPACES.items():
        for name, ones in SERVICES.items():
            pods = [(f'{name}-service-7d9f5c-{node[-1]}{ones}', node, f'10.244.{net}.{tens}{ones}')
                    for node, net in NODES.items()]
            found += group(f'{name}-service-svc', namespace, f'10.96.{tens}0.{ones}', {'app': f'{name}-service'},
                           [('http', 'TCP', 80, 8080)], pods,
                           NODE_PORT if (name, namespace) == ('order', 'default') else None)
    found += group('stock-db', 'default', 'None', {'app': 'stock-db'}, [('postgres', 'TCP', 5432, 5432)], STOCK_DB)
    found.append(external_name('exchange-rates', 'default', OUTSIDE_NAME))
    found += group('kube-dns', 'kube-system', DNS_IP, {'k8s-app': 'kube-dns'},
                   [('dns', 'UDP', 53, 53), ('dns-tcp', 'TCP', 53, 53)], DNS_PODS)
    return found


def of_kind(objects, kind):
    return [each for each in objects if each['kind'] == kind]


def unready(objects, pods):
    """The same with the endpoints of these pods out of service."""
    found, addresses = copy.deepcopy(objects), [[pod.address] for pod in pods]
    for endpoint in (endpoint for each in of_kind(found, 'EndpointSlice') for endpoint in each['endpoints']):
        if endpoint['addresses'] in addresses:
            endpoint['conditions']['ready'] = False
    return found


def is_called(each, name, namespace='default'):
    """Whether it is that Service, or the slice behind it."""
    return (each['metadata'].get('namespace') == namespace and
            name in (each['metadata']['name'], each['metadata'].get('labels', {}).get('kubernetes.io/service-name')))


def write(path, objects):
    """All at once, as a ConfigMap changes: whoever reads it meanwhile has the old one or the new one."""
    with open(f'{path}.new', 'w', encoding='ascii') as file:
        json.dump({'apiVersion': 'v1', 'kind': 'List', 'items': objects}, file, indent=1)
    os.replace(f'{path}.new', path)


def read(path):
    with open(path, encoding='ascii') as file:
        return json.load(file)['items']
