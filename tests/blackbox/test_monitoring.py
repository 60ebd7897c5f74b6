"""docker/monitoring: dashboard and alerts name what the program shows, and Prometheus makes something of it.

The queries that CoreDNS' dashboards and alert rules make are asked of a real Prometheus, too, where one is installed.
"""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest
import yaml

from server import ROOT, eventually, program
from test_api import fake, namespace, slice_of  # noqa: F401
from test_prometheus import page
from upstream import Upstream

sys.path.insert(0, str(ROOT / 'tests' / 'support'))

from ports import free_port  # noqa: E402

FOLDER = ROOT / 'docker/monitoring'
DASHBOARD = json.loads((FOLDER / 'dashboard.json').read_text())
ALERTS = [rule for group in yaml.safe_load((FOLDER / 'alerts.yaml').read_text())['groups'] for rule in group['rules']]
VARIABLES = {'$__rate_interval': '5m', '$job': '.+', '$instance': '.+'}
PATIENCE = 60  # for Prometheus, which looks once a second

needs_promtool = pytest.mark.skipif(not shutil.which('promtool'), reason='promtool (Debian: prometheus) is not installed')
needs_prometheus = pytest.mark.skipif(not shutil.which('prometheus'), reason='prometheus is not installed')


def panels():
    return [panel for panel in DASHBOARD['panels'] if panel['type'] != 'row']


