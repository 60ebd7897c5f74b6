"""Many queries: dnsperf gets an answer to each of them, and the right kind."""

import re
import shutil
import signal
import subprocess
import time

import pytest

from server import ROOT, eventually

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


RELOADS = 100
SECONDS = 100  # of load, more than the reloads take

needs_dnsperf = pytest.mark.skipif(not shutil.which('dnsperf'), reason='dnsperf is not installed')


def dnsperf(svcdns, transport, *options):
    return ['dnsperf', '-s', '127.0.0.1', '-p', str(svcdns.port()), '-m', transport, '-c', '4', *options,
            '-d', svcdns.folder / 'queries']


def told(output):
    return dict(re.findall(r'^ +(Queries \w+|Queries per second|Response codes): +(.*)$', output, re.MULTILINE))


def queries():
    return {'queries': '\n'.join([*FOUND, *ABSENT]) + '\n'}


@needs_dnsperf
@pytest.mark.parametrize('transport, count', [('udp', 50000), ('tcp', 20000)])
def test_every_query_is_answered(svcdns, transport, count):
    svcdns(COREFILE, files=queries())
    runs = count // len([*FOUND, *ABSENT])
    done = subprocess.run(dnsperf(svcdns, transport, '-n', str(runs)), capture_output=True, text=True, timeout=120, check=True)
    said = told(done.stdout)
    assert said['Queries sent'] == str(count)
    assert said['Queries completed'] == f'{count} (100.00%)'
    assert said['Queries lost'].split()[0] == '0'
    assert dict(code.split()[:2] for code in said['Response codes'].split(', ')) == {
        'NOERROR': str(len(FOUND) * runs), 'NXDOMAIN': str(len(ABSENT) * runs)}


@needs_dnsperf
@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_a_hundred_reloads_lose_no_answer(svcdns, transport):
    """At half of what the server can do on this machine, now."""
    server = svcdns(COREFILE, files=queries())
    most = subprocess.run(dnsperf(svcdns, transport, '-l', '2'), capture_output=True, text=True, timeout=60, check=True)
    rate = int(float(told(most.stdout)['Queries per second'])) // 2
    with subprocess.Popen(dnsperf(svcdns, transport, '-b', '4096', '-Q', str(rate), '-l', str(SECONDS)),
                          stdout=subprocess.PIPE, text=True) as load:
        for done in range(RELOADS):
            time.sleep(0.02)
            svcdns.write(COREFILE.replace('errors', f'chaos "{done}"\n        errors'), None)
            server.signal(signal.SIGUSR1)
            eventually(lambda: sum(line == '[INFO] Reloading complete' for line in server.lines) > done)
        assert load.poll() is None, 'the load was over before the reloads'
        load.send_signal(signal.SIGINT)
        said = told(load.communicate(timeout=60)[0])
    assert server.ask('version.bind', 'TXT', rdclass='CH').answer[0][0].strings[0] == b'99'
    assert said['Queries lost'].split()[0] == '0', said
    assert int(said['Queries completed'].split()[0]) > RELOADS, said
    print(f'{transport}: {said["Queries completed"]} queries at {rate}/s, none lost')
