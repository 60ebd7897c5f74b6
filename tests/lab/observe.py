"""One call and what can be seen of it, at every place that it passes: an Observation is a dict, the evidence as it was found.

    pod, node, url, outcome        who called what, and what it got: see service.py
    resolv_conf                    lines, of the caller's pod
    questions                      on the wire of the caller, each with the keys of ASKED;
                                   to: the pod with svcdns at which it arrived, or None; rcode, answered_us None: no answer came
    log                            what each svcdns wrote meanwhile: {pod: lines}
    pod_route, node_route          `ip route get` for the ClusterIP in the pod, for where the node sends the connection
    steps                          what has grown among the counters of the caller's node: {name: packets}
    tracked                        the connection in the node's table of connections
    path                           first packets of the connection, place by place: {'at', 'source', 'target', 'flags', 'us',
                                   'times'}
    passages                       each packet of the caller's that begins or ends something, and where it was seen:
                                   {'what', 'is_reply', 'seen': [{'at', 'source', 'target', 'us'}]}
    places                         all places, in the order of the way; pods of the same name in two namespaces are one
    refusals                       ICMP messages that reached the caller

us: microseconds since the first of the caller's packets, by the kernel's clock at that place.
"""
import contextlib

from cluster import eventually
from wire import Tap

ASKED = 'name', 'type', 'to', 'rcode', 'answers', 'us', 'answered_us'


class Watch:
    """Taps along every way that a call from this pod can take, in the order of the way."""

    def __init__(self, cluster, pod):
        def pods_of(node):
            return [(other, 'eth0') for other in cluster.pods if other.node is node and other is not pod]

        places = [(pod, 'eth0'), (pod.node, pod.node.bridge), *pods_of(pod.node), (pod.node, 'eth0')]
        for node in (node for node in cluster.nodes if node is not pod.node):
            places += [(node, 'eth0'), (node, node.bridge), *pods_of(node)]
        self.taps = [Tap(*place) for place in places]

    def read(self):
        """[(place, packets)], with their times in microseconds since the first packet at the first place."""
        seen = [(f'{tap.device} of {tap.space.name}', tap.packets()) for tap in self.taps]
        begun = seen[0][1][0]['time'] if seen[0][1] else 0
        return [(place, [{**packet, 'us': (packet['time'] - begun) // 1000} for packet in packets]) for place, packets in seen]

    def close(self):
        for tap in self.taps:
            tap.close()


def question_of(packet):
    """What a question, and the answer to it, has at every place."""
    return (*(packet[key] for key in ('id', 'name', 'type')), packet['target' if 'rcode' in packet else 'source'])


def questions(packets, keys):
    """Those of the caller, each with its answer: `rcode`, `answers`, `answered_us`, which are empty where there is none, and
    `waited`: nothing else was under way when it was sent."""
    found = []
    for packet in packets:
        key = question_of(packet)
        if 'rcode' not in packet:
            found.append((key, {**packet, 'rcode': None, 'answers': [], 'answered_us': None,
                                'waited': all(each['rcode'] for _, each in found)}))
            continue
        asked = [each for its_key, each in found if its_key == key and each['rcode'] is None]
        if asked:
            asked[0].update(rcode=packet['rcode'], answers=packet['answers'], answered_us=packet.get('us'))
    return [{key: each[key] for key in keys} for _, each in found]


def arrivals(cluster, seen):
    """question -> pod with svcdns to which it came"""
    pods = {f'eth0 of {server.pod.name}': server.pod.name for server in cluster.dns}
    return {question_of(packet): pods[place] for place, packets in seen if place in pods
            for packet in packets if packet['kind'] == 'dns' and 'rcode' not in packet}


def path(seen):
    """Each place's first packets; those that were sent again are counted."""
    found = []
    for place, packets in seen:
        here = {}
        for packet in packets:
            if packet['kind'] == 'tcp':
                key = packet['source'], packet['target'], packet['flags']
                here.setdefault(key, {'at': place, **dict(zip(('source', 'target', 'flags'), key)), 'us': packet['us'],
                                      'times': 0})['times'] += 1
        found += here.values()
    return found


def what_is(packet):
    """It in a few words, the same at every place."""
    if packet['kind'] != 'dns':
        return packet.get('flags') or packet['line']
    asked = f'{packet["type"]} {packet["name"]}'
    return ' '.join([f'{asked}: {packet["rcode"]}', *packet['answers']]) if 'rcode' in packet else f'{asked}?'


def passages(seen, client):
    """client: the address of the caller, which stands for it everywhere: only the other end is turned."""
    found = {}
    for place, packets in seen:
        for packet in packets:
            ours = [end for end in ('source', 'target') if packet[end].split(':')[0] == client]
            if packet['kind'] == 'icmp' or not ours:
                continue
            what, is_reply = what_is(packet), ours[0] == 'target'
            found.setdefault((what, packet[ours[0]], is_reply), []).append((packet['time'], {'at': place, **{
                key: packet[key] for key in ('source', 'target', 'us')}}))
    in_order = [(key, sorted(seen, key=lambda each: each[0])) for key, seen in found.items()]
    return [{'what': what, 'is_reply': is_reply, 'seen': [each for _, each in seen]}
            for (what, _, is_reply), seen in sorted(in_order, key=lambda each: each[1][0][0])]


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
    log_before, counters_before = [len(server.lines()) for server in cluster.dns], node.counters()
    with contextlib.closing(Watch(cluster, pod)) as watch:
        outcome, = pod.call(url)
        seen = watch.read()
    mine = seen[0][1]
    arrived = arrivals(cluster, seen)
    asked = questions([{**packet, 'to': arrived.get(question_of(packet))} for packet in mine if packet['kind'] == 'dns'], ASKED)
    answered = sum(each['rcode'] is not None for each in asked)

    def log():
        return {server.pod.name: server.lines()[begin:] for server, begin in zip(cluster.dns, log_before)}

    eventually(lambda: sum(f' {pod.address}:' in line for lines in log().values() for line in lines) >= answered,
               'the lines of svcdns')
    found = {'pod': pod.name, 'node': node.name, 'url': url, 'outcome': outcome,
             'resolv_conf': pod.run('cat', '/etc/resolv.conf').stdout.splitlines(), 'questions': asked, 'log': log(),
             'steps': growth(counters_before, node.counters()), 'path': [], 'tracked': [],
             'passages': passages(seen, pod.address), 'places': list(dict.fromkeys(place for place, _ in seen)),
             'refusals': [{key: packet[key] for key in ('source', 'unreachable', 'about', 'us')}
                          for packet in mine if packet['kind'] == 'icmp']}
    syn = first_syn(mine)
    if syn:
        service, port = syn['target'].split(':')[0], syn['source'].split(':')[1]
        found['path'] = [hop for hop in path(seen) if hop['flags'] == 'SYN' or hop['at'] == seen[0][0]]
        found['tracked'] = node.connections(f'src={pod.address}', f'dst={service}', f'sport={port}')
        found['pod_route'] = pod.route(service)
        found['node_route'] = node.route(where_to(found['path'], node), 'from', pod.address, 'iif', node.bridge)
    return found
