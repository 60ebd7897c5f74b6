"""Programs of several languages in a pod of the laboratory: what each finds of every kind of name, under every kind of
resolv.conf, and which questions it asks for that."""

import collections
import re
import subprocess

import pytest

from server import PATIENCE, ROOT
from test_lab import LAB, NOT_PERMITTED, SERVER, lab

PAGE = (ROOT / 'docs/clients.md').read_text(encoding='utf-8')
DNS_IP, DNS_POD = '10.96.0.10', '10.244.1.53'
HOME, OUTSIDE = 'default.svc.cluster.local.', ['192.168.50.1']
SEARCH = HOME, 'svc.cluster.local.', 'cluster.local.'
OPTIONS = ['plain', 'ndots:1', 'single-request', 'single-request-reopen', 'rotate', 'use-vc', 'edns0']
KINDS = {
    'bare': 'product-service-svc',
    'bare again': 'product-service-svc',
    'namespace': 'product-service-svc.shop',
    'namespace.svc': 'payment-service-svc.shop.svc',
    'full': 'payment-service-svc.default.svc.cluster.local',
    'full.': 'order-service-svc.default.svc.cluster.local.',
    'headless': 'stock-db',
    'pod of headless': 'stock-db-0.stock-db',
    'ExternalName': 'exchange-rates',
    'outside': 'www.example.com',
    'outside.': 'www.example.com.',
    'absent': 'absent',
    'absent again': 'absent',
    'srv': '_http._tcp.payment-service-svc',
    'srv full.': '_postgres._tcp.stock-db.default.svc.cluster.local.'}
FOUND = {  # all there is
    f'product-service-svc.{HOME}': ['10.96.10.2'],
    'product-service-svc.shop.svc.cluster.local.': ['10.96.20.2'],
    'payment-service-svc.shop.svc.cluster.local.': ['10.96.20.3'],
    f'payment-service-svc.{HOME}': ['10.96.10.3'],
    f'order-service-svc.{HOME}': ['10.96.10.1'],
    f'stock-db.{HOME}': ['10.244.1.50', '10.244.1.52', '10.244.2.51'],
    f'stock-db-0.stock-db.{HOME}': ['10.244.1.50'],
    f'exchange-rates.{HOME}': OUTSIDE,
    'www.example.com.': OUTSIDE,
    f'_http._tcp.payment-service-svc.{HOME}': [f'80:payment-service-svc.{HOME}'.removesuffix('.')],
    f'_postgres._tcp.stock-db.{HOME}': [f'5432:stock-db-{number}.stock-db.{HOME}'.removesuffix('.') for number in range(3)]}
NOT_FOUND = {  # what a program is told, of a name that does not exist
    'glibc': 'Name or service not known', 'musl': 'Name does not resolve', 'curl': 'curl: (6) Could not resolve host: ',
    'python': '[Errno -2] Name or service not known', 'java': 'java.net.UnknownHostException: ', 'go': ': no such host',
    'node lookup': 'getaddrinfo ENOTFOUND ', 'node resolve': 'queryA ENOTFOUND ',
    'resolved': 'Temporary failure in name resolution'}  # it does not know, as it asks nobody for a name without a dot
NO_SERVICE = {'musl': 'no record', 'java': 'DNS name not found [response code 3]', 'node resolve': 'querySrv ENOTFOUND '}
ON_GLIBC = {'glibc', 'curl', 'python', 'java', 'node lookup'}  # getaddrinfo is what they call
CLIENTS = list(NOT_FOUND)
WITHOUT_SRV = {'curl', 'python', 'node lookup'}
WITHOUT_SEARCH = {('node resolve', False), ('node resolve', True), ('musl', True), ('java', True)}  # client, for SRV records
WITH_CACHE = {'java', 'resolved'}
HONOURS = {  # the clients that do what resolv.conf says
    'single-request': ON_GLIBC | {'go'}, 'single-request-reopen': ON_GLIBC | {'go'}, 'rotate': ON_GLIBC | {'go', 'node resolve'},
    'use-vc': ON_GLIBC | {'go', 'node resolve'}, 'edns0': ON_GLIBC}


@pytest.fixture(scope='module')
def seen():
    """What `./run lab clients` has seen, by options."""
    return {table['options']: table for table in lab('clients')}


def cases_of(seen, client, options):
    if client in seen[options]['missing']:
        pytest.skip(f'{client}: {seen[options]["missing"][client]}')
    return {case['kind']: case for case in seen[options]['cases'] if case['client'] == client}


