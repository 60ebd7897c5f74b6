"""What can be broken: each takes a cluster that is whole, breaks one thing, and yields the observations that tell of it."""
import proxy
import table
from cluster import OUTSIDE, ask, eventually, resolv_conf
from observe import observe

CALLER = 'order-service', 'node-x'
PRODUCT = 'product-service-svc'
CALL, CALL_IN_SHOP = f'http://{PRODUCT}/', f'http://{PRODUCT}.shop/'
TRIES = 40  # for what happens at random to every second call


def without(objects, name):
    return [each for each in objects if not table.is_called(each, name)]


def svcdns_down(cluster):
    """Both svcdns have ended; their pods and their Service are there."""
    cluster.stop_dns(cluster.dns)
    yield CALL


def one_svcdns_down(cluster):
    """One of two svcdns has ended, and is among the endpoints still: its pod refuses what comes."""
    cluster.dns[0].kill()
    yield from [CALL] * TRIES


def one_svcdns_hangs(cluster):
    """One of two svcdns takes questions and does not answer, as where a node is lost; it is among the endpoints still."""
    cluster.dns[0].hang()
    yield from [CALL] * TRIES


def wrong_namespace(cluster):
    """product-service-svc is in the namespace shop only; the caller is in default."""
    cluster.change(without(cluster.objects, PRODUCT))
    for server in cluster.dns:
        eventually(lambda address=server.pod.address: ask(address, f'{PRODUCT}.default.svc.cluster.local') is None,
                   'the Service to be gone')
    yield CALL
    yield CALL_IN_SHOP


def no_endpoints(cluster):
    """None of the pods behind product-service-svc is ready."""
    cluster.change(table.unready(cluster.objects, cluster.replicas('product-service')))
    yield CALL


def no_dnat(cluster):
    """The nodes have no rules for product-service-svc, as where kube-proxy hangs."""
    for node in cluster.nodes:
        node.run('nft', '-f', '-', input=proxy.ruleset(without(cluster.objects, PRODUCT)))
    yield CALL


def route_missing(cluster):
    """node-x has no route to the pods of node-y: what goes there, goes to the gateway, and is lost."""
    # Names are to be found nevertheless: how it looks when they are not, one_svcdns_hangs shows.
    cluster.change(table.unready(cluster.objects, [cluster.dns[1].pod]))
    node_x, node_y = cluster.nodes
    node_x.ip(f'route del {node_y.net}')
    yield from [CALL] * TRIES


def ndots_1(cluster):
    """options ndots:1: a name with a dot is asked as it stands first, and so goes outside."""
    caller(cluster).write('resolv.conf', resolv_conf('default', ndots=1))
    yield CALL
    yield CALL_IN_SHOP


def search_missing(cluster):
    """No search line, as with dnsPolicy Default or None: a bare name is asked as it stands."""
    caller(cluster).write('resolv.conf', resolv_conf('default', search=False))
    yield CALL
    yield f'http://{PRODUCT}.default.svc.cluster.local/'


def upstream_dead(cluster):
    """The name server outside has ended. What is in the cluster does not need it."""
    cluster.stop_upstream()
    yield f'http://{OUTSIDE}/'
    yield CALL


BREAKS = {each.__name__.replace('_', '-'): each for each in (
    svcdns_down, one_svcdns_down, one_svcdns_hangs, wrong_namespace, no_endpoints, no_dnat, route_missing, ndots_1,
    search_missing, upstream_dead)}
BY_CHANCE = 'one-svcdns-down', 'one-svcdns-hangs', 'route-missing'


def caller(cluster):
    return cluster.pod(*CALLER)


def observe_break(cluster, what):
    """The calls of a break. Where it is a matter of chance, the first that goes well, and the first that does not."""
    seen = set()
    for url in BREAKS[what](cluster):
        found = observe(cluster, caller(cluster), url)
        is_well = 'error' not in found['outcome']
        if what not in BY_CHANCE or is_well not in seen:
            yield found
        seen.add(is_well)
        if what in BY_CHANCE and len(seen) == 2:
            break
