"""One call and what can be seen of it, at every place that it passes: an Observation is a dict, the evidence as it was found.

    pod, node, url, outcome        who called what, and what it got: see service.py
    resolv_conf                    lines, of the caller's pod
    questions                      on the wire of the caller: {'name', 'type', 'rcode', 'answers'}; rcode None: no answer came
    log                            what svcdns wrote meanwhile
    pod_route, node_route          `ip route get` for the ClusterIP in the pod, for where the node sends the connection
    steps                          what has grown among the counters of the caller's node: {name: packets}
    tracked                        the connection in the node's table of connections
    path                           first packets of the connection: {'at', 'source', 'target', 'flags', 'times'}, place by place
    refusals                       ICMP messages that reached the caller
"""
import contextlib

from cluster import eventually
from wire import Tap


class Watch:
    """Taps along every way that a call from this pod can take, in the order of the way."""

    def __init__(self, cluster, pod):
        self.pod = pod
        others = [node for node in cluster.nodes if node is not pod.node]
        places = [(pod, 'eth0'), (pod.node, pod.node.bridge), (pod.node, 'eth0')]
        for node in others:
            places += [(node, 'eth0'), (node, node.bridge)]
        places += [(other, 'eth0') for other in cluster.pods if other is not pod]
        self.taps = [Tap(*place) for place in places]

    def read(self):
        """[(place, packets)]"""
        return [(f'{tap.device} of {tap.space.name}', tap.packets()) for tap in self.taps]

    def close(self):
        for tap in self.taps:
            tap.close()


def questions(packets, keys=('name', 'type', 'rcode', 'answers')):
    """Those of the caller, each with its answer. `waited`: nothing else was under way when it was sent."""
    found = []
    for packet in packets:
        if 'rcode' not in packet:
            found.append({**packet, 'rcode': None, 'answers': [], 'waited': all(each['rcode'] for each in found)})
            continue
        asked = [each for each in found if each['rcode'] is None
                 and all(each[key] == packet[key] for key in ('id', 'name', 'type')) and each['source'] == packet['target']]
        if asked:
            asked[0].update(rcode=packet['rcode'], answers=packet['answers'])
    return [{key: each[key] for key in keys} for each in found]


def path(seen):
    """Each place's first packets; those that were sent again are counted."""
    found = []
    for place, packets in seen:
        here = {}
        for packet in packets:
            if packet['kind'] == 'tcp':
                key = packet['source'], packet['target'], packet['flags']
                here.setdefault(key, {'at': place, **dict(zip(('source', 'target', 'flags'), key)), 'times': 0})['times'] += 1
        found += here.values()
    return found


def growth(before, after):
    return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}


def first_syn(packets):
    return next((packet for packet in packets if packet['kind'] == 'tcp' and packet['flags'] == 'SYN'), None)


def where_to(hops, node):
    """The address to which the node sends the connection on: that of the last SYN that it had on an interface of its own."""
    sent = [hop['target'] for hop in hops if hop['at'].endswith(f' of {node.name}') and hop['flags'] == 'SYN']
    return sent[-1].split(':')[0] if sent else None


def observe(cluster, pod, url):
    node = pod.node
    log_before, counters_before = len(cluster.dns.lines()), node.counters()
    with contextlib.closing(Watch(cluster, pod)) as watch:
        outcome, = pod.call(url)
        seen = watch.read()
    mine = seen[0][1]
    asked = questions([packet for packet in mine if packet['kind'] == 'dns'])
    answered = sum(each['rcode'] is not None for each in asked)

    def log():
        return cluster.dns.lines()[log_before:]

    eventually(lambda: sum(f' {pod.address}:' in line for line in log()) >= answered, 'the lines of svcdns')
    found = {'pod': pod.name, 'node': node.name, 'url': url, 'outcome': outcome,
             'resolv_conf': pod.run('cat', '/etc/resolv.conf').stdout.splitlines(), 'questions': asked, 'log': log(),
             'steps': growth(counters_before, node.counters()), 'path': [], 'tracked': [],
             'refusals': [packet for packet in mine if packet['kind'] == 'icmp']}
    syn = first_syn(mine)
    if syn:
        service, port = syn['target'].split(':')[0], syn['source'].split(':')[1]
        found['path'] = [hop for hop in path(seen) if hop['flags'] == 'SYN' or hop['at'] == seen[0][0]]
        found['tracked'] = node.connections(f'src={pod.address}', f'dst={service}', f'sport={port}')
        found['pod_route'] = pod.route(service)
        found['node_route'] = node.route(where_to(found['path'], node), 'from', pod.address, 'iif', node.bridge)
    return found
