"""Random and mutated packets over UDP and TCP leave the server answering, and, under a sanitizer, without a report or a leak.

GARBAGE=10000000 in the environment sends as many; GARBAGE_SEED chooses others.
"""

import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get('SVCDNS_BUILD', pathlib.Path(__file__).resolve().parents[2] / 'build/dev'))

COREFILE = '''
    .:{PORT} {
        bind 127.0.0.1
        errors {
            consolidate 1h .*
        }
        search {
            namespace default
        }
        kubernetes cluster.local in-addr.arpa ip6.arpa {
            table TABLE
            pods verified
            zonal
            fallthrough in-addr.arpa
        }
        cache
        forward . 127.0.0.1:{PORT2} {
            read_timeout 100ms
            max_fails 0
            max_concurrent 1000
        }
    }
'''


@pytest.mark.parametrize('workers', [1, 2])
def test_garbage(svcdns, workers):
    table = pathlib.Path(__file__).resolve().parents[2] / 'zones/shop.yaml'
    server = svcdns(COREFILE.replace('TABLE', str(table)), env={'GOMAXPROCS': str(workers)})
    count = os.environ.get('GARBAGE', '50000')
    sent = subprocess.run([BUILD / 'tests/garbage', str(svcdns.port()), count, os.environ.get('GARBAGE_SEED', str(workers))],
                          capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    assert server.ask('product-service-svc.default.svc.cluster.local').answer[0][0].to_text() == '10.96.10.2'