def in_turn(client, name, is_srv, options):
    """The names that it may ask for, until one is found."""
    bare = name.removesuffix('.') + '.'
    if name.endswith('.') or (client, is_srv) in WITHOUT_SEARCH:
        return [bare]
    searched = [bare + domain for domain in SEARCH]
    if name.count('.') < (1 if options == 'ndots:1' else 5):
        return [*searched, bare]
    return [bare] if client == 'musl' else [bare, *searched]


def tried(names):
    """Those that it asks for, and what it has found in the end."""
    for count, name in enumerate(names, 1):
        if name in FOUND:
            return names[:count], FOUND[name]
    return names, []


def check_questions(client, is_srv, options, names, questions):
    """A and AAAA, or SRV, once for each name; musl asks every server."""
    types = ['SRV'] if is_srv else ['A'] if client == 'node resolve' else ['A', 'AAAA']
    times = 2 if (client, options) == ('musl', 'rotate') else 1
    assert list(dict.fromkeys(each['name'] for each in questions)) == names
    assert collections.Counter((each['name'], each['type']) for each in questions) == {
        (name, type): times for name in names for type in types}


def check_questions_of_resolved(names, questions):
    """It asks nobody outside for a name without a dot, some twice, and itself for what an alias stands for."""
    asked = list(dict.fromkeys(each['name'] for each in questions))
    assert [name for name in asked if name != 'example.com.'] == [name for name in names if name.count('.') > 1]
    assert len(questions) <= 4 * len(asked)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('options', OPTIONS)
@pytest.mark.parametrize('client', CLIENTS)
def test_a_name(seen, client, options, kind):
    is_srv = kind.startswith('srv')
    cases = cases_of(seen, client, options)
    if is_srv and client in WITHOUT_SRV:
        assert kind not in cases
        return
    case, (names, found) = cases[kind], tried(in_turn(client, KINDS[kind], is_srv, options))
    assert (case['name'], case['found']) == (KINDS[kind], found)
    assert found or (NO_SERVICE if is_srv else NOT_FOUND)[client] in case['error'] or (client, options) == ('resolved', 'use-vc')
    assert all(each['rcode'] == ('NOERROR' if each['name'] in FOUND or each['name'] == 'example.com.' else 'NXDOMAIN')
               for each in case['questions'])
    if kind.endswith('again') and client in WITH_CACHE:
        assert case['questions'] == []
    elif client == 'resolved':
        check_questions_of_resolved(names, case['questions'])
    else:
        check_questions(client, is_srv, options, names, case['questions'])


def server(question):
    return question['target'].split(':')[0]


def pairs(cases):
    """Question A and question AAAA, in the order in which they were sent, for each name that was asked so."""
    found = []
    for case in cases.values():
        by_name = collections.defaultdict(list)
        for each in case['questions']:
            by_name[each['name']].append(each)
        found += [both for both in by_name.values() if len(both) == 2]
    return found


def all_questions(client, cases):
    """But for those of JNDI, which is another resolver and heeds no option."""
    return [each for case in cases.values() for each in case['questions'] if (client, each['type']) != ('java', 'SRV')]


@pytest.mark.parametrize('client', [client for client in CLIENTS if client != 'resolved'])
@pytest.mark.parametrize('options', OPTIONS)
def test_how_it_asks(seen, client, options):
    """Whom, over what, one after the other or at once, and whence, where an option has a say in that."""
    cases = cases_of(seen, client, options)
    questions, honours = all_questions(client, cases), client in HONOURS.get(options, set())
    assert {each['over'] for each in questions} == {'tcp' if options == 'use-vc' and honours else 'udp'}
    assert {each['edns'] for each in questions} == {client == 'go' or (options == 'edns0' and honours)}
    assert {server(each) for each in questions} == ({DNS_IP, DNS_POD} if options == 'rotate' else {DNS_IP})
    if options.startswith('single-request') and honours:
        assert all(each['waited'] for each in questions)
    elif options != 'use-vc' and client != 'node resolve':
        assert not all(each['waited'] for each in questions)


@pytest.mark.parametrize('client, options', [(client, options) for client in CLIENTS if client in ON_GLIBC | {'go', 'musl'}
                                             for options in OPTIONS if (client, options) != ('musl', 'rotate')])  # that are four
