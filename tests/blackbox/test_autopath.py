"""autopath @kubernetes: the list is that of the Pod that asks, as the table has it now."""

import time

import dns.message
import dns.rcode

COREFILE = '''
    .:{PORT} {
        autopath @kubernetes
        kubernetes cluster.local {
            table {DIR}/table.yaml
            pods MODE
        }
    }
'''

TABLE = '''
    {apiVersion: v1, kind: List, items: [
      {apiVersion: v1, kind: Namespace, metadata: {name: depot}},
      {apiVersion: v1, kind: Service, metadata: {name: stock, namespace: depot},
       spec: {clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7]}},
      {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: NAMESPACE}, status: {podIP: 127.0.0.5}}]}
'''

FOUND = ['stock.depot.svc.cluster.local.', '10.96.0.7']


def look_up(server, name, source='127.0.0.5'):
    reply = server.exchange(dns.message.make_query(name, 'A'), source=source)
    assert reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
    return [str(record) for rrset in reply.answer for record in rrset]


def test_pods_of_another_namespace(svcdns):
    server = svcdns(COREFILE.replace('MODE', 'verified'), files={'table.yaml': TABLE.replace('NAMESPACE', 'shop')})
    assert look_up(server, 'stock.depot.shop.svc.cluster.local') == FOUND
    assert look_up(server, 'stock.depot.svc.shop.svc.cluster.local') == FOUND
    assert look_up(server, 'stock.depot.svc.cluster.local.shop.svc.cluster.local') == FOUND
    assert look_up(server, 'stock.depot.other.svc.cluster.local') == []
    assert look_up(server, 'stock.depot.shop.svc.cluster.local', '127.0.0.6') == []     # no Pod


def test_pod_that_gets_the_address_of_another(svcdns):
    server = svcdns(COREFILE.replace('MODE', 'verified'), files={'table.yaml': TABLE.replace('NAMESPACE', 'shop')})
    (svcdns.folder / 'table.yaml').write_text(TABLE.replace('NAMESPACE', 'office'))
    deadline = time.monotonic() + 20
    while look_up(server, 'stock.depot.office.svc.cluster.local') != FOUND:
        assert time.monotonic() < deadline, server.lines
        time.sleep(0.05)
    assert look_up(server, 'stock.depot.shop.svc.cluster.local') == []


def test_pods_that_are_not_verified_have_no_list(svcdns):
    server = svcdns(COREFILE.replace('MODE', 'insecure'), files={'table.yaml': TABLE.replace('NAMESPACE', 'shop')})
    assert look_up(server, 'stock.depot.shop.svc.cluster.local') == []
