"""docker/kubernetes: that the manifests are what Kubernetes takes, fit together, and fit the program."""

import ipaddress
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from server import ROOT, eventually, program

sys.path.insert(0, str(ROOT / 'tests' / 'support'))

import fake_apiserver  # noqa: E402
from test_api import fake, namespace  # noqa: E402, F401

FOLDER = ROOT / 'docker/kubernetes'
FILES = sorted(path for path in FOLDER.rglob('*.yaml') if path.name != 'kustomization.yaml')
KUSTOMIZATIONS = sorted(FOLDER.rglob('kustomization.yaml'))


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


OBJECTS = {(item['kind'], item['metadata']['name']): item for path in FILES for item in documents(path)}
WORKLOADS = {key: item for key, item in OBJECTS.items() if key[0] in ('Deployment', 'DaemonSet')}


def pod_of(workload):
    return workload['spec']['template']


def containers():
    """(name of the workload, spec of the Pod, container)."""
    for (_, name), item in WORKLOADS.items():
        for container in pod_of(item)['spec']['containers']:
            yield name, pod_of(item)['spec'], container


# ---- what Kubernetes takes -------------------------------------------------------------------------------------------

MODELS = {('v1', 'ServiceAccount'): 'V1ServiceAccount', ('v1', 'ConfigMap'): 'V1ConfigMap', ('v1', 'Service'): 'V1Service',
          ('apps/v1', 'Deployment'): 'V1Deployment', ('apps/v1', 'DaemonSet'): 'V1DaemonSet',
          ('rbac.authorization.k8s.io/v1', 'ClusterRole'): 'V1ClusterRole',
          ('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'): 'V1ClusterRoleBinding',
          ('policy/v1', 'PodDisruptionBudget'): 'V1PodDisruptionBudget',
          # The same fields; Debian 12's models are older than its last name.
          ('autoscaling/v2', 'HorizontalPodAutoscaler'): 'V2beta2HorizontalPodAutoscaler'}
SCALARS = {'str': str, 'int': int, 'float': (int, float), 'bool': bool, 'object': object}
QUANTITY = re.compile(r'\d+(\.\d+)?(m|k|Ki|Mi|Gi)?')


def build(type_, value, where):
    """A model of the Kubernetes client from a value of a manifest. It refuses unknown fields, types that are others, and
    required fields that are missing."""
    client = pytest.importorskip('kubernetes.client', reason='python3-kubernetes is not installed')
    if match := re.fullmatch(r'(?:list\[(.*)\]|dict\(str, (.*)\))', type_):
        assert isinstance(value, list if match[1] else dict), f'{where}: not {type_}'
        for key, item in enumerate(value) if match[1] else value.items():
            build(match[1] or match[2], item, f'{where}.{key}')
        return value
    if type_ in SCALARS:
        assert isinstance(value, SCALARS[type_]) and (type_ == 'bool') >= isinstance(value, bool), f'{where}: not {type_}'
        return value
    model = getattr(client, type_)
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    assert isinstance(value, dict) and value.keys() <= names.keys(), f'{where}: unknown: {value.keys() - names.keys()}'
    fields = {names[key]: build(model.openapi_types[names[key]], item, f'{where}.{key}') for key, item in value.items()}
    try:
        return model(**fields)
    except ValueError as wrong:
        raise AssertionError(f'{where}: {wrong}') from None


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_objects_are_valid(path):
    for item in documents(path):
        build(MODELS[item['apiVersion'], item['kind']], item, item['kind'])


@pytest.mark.parametrize('break_it', [
    lambda item: item['spec'].update(replica=1), lambda item: item['spec'].update(replicas='2'),
    lambda item: item['spec'].pop('selector'), lambda item: item['metadata'].update(labels={'a': True}),
    lambda item: item['spec']['template']['spec'].update(hostNetwork=1)])
def test_what_is_wrong_is_found(break_it):
    item = documents(FOLDER / 'deployment/deployment.yaml')[0]
    break_it(item)
    with pytest.raises(AssertionError):
        build('V1Deployment', item, 'Deployment')


