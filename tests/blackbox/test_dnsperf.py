"""Many queries: dnsperf gets an answer to each of them, and the right kind."""

import re
import shutil
import subprocess

import pytest

from server import ROOT

COREFILE = f'''
    .:{{PORT}} {{
        errors
        search {{
            namespace default
        }}
        kubernetes cluster.local in-addr.arpa {{
            table {ROOT}/zones/shop.yaml
            pods verified
        }}
    }}
'''
FOUND = [
    'product-service-svc.default.svc.cluster.local A', 'order-service-svc.shop.svc.cluster.local A',
    'payment-service-svc.default.svc.cluster.local AAAA', 'stock-db.default.svc.cluster.local A',
    'stock-db-2.stock-db.default.svc.cluster.local A', '_http._tcp.order-service-svc.default.svc.cluster.local SRV',
    '_postgres._tcp.stock-db.default.svc.cluster.local SRV', '10-244-1-11.default.pod.cluster.local A',
    'kube-dns.kube-system.svc.cluster.local A', '2.10.96.10.in-addr.arpa PTR', 'exchange-rates.default.svc.cluster.local CNAME',
    'product-service-svc A', 'product-service-svc AAAA', 'order-service-svc.shop A', 'payment-service-svc.shop.svc A',
]
ABSENT = [
    'absent.default.svc.cluster.local A', 'product-service-svc.absent.svc.cluster.local A',
    'stock-db-9.stock-db.default.svc.cluster.local A', '10-244-9-9.default.pod.cluster.local A', 'absent.cluster.local TXT',
]


@pytest.mark.skipif(not shutil.which('dnsperf'), reason='dnsperf is not installed')
@pytest.mark.parametrize('transport, count', [('udp', 50000), ('tcp', 20000)])
def test_every_query_is_answered(svcdns, transport, count):
    svcdns(COREFILE, files={'queries': '\n'.join([*FOUND, *ABSENT]) + '\n'})
    runs = count // len([*FOUND, *ABSENT])
    done = subprocess.run(['dnsperf', '-s', '127.0.0.1', '-p', str(svcdns.port()), '-m', transport, '-c', '4', '-n', str(runs),
                           '-d', svcdns.folder / 'queries'], capture_output=True, text=True, timeout=120, check=True)
    said = dict(re.findall(r'^ +(Queries \w+|Response codes): +(.*)$', done.stdout, re.MULTILINE))
    assert said['Queries sent'] == str(count)
    assert said['Queries completed'] == f'{count} (100.00%)'
    assert said['Queries lost'].split()[0] == '0'
    assert dict(code.split()[:2] for code in said['Response codes'].split(', ')) == {
        'NOERROR': str(len(FOUND) * runs), 'NXDOMAIN': str(len(ABSENT) * runs)}