def test_ports(seen, client, options):
    """A and AAAA come from one port, which is what a firewall may lose one of; but Go's never do, nor what is opened again."""
    same = [first['source'] == second['source'] for first, second in pairs(cases_of(seen, client, options))]
    if client == 'go' or (options == 'single-request-reopen' and client != 'musl'):
        assert same and sum(same) <= 1  # by chance
    else:
        assert same and all(same)


@pytest.mark.parametrize('client', ['glibc', 'go', 'musl'])
def test_rotate(seen, client):
    """glibc asks one server for A and AAAA, Go one for either; musl asks all, whatever the option says."""
    together = collections.Counter()
    for case in cases_of(seen, client, 'rotate').values():
        for name in {each['name'] for each in case['questions'] if each['type'] == 'AAAA'}:
            together[len({server(each) for each in case['questions'] if each['name'] == name})] += 1
    assert set(together) == {'glibc': {1}, 'go': {2}, 'musl': {2}}[client]


@pytest.mark.parametrize('options', ['plain', 'ndots:1'])
def test_the_page_has_the_figures(seen, options):
    """The table of docs/clients.md for these options: cells are questions, from-to where that depends on time; "no": not found."""
    text = PAGE.split(f'| `{options}` |')[1].split('\n\n')[0].splitlines()
    columns = [cell.strip().lower().split(', ') for cell in text[0].strip('|').split('|')]
    assert sorted(client for clients in columns for client in clients) == sorted(CLIENTS)
    figures = {row[0]: row[1:] for row in ([cell.strip() for cell in line.strip('|').split('|')] for line in text[2:])}
    assert [re.search('`(.*)`', row)[1] for row in figures] == list(KINDS.values())
    missing = seen[options]['missing']
    for kind, row in zip(KINDS, figures.values()):
        for clients, cell in zip(columns, row):
            for client in set(clients) - set(missing) - (WITHOUT_SRV if kind.startswith('srv') else set()):
                case = cases_of(seen, client, options)[kind]
                least, _, most = cell.removesuffix(', no').partition('–')
                assert int(least) <= len(case['questions']) <= int(most or least), (kind, client)
                assert cell.endswith(', no') == (not case['found']), (kind, client)


def test_the_table_is_printed(seen):
    """The same for people, of one kind of options: a row for each name, a column for each client."""
    done = subprocess.run([LAB, '--server', SERVER, 'clients', 'ndots:1'], capture_output=True, text=True, check=True,
                          timeout=10 * PATIENCE)
    missing = seen['ndots:1']['missing']
    assert '    options ndots:1\n' in done.stdout and 'ndots:5' not in done.stdout
    assert all(f'{client}: {why}\n' in done.stdout for client, why in missing.items())
    here = [client for client in CLIENTS if client not in missing]
    header = next(line for line in done.stdout.splitlines() if line.split() == ' '.join(sorted(here, key=done.stdout.index)).split())
    where = {client: header.index(client) + len(client) for client in here}
    for kind, name in KINDS.items():
        row = next(line for line in done.stdout.splitlines() if re.match(fr'{re.escape(kind)} +{re.escape(name)} ', line))
        for client in set(here) - WITH_CACHE - {'resolved'}:
            case = cases_of(seen, client, 'ndots:1').get(kind)
            cell = f'{"" if case["found"] else "no "}{len(case["questions"])}' if case else '.'
            assert row[:where[client]].endswith(f' {cell}'), (kind, client)


def test_unknown_options():
    done = subprocess.run([LAB, '--server', SERVER, 'clients', 'ndots:2'], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.endswith(f'ndots:2: the options are {", ".join(OPTIONS)}\n')


REQUESTS = """
import http.client, json, sys
connection = None
for _ in range(40):
    connection = connection if connection and sys.argv[1] == 'kept' else http.client.HTTPConnection('product-service-svc', timeout=9)
    connection.request('GET', '/')
    print(json.load(connection.getresponse())['pod'])
"""


@pytest.mark.parametrize('connections, pods', [('kept', 1), ('new', 2)])
def test_a_kept_connection_stays_with_its_pod(connections, pods):
    """The Pod is picked for a connection, not for a request."""
    done = subprocess.run([LAB, '--server', SERVER, 'exec', '/usr/bin/python3', '-c', REQUESTS, connections],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10 * PATIENCE)
    if done.returncode == NOT_PERMITTED:
        pytest.skip(done.stderr.strip())
    answered = collections.Counter(done.stdout.split())
    assert (sum(answered.values()), len(answered)) == (40, pods), done.stderr