@pytest.mark.parametrize('path', KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_kustomizations(path):
    """What they name is there, and nothing lies beside them that they forget."""
    kustomization = documents(path)[0]
    assert (kustomization['apiVersion'], kustomization['kind']) == ('kustomize.config.k8s.io/v1beta1', 'Kustomization')
    assert kustomization.keys() <= {'apiVersion', 'kind', 'resources', 'nameSuffix', 'labels', 'replicas'}
    for resource in kustomization['resources']:
        target = path.parent / resource
        assert target.is_file() or (target / 'kustomization.yaml').is_file(), resource
    beside = {file.name for file in path.parent.glob('*.yaml')} - {'kustomization.yaml'}
    assert beside == {name for name in kustomization['resources'] if name.endswith('.yaml')}


# ---- how they fit together -------------------------------------------------------------------------------------------


def test_selectors_select_their_own():
    for item in WORKLOADS.values():
        wanted = item['spec']['selector']['matchLabels']
        assert wanted.items() <= pod_of(item)['metadata']['labels'].items()
        for spread in pod_of(item)['spec'].get('topologySpreadConstraints', []):
            assert spread['labelSelector']['matchLabels'] == wanted
    labels = {name: pod_of(item)['metadata']['labels'] for (_, name), item in WORKLOADS.items()}
    for name in 'kube-dns', 'kube-dns-upstream':  # not the nodes' caches: they would ask themselves
        selector = OBJECTS['Service', name]['spec']['selector']
        assert [pod for pod in labels if selector.items() <= labels[pod].items()] == ['coredns']
    assert OBJECTS['PodDisruptionBudget', 'coredns']['spec']['selector']['matchLabels'] == labels['coredns']


def test_services_lead_to_ports():
    ports = {(port['name'], port['protocol']) for name, _, container in containers() if name == 'coredns'
             for port in container['ports']}
    for (kind, name), item in OBJECTS.items():
        if kind == 'Service':
            assert {(port['targetPort'], port['protocol']) for port in item['spec']['ports']} <= ports, name
    kube_dns = OBJECTS['Service', 'kube-dns']
    metrics = next(port['port'] for port in kube_dns['spec']['ports'] if port['name'] == 'metrics')
    assert kube_dns['metadata']['annotations'] == {'prometheus.io/scrape': 'true', 'prometheus.io/port': str(metrics)}


def test_autoscaler_has_its_target():
    target = OBJECTS['HorizontalPodAutoscaler', 'coredns']['spec']['scaleTargetRef']
    assert (target['kind'], target['name']) in OBJECTS
    assert 'replicas' not in OBJECTS['Deployment', 'coredns']['spec']  # else each apply would undo what it does


def test_everything_that_is_named_is_there():
    for item in WORKLOADS.values():
        pod = pod_of(item)['spec']
        assert ('ServiceAccount', pod['serviceAccountName']) in OBJECTS
        volumes = {volume['name']: volume['configMap'] for volume in pod['volumes']}
        for config in volumes.values():
            data = OBJECTS['ConfigMap', config['name']]['data']
            assert {item['key'] for item in config.get('items', [])} <= data.keys()
        for container in pod['containers']:
            assert {mount['name'] for mount in container['volumeMounts']} <= volumes.keys()
    binding = OBJECTS['ClusterRoleBinding', 'system:coredns']
    assert (binding['roleRef']['kind'], binding['roleRef']['name']) in OBJECTS
    assert [('ServiceAccount', 'coredns')] == [(who['kind'], who['name']) for who in binding['subjects']]


def test_names_of_coredns():
    """Those that kubeadm gives, so that an apply replaces the container and the volume instead of adding to them."""
    pod = pod_of(OBJECTS['Deployment', 'coredns'])['spec']
    assert [container['name'] for container in pod['containers']] == ['coredns']
    assert [volume['name'] for volume in pod['volumes']] == ['config-volume']
    assert {item['metadata'].get('namespace') for key, item in OBJECTS.items() if not key[0].startswith('ClusterRole')} == \
        {'kube-system'}


@pytest.mark.parametrize('name, pod, container', containers(), ids=lambda value: value if isinstance(value, str) else '')
def test_containers_have_no_rights_to_spare(name, pod, container):
    rights = {**pod['securityContext'], **container['securityContext']}
    assert rights['seccompProfile'] == {'type': 'RuntimeDefault'}
    assert rights['allowPrivilegeEscalation'] is False
    assert rights['readOnlyRootFilesystem'] is True
    assert rights['capabilities']['drop'] == ['ALL']
    if container['name'] == 'addresses':
        assert (rights['runAsUser'], rights['capabilities']['add']) == (0, ['NET_ADMIN'])
    else:
        assert rights['runAsNonRoot'] is True and rights['runAsUser'] == rights['runAsGroup'] == 65532
        assert rights['capabilities']['add'] == ['NET_BIND_SERVICE']
    requests, limits = (container['resources'][which] for which in ('requests', 'limits'))
    assert all(QUANTITY.fullmatch(value) for value in [*requests.values(), *limits.values()])
    assert 'cpu' not in limits  # a server that is throttled drops queries


def test_images_are_of_this_version():
    version = subprocess.run([program(), '-version'], capture_output=True, text=True, check=True, timeout=20).stdout
    tags = {container['image'].partition(':')[2] for _, _, container in containers()}
    assert tags == {re.match(r'\w+-(\S+)', version)[1]}


# ---- how they fit the program ----------------------------------------------------------------------------------------


def corefile(name):
    return OBJECTS['ConfigMap', name]['data']['Corefile']


def adapt(text, replacements):
    for old, new in replacements.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def here(corefile, url, more=''):
    """A cluster's Corefile, for a machine that is no Pod of one, and whose ports others have."""
    return adapt(corefile, {'.:53 {': '.:{PORT} {', 'health {': 'health 127.0.0.1:{PORT2} {', 'ready': 'ready 127.0.0.1:{PORT3}',
                            'prometheus :9153': 'prometheus 127.0.0.1:{PORT4}', '/etc/resolv.conf': '127.0.0.1:{PORT5}',
                            'ip6.arpa {\n': f'ip6.arpa {{\n        endpoint {url}\n{more}', 'lameduck 5s': 'lameduck 1ms'})


def test_probes_and_ports_of_the_deployment(svcdns, fake):  # noqa: F811
    """The ports that are declared are those of the Corefile, and the probes' paths are answered there."""
    _, _, container = next(found for found in containers() if found[0] == 'coredns')
    ports = {port['name']: port['containerPort'] for port in container['ports']}
    assert ports == {'dns': 53, 'dns-tcp': 53, 'metrics': 9153, 'health': 8080, 'ready': 8181}
    assert '.:53 {' in corefile('coredns') and 'prometheus :9153' in corefile('coredns')
    server = svcdns(here(corefile('coredns'), fake().url))
    assert [probe['httpGet']['port'] for probe in (container['livenessProbe'], container['readinessProbe'])] == \
        ['health', 'ready']
    assert server.fetch(container['livenessProbe']['httpGet']['path'], 2)[0] == 200
    assert server.fetch(container['readinessProbe']['httpGet']['path'], 3)[0] == 200
    assert server.fetch('/metrics', 4)[0] == 200
    assert server.ask('web.shop.svc.cluster.local').answer[0][0].address == '10.96.0.1'


def test_default_addresses_of_the_probes(room, svcdns):
    """Where the Corefile names none, /health and /ready are at the ports of the manifest."""
    room.resolv_conf('nameserver 192.0.2.53\n')  # nobody
    svcdns.room = room
    text = adapt(corefile('coredns'), {'kubernetes cluster.local in-addr.arpa ip6.arpa {': 'kubernetes cluster.local {\n'
                                       'table {DIR}/table.yaml', 'lameduck 5s': 'lameduck 1ms'})
    svcdns(text, files={'table.yaml': yaml.safe_dump({'apiVersion': 'v1', **namespace('shop')})})
    listening = set(re.findall(r':(\d+) ', room.run('ss', '-Hltn').stdout))
    assert {'53', '8080', '8181', '9153'} <= listening


def verbs_asked(api):
    """(group, resource, verb) of every request that the fake server has had."""
    groups = {plural: path.split('/')[2] if path.startswith('/apis/') else '' for path, plural in fake_apiserver.PATHS.items()}
    assert None not in {request.plural for request in api.requests}, 'something that the fake server does not know'
    return {(groups[request.plural], request.plural, 'watch' if request.ask.startswith('watch') else 'list')
            for request in api.requests}


def verbs_allowed():
    return {(group, resource, verb) for rule in OBJECTS['ClusterRole', 'system:coredns']['rules']
            for group in rule['apiGroups'] for resource in rule['resources'] for verb in rule['verbs']}


def test_role_has_what_is_asked_for(svcdns, fake):  # noqa: F811
    """With watches that begin with all objects, with lists, and in audits; Pods included."""
    asked = set()
    for watch_list in True, False:
        api = fake(watch_list=watch_list)
        more = 'audit 100ms\n'
        svcdns(here(corefile('coredns'), api.url, more).replace('pods insecure', 'pods verified'))
        eventually(lambda: {request.plural for request in api.asked('names')} == set(fake_apiserver.KINDS))
        eventually(lambda: {request.plural for request in api.asked('watch-list')} == set(fake_apiserver.KINDS))
        asked |= verbs_asked(api)
        svcdns.servers[-1].stop()
    assert {verb for _, _, verb in asked} == {'list', 'watch'}
    assert asked <= verbs_allowed()
    assert verbs_allowed() - asked == {('', 'endpoints', 'list'), ('', 'endpoints', 'watch')}  # CoreDNS' role has them


# ---- the cache on each node ------------------------------------------------------------------------------------------

NODE = pod_of(OBJECTS['DaemonSet', 'node-local-dns'])['spec']
HOLDER, CACHE = NODE['containers']
HELD = {entry['name']: entry['value'] for entry in HOLDER['env']}


def test_node_local_addresses_agree():
    held = list(HELD.values())
    blocks = re.findall(r'bind (.*)', corefile('node-local-dns'))
    assert [block.split() for block in blocks] == [held, held]
    assert HELD['CLUSTER_IP'] == OBJECTS['Service', 'kube-dns']['spec']['clusterIP']
    assert ipaddress.ip_address(HELD['LINK_LOCAL']).is_link_local
    upstream = OBJECTS['Service', 'kube-dns-upstream']['spec']['clusterIP']
    assert upstream not in held and f'forward . {upstream} {{' in corefile('node-local-dns')
    for probe in CACHE['livenessProbe'], CACHE['readinessProbe']:
        assert f'health {probe["httpGet"]["host"]}:8080' in corefile('node-local-dns')
    assert HOLDER['lifecycle']['postStart']['exec']['command'][:2] == HOLDER['command'][:2]


KUBE_PROXY = '''
table ip kube_proxy {
    chain output {
        type nat hook output priority -100
        ip daddr 10.96.0.10 udp dport 53 dnat to 10.96.0.11
    }
}
'''
CLUSTER = '''
    .:53 {
        bind 10.96.0.11
        hosts /dev/null {
            10.96.0.1 web.shop.svc.cluster.local
        }
        ready 10.96.0.11:8181
    }
    .:53 {
        bind 127.0.0.2
        hosts /dev/null {
            192.0.2.1 www.example.org
        }
    }
'''


class Node:
    """A room that is a node: kube-proxy leads the ClusterIP to the cluster's DNS at 10.96.0.11; outside names are at 127.0.0.2."""

    def __init__(self, room, svcdns, folder):
        self.room, self.svcdns = room, svcdns
        self.script = folder / 'addresses.sh'
        self.script.write_text(OBJECTS['ConfigMap', 'node-local-dns-addresses']['data']['addresses.sh'])
        self.do('ip', 'address', 'add', '10.96.0.11/32', 'dev', 'lo')
        self.do('ip', 'route', 'add', '10.96.0.10', 'dev', 'lo')
        (folder / 'rules').write_text(KUBE_PROXY)
        self.do('nft', '-f', folder / 'rules')
        room.resolv_conf('nameserver 127.0.0.2\n')
        svcdns.room = room
        self.cluster = svcdns(CLUSTER)

    def do(self, *command):
        done = self.room.run(*command)
        assert (done.returncode, done.stderr) == (0, ''), command
        return done.stdout

    def run_script(self, verb, start=False):
        command = ['env', *(f'{name}={value}' for name, value in HELD.items()), 'sh', self.script, verb]
        return self.room.start(*command) if start else self.do(*command)

    def ask(self, address, name='web.shop.svc.cluster.local'):
        done = self.room.run('dig', '-r', '+short', '+tries=1', '+timeout=2', f'@{address}', name)
        return done.stdout.strip() if done.returncode == 0 else None

    def is_intercepting(self):
        return 'svcdns_node_local' in self.do('nft', 'list', 'tables')


@pytest.fixture
def node(room, svcdns, tmp_path):
    if not shutil.which('nft') or room.run('nft', 'list', 'tables').returncode != 0:
        pytest.skip('no nftables of our own here')
    return Node(room, svcdns, tmp_path)


def test_a_node(node):
    """The addresses come before svcdns and go after it, and the ClusterIP always leads to somebody who answers."""
    assert node.ask('10.96.0.10') == '10.96.0.1'  # of the cluster's DNS
    holder = node.run_script('hold', start=True)
    node.run_script('wait')
    assert not node.is_intercepting()
    server = node.svcdns(corefile('node-local-dns'))
    eventually(node.is_intercepting)
    for address in HELD.values():
        assert node.ask(address) == '10.96.0.1'
        assert node.ask(address, 'www.example.org') == '192.0.2.1'
    node.cluster.stop()
    for address in HELD.values():
        assert node.ask(address) == '10.96.0.1'  # from the node's cache
    node.cluster = node.svcdns(CLUSTER)
    server.stop()
    eventually(lambda: not node.is_intercepting())
    assert node.ask('10.96.0.10') == '10.96.0.1'  # of the cluster's DNS again
    holder.terminate()
    assert holder.wait(20) == 0
    assert '169.254' not in node.do('ip', 'address', 'show', 'dev', 'lo')


def test_a_node_is_left_as_it_was(node):
    """At SIGTERM the ClusterIP is given back at once, the addresses when svcdns has stopped listening."""
    before = node.do('ip', 'address', 'show', 'dev', 'lo')
    holder = node.run_script('hold', start=True)
    node.run_script('wait')
    server = node.svcdns(corefile('node-local-dns'))
    eventually(node.is_intercepting)
    holder.terminate()
    eventually(lambda: not node.is_intercepting())
    assert node.ask('169.254.20.10') == '10.96.0.1'
    server.stop()
    assert holder.wait(20) == 0
    assert node.do('ip', 'address', 'show', 'dev', 'lo') == before