def substituted(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert '$' not in expression, expression
    return expression


SHOWN = [substituted(target['expr']) for panel in panels() for target in panel['targets']]


GUIDE = re.findall(r'^```promql\n(.*?)^```$', (ROOT / 'docs/migrating-from-coredns.md').read_text(), re.MULTILINE | re.DOTALL)


def names_of(expression):
    return set(re.findall(r'\b(?:coredns|svcdns|process)_\w+', expression))


# ---- the files as they are -------------------------------------------------------------------------------------------


def test_dashboard():
    ids = [panel['id'] for panel in DASHBOARD['panels']]
    assert len(set(ids)) == len(ids)
    assert [variable['name'] for variable in DASHBOARD['templating']['list']] == ['datasource', 'job', 'instance']
    taken = {}
    for panel in DASHBOARD['panels']:
        at = panel['gridPos']
        assert at['x'] + at['w'] <= 24
        for cell in ((x, y) for x in range(at['x'], at['x'] + at['w']) for y in range(at['y'], at['y'] + at['h'])):
            assert taken.setdefault(cell, panel['id']) == panel['id'], f'{panel["title"]} covers another panel'
    for panel in panels():
        assert panel['datasource'] == {'type': 'prometheus', 'uid': '${datasource}'}
        assert len({target['refId'] for target in panel['targets']}) == len(panel['targets']) > 0
        for target in panel['targets']:
            assert target['expr'].count('{job=~"$job",instance=~"$instance"') == len(re.findall(r'\{\w', target['expr'])) > 0


def test_every_alert_is_tested():
    tested = set(re.findall(r'ALERTS\{alertname="(\w+)"', (FOLDER / 'alerts_test.yaml').read_text()))
    assert tested == {rule['alert'] for rule in ALERTS}


def test_every_alert_says_what_to_do():
    for rule in ALERTS:
        assert rule['labels'].keys() == {'severity'} and rule['labels']['severity'] in ('warning', 'critical')
        assert all(rule['annotations'][name] for name in ('summary', 'description'))


def promtool(*arguments):
    done = subprocess.run(['promtool', *arguments], capture_output=True, text=True, cwd=FOLDER, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts():
    promtool('check', 'rules', '--lint-fatal', 'alerts.yaml')
    promtool('test', 'rules', 'alerts_test.yaml')


@needs_promtool
def test_queries_of_the_dashboard_parse(tmp_path):
    rules = [{'record': f'shown:{number}', 'expr': expression} for number, expression in enumerate(SHOWN)]
    (tmp_path / 'rules.yaml').write_text(yaml.safe_dump({'groups': [{'name': 'dashboard', 'rules': rules}]}))
    promtool('check', 'rules', '--lint-fatal', str(tmp_path / 'rules.yaml'))


# ---- a server that shows all it has ----------------------------------------------------------------------------------

COREFILE = '''
    .:{{PORT}} {{
        bind 127.0.0.1
        root {{DIR}}
        reload
        debug
        nsid
        bufsize
        cancel
        metadata
        multisocket
        timeouts {{
            read 3s
        }}
        prometheus 127.0.0.1:{{PORT2}}
        health 127.0.0.1:{{PORT3}}
        ready 127.0.0.1:{{PORT3}}
        pprof 127.0.0.1:{{PORT3}}
        errors
        log
        any
        chaos
        loadbalance
        loop
        minimal
        acl {{
            block type NULL
        }}
        header {{
            response set ra
        }}
        kubernetes cluster.local {{
            endpoint {api}
            audit 1s
        }}
        cache 10 {{
            prefetch 1 1m 90%
        }}
        forward . {upstream}
    }}
    stale.test:{{PORT}} {{
        bind 127.0.0.1
        prometheus 127.0.0.1:{{PORT2}}
        cache {{
            success 1024 1 0
            serve_stale
        }}
        forward . {upstream}
    }}
    full.test:{{PORT}} {{
        bind 127.0.0.1
        prometheus 127.0.0.1:{{PORT2}}
        cache {{
            success 1024
        }}
        whoami
    }}
    down.test:{{PORT}} {{
        bind 127.0.0.1
        prometheus 127.0.0.1:{{PORT2}}
        forward . 127.0.0.1:{{PORT4}} {{
            health_check 50ms
        }}
    }}
    table.test:{{PORT}} {{
        bind 127.0.0.1
        prometheus 127.0.0.1:{{PORT2}}
        local
        dns64
        search {{
            namespace shop
        }}
        kubernetes table.test {{
            table table.yaml
            pods verified
            fallthrough
        }}
        autopath @kubernetes
        hosts /dev/null {{
            192.0.2.1 printer.table.test
        }}
    }}
    erratic.test:{{PORT}} {{
        bind 127.0.0.1
        prometheus 127.0.0.1:{{PORT2}}
        erratic
    }}
'''
TRIGGER = 'endpoints.kubernetes.io/last-change-trigger-time'


class Busy:
    """A server with all plugins, and the questions that make each of its families appear."""

    def __init__(self, svcdns, api):
        self.api = api
        self.upstream = Upstream(lambda query: query.send(query.reply('192.0.2.1') if query.type == 'A' else query.denial()))
        self.server = svcdns(COREFILE.format(api=api.url, upstream=self.upstream.address),
                             files={'table.yaml': yaml.safe_dump({'apiVersion': 'v1', **namespace('shop')})})
        for number in range(1200):
            self.server.ask(f'{number}.full.test')

    def ask(self):
        for name in 'www.test', 'www.test', 'www.stale.test', 'web.shop.svc.cluster.local', 'a.down.test', 'no.table.test':
            self.server.ask(name)
            self.server.ask(name, tcp=True, want_dnssec=True)
        changed = slice_of('headless', '10.1.0.9')
        changed['metadata']['annotations'] = {TRIGGER: time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}
        self.api.put(changed)
        time.sleep(0.2)

    def names(self):
        return {name for name, _ in page(self.server).samples}


@pytest.fixture
def busy(svcdns, fake):  # noqa: F811
    busy = Busy(svcdns, fake())
    yield busy
    busy.upstream.stop()


def test_all_plugins_are_there():
    done = subprocess.run([program(), '-plugins'], capture_output=True, text=True, check=True, timeout=20)
    assert set(done.stdout.split()) - set(re.findall(r'^ {8}(\w+)', COREFILE, re.MULTILINE)) == set()


def test_everything_that_is_read_is_shown(busy):
    read = set().union(*map(names_of, [*SHOWN, *(rule['expr'] for rule in ALERTS)]))

    deadline = time.monotonic() + PATIENCE
    while (missing := read - busy.names()) and time.monotonic() < deadline:
        busy.ask()
    assert not missing


# ---- Prometheus ------------------------------------------------------------------------------------------------------

# What the dashboards and alert rules read that are made for CoreDNS 1.14.
OF_COREDNS = [
    'up', 'coredns_build_info', 'coredns_panics_total', 'coredns_plugin_enabled{name="forward"}',
    'sum by (proto) (rate(coredns_dns_requests_total[5m]))',
    'sum by (type) (rate(coredns_dns_requests_total[5m]))',
    'sum by (zone) (rate(coredns_dns_requests_total[5m]))',
    'sum by (rcode) (rate(coredns_dns_responses_total[5m]))',
    'sum(rate(coredns_dns_responses_total{rcode="SERVFAIL"}[5m])) / sum(rate(coredns_dns_responses_total[5m]))',
    'sum(rate(coredns_dns_do_requests_total[5m]))',
    'histogram_quantile(0.99, sum by (job, le) (rate(coredns_dns_request_duration_seconds_bucket[5m])))',
    'histogram_quantile(0.99, sum by (server, zone, le) (rate(coredns_dns_request_duration_seconds_bucket[5m])))',
    'histogram_quantile(0.99, sum by (le, proto) (rate(coredns_dns_request_size_bytes_bucket{proto="udp"}[5m])))',
    'histogram_quantile(0.99, sum by (le, proto) (rate(coredns_dns_response_size_bytes_bucket{proto="tcp"}[5m])))',
    'sum by (type) (coredns_cache_entries)',
    'sum by (type) (rate(coredns_cache_hits_total[5m]))',
    'sum(rate(coredns_cache_misses_total[5m]))',
    'sum(rate(coredns_cache_hits_total[5m])) / sum(rate(coredns_cache_requests_total[5m]))',
    'rate(coredns_forward_healthcheck_broken_total[5m])',
    'rate(coredns_forward_max_concurrent_rejects_total[5m])',
    'histogram_quantile(0.99, sum by (to, le) (rate(coredns_proxy_request_duration_seconds_bucket{proxy_name="forward"}[5m])))',
    'sum by (to, rcode) (rate(coredns_proxy_request_duration_seconds_count[5m]))',
    'sum by (to) (rate(coredns_proxy_healthcheck_failures_total[5m]))',
    'sum by (to, proto) (rate(coredns_proxy_conn_cache_hits_total[5m]))',
    'sum by (to, proto) (rate(coredns_proxy_conn_cache_misses_total[5m]))',
    'histogram_quantile(0.99, sum by (le) (rate(coredns_health_request_duration_seconds_bucket[5m])))',
    'rate(coredns_health_request_failures_total[5m])',
    'rate(coredns_reload_failed_total[5m])',
    'histogram_quantile(0.99, sum by (job, service_kind, le) '
    '(rate(coredns_kubernetes_dns_programming_duration_seconds_bucket[5m])))',
    'process_resident_memory_bytes', 'rate(process_cpu_seconds_total[5m])', 'process_open_fds',
]
CONFIGURATION = '''
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{FOLDER}/alerts.yaml]
scrape_configs:
- job_name: dns
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
'''


class Prometheus:
    def __init__(self, folder, target, port):
        self.url = f'http://127.0.0.1:{port}'
        (folder / 'prometheus.yml').write_text(CONFIGURATION.format(FOLDER=FOLDER, port=target))
        self.log = open(folder / 'prometheus.log', 'w+', encoding='utf-8')
        self.process = subprocess.Popen(
            ['prometheus', f'--config.file={folder}/prometheus.yml', f'--storage.tsdb.path={folder}/prometheus',
             f'--web.listen-address=127.0.0.1:{port}', '--log.level=warn'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        eventually(self.is_ready, PATIENCE)

    def is_ready(self):
        assert self.process.poll() is None, self.log.seek(0) or self.log.read()
        try:
            return urllib.request.urlopen(f'{self.url}/-/ready', timeout=PATIENCE).status == 200
        except OSError:
            return False

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f'{self.url}/api/v1/{path}?{query}', timeout=PATIENCE) as reply:
            answer = json.load(reply)
        assert answer['status'] == 'success', answer
        return answer['data']

    def has_result(self, expression):
        return self.get('query', query=expression)['result'] != []

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.log.close()


@pytest.fixture
def prometheus(busy, svcdns, tmp_path):
    prometheus = Prometheus(tmp_path, svcdns.port(2), free_port())
    yield prometheus
    prometheus.stop()


@needs_prometheus
def test_queries_have_results(busy, prometheus):
    assert GUIDE
    pending = {*OF_COREDNS, *SHOWN, *GUIDE}
    deadline = time.monotonic() + PATIENCE
    while pending and time.monotonic() < deadline:
        busy.ask()
        pending = {query for query in pending if not prometheus.has_result(query)}
    assert pending == set()
    rules = [rule for group in prometheus.get('rules')['groups'] for rule in group['rules']]
    assert {rule['name']: rule.get('lastError', '') for rule in rules} == {rule['alert']: '' for rule in ALERTS}
    eventually(lambda: prometheus.has_result('ALERTS{alertname="DnsUpstreamIsDown"}'), PATIENCE)
    assert not prometheus.has_result('ALERTS{alertname="DnsIsGone"}')
