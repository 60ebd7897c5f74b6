"""The documentation: that its examples work as they are written, and that it is complete.

An example of a plugin's page is a fenced block `corefile`, with blocks `file NAME` before it, and blocks `console` after it:

    ```file shop.hosts          a file beside the Corefile
    ```corefile                 a whole Corefile; the port is a free one
    ```console                  lines "$ dig @127.0.0.1 ...", each with the lines that it prints, in whatever order

Blanks between words and empty lines do not count. Nothing of an example may leave this machine, which is looked at after each.
"""

import glob
import os
import pathlib
import re
import shlex
import subprocess
from collections import Counter

import pytest

from server import ROOT, program

PAGES = sorted((ROOT / 'docs/plugins').glob('*.md'))
HEADINGS = ['Name', 'Description', 'Syntax', 'Examples', 'Metrics', 'Bugs']
MIGRATING = (ROOT / 'docs/migrating-from-coredns.md').read_text()
FENCE = re.compile(r'^```(.*)\n((?:(?!```).*\n)*)^```$', re.MULTILINE)
OPTIONS = re.compile(r'struct option \w+\[\] = \{(.*?)\n\};', re.DOTALL)
SOURCES = {name: [*glob.glob(f'{ROOT}/src/plugins/{name}.c'), *glob.glob(f'{ROOT}/src/plugins/{name}/*.c')]
           for name in (page.stem for page in PAGES)}


def built_in():
    return subprocess.run([program(), '-plugins'], capture_output=True, text=True, check=True, timeout=20).stdout.split()


def flags():
    usage = subprocess.run([program(), '-help'], capture_output=True, text=True, check=True, timeout=20).stderr
    return re.findall(r'^  (-\S+)', usage, re.MULTILINE)


class Example:
    def __init__(self, name, corefile, files):
        self.name, self.corefile, self.files, self.commands = name, corefile, files, []

    def add_console(self, text):
        for line in text.splitlines():
            if line.startswith('$ '):
                self.commands.append((line[2:], []))
            elif line.strip():
                self.commands[-1][1].append(line)


def examples_of(page):
    """The examples of a page, in order."""
    files, examples = {}, []
    for info, text in FENCE.findall(page.read_text()):
        if info.startswith('file '):
            files[info[5:]] = text
        elif info == 'corefile':
            examples.append(Example(f'{page.stem}-{len(examples) + 1}', text, files))
            files = {}
        elif info == 'console':
            examples[-1].add_console(text)
    assert not files, f'{page.name}: a file without a Corefile behind it: {list(files)}'
    return examples


EXAMPLES = [example for page in PAGES for example in examples_of(page)]


def words(lines):
    return Counter(' '.join(line.split()) for line in lines if line.strip())


def run_console(commands, port, folder):
    for command, expected in commands:
        assert re.match(r'dig (\S+ )*@127(\.\d+){3} ', command), f'not a question to this machine: {command}'
        script = f'dig() {{ command dig -r -p {port} "$@"; }}\n{command}'
        done = subprocess.run(['bash', '-c', script], capture_output=True, text=True, cwd=folder, timeout=60)
        assert done.stderr == '', command
        assert words(done.stdout.splitlines()) == words(expected), f'{command}\n{done.stdout}'


def check_forwards(corefile):
    """A host name would be looked up at the start: upstreams of an example are addresses or files."""
    for line in corefile.splitlines():
        if line.split()[:1] != ['forward']:
            continue
        for word in shlex.split(line.rstrip('{ '))[2:]:
            assert re.fullmatch(r'(dns://)?[\d.]+(:\d+)?|\[?[\da-f:]*::[\da-f:]*\]?(:\d+)?|\S*resolv\.conf', word), line


def peers(server):
    """Addresses that a socket of the server is connected to, as /proc/net has them: words of hexadecimal digits."""
    inodes = set()
    for link in glob.glob(f'/proc/{server.process.pid}/fd/*'):
        try:
            target = os.readlink(link)
        except FileNotFoundError:  # closed since
            continue
        inodes.update(re.findall(r'^socket:\[(\d+)\]$', target))
    for table in 'udp', 'udp6', 'tcp', 'tcp6':
        for line in pathlib.Path(f'/proc/net/{table}').read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                yield fields[2].split(':')[0]


def check_stayed_here(server):
    for peer in peers(server):
        is_none = not peer.strip('0')
        is_loopback = (len(peer) == 8 and peer.endswith('7F')) or peer == '0' * 24 + '01000000'
        assert is_none or is_loopback, f'a socket is connected to {peer}'


@pytest.mark.parametrize('example', EXAMPLES, ids=lambda example: example.name)
def test_example(svcdns, example):
    check_forwards(example.corefile)
    server = svcdns(example.corefile, '-dns.port', '{PORT}', files=example.files)
    run_console(example.commands, svcdns.port(), svcdns.folder)
    check_stayed_here(server)


def test_readme(svcdns):
    consoles = [text for info, text in FENCE.findall((ROOT / 'README.md').read_text()) if info == 'console']
    example = Example('README', (ROOT / 'zones/Corefile').read_text(), {})
    for text in consoles:
        example.add_console(text)
    assert example.commands
    server = svcdns(example.corefile, '-dns.port', '{PORT}',
                    env={'SVCDNS_TABLE': str(ROOT / 'zones/shop.yaml'), 'SVCDNS_UPSTREAM': f'127.0.0.1:{svcdns.port(2)}'})
    run_console(example.commands, svcdns.port(), svcdns.folder)
    check_stayed_here(server)


def test_every_plugin_has_a_page():
    assert [page.stem for page in PAGES] == built_in()


def test_readme_names_every_plugin():
    row = re.search(r'^\| plugins \| (.*) \|$', (ROOT / 'README.md').read_text(), re.MULTILINE)
    assert re.findall(r'[a-z]\w+', re.sub(r'\(.*?\)', '', row[1])) == built_in()


def test_migrating_names_what_is_not_built():
    known = re.findall(r'\bKNOWN\((\w+)\) ?\\?$', (ROOT / 'src/plugins/registry.c').read_text(), re.MULTILINE)
    told = re.search(r'^\* of the plugins: (.*?);$', MIGRATING, re.MULTILINE | re.DOTALL)[1]
    assert re.findall(r'`(\w+)`', told) == sorted(known) != []


def test_migrating_applies_what_is_there():
    folders = re.findall(r'(?:-k|cd) (docker/\S+)', MIGRATING)
    assert [folder for folder in folders if not (ROOT / folder / 'kustomization.yaml').exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
class TestPage:
    def test_headings(self, page):
        headings = re.findall(r'^(##?) (.*)$', FENCE.sub('', page.read_text()), re.MULTILINE)
        assert headings == [('#', page.stem), *(('##', heading) for heading in HEADINGS)]

    def test_sections_say_something(self, page):
        name, *sections = re.split(r'^##? .*\n', FENCE.sub('code', page.read_text()), flags=re.MULTILINE)[2:]
        assert re.fullmatch(rf'\*{page.stem}\* - \S.*\.', name.strip())
        assert all(section.strip() for section in sections)

    def test_has_an_example(self, page):
        assert any(example.name.startswith(f'{page.stem}-') for example in EXAMPLES)

    def test_every_property_is_told(self, page):
        text = page.read_text()
        tables = [table for path in SOURCES[page.stem] for table in OPTIONS.findall(pathlib.Path(path).read_text())]
        properties = [name for table in tables for name in re.findall(r'\.name = "(\w+)"', table)]
        assert [name for name in properties if not re.search(rf'\b{name}\b', text)] == []


@pytest.mark.parametrize('page', ['docs/svcdns.1', 'docs/operations.md'])
def test_every_flag_is_told(page):
    text = (ROOT / page).read_text().replace('\\-', '-')
    assert [flag for flag in flags() if not re.search(rf'{re.escape(flag)}\b', text)] == []


@pytest.mark.parametrize('page', ['svcdns.1', 'Corefile.5'])
def test_manual_page(page):
    done = subprocess.run(['man', '-l', '--warnings', '-Tutf8', ROOT / 'docs' / page], capture_output=True, text=True,
                          env={**os.environ, 'LC_ALL': 'C.UTF-8'}, timeout=60)
    assert (done.returncode, done.stderr) == (0, '')
    assert 'svcdns' in done.stdout


def test_corefile_manual_names_every_plugin():
    """In the order in which they are asked."""
    order = re.findall(r'^\tBUILT\((\w+)\)', (ROOT / 'src/plugins/registry.c').read_text(), re.MULTILINE)
    section = re.search(r'^\.SH PLUGINS\n(.*?)^\.SH', (ROOT / 'docs/Corefile.5').read_text(), re.MULTILINE | re.DOTALL)[1]
    told = re.findall(r'^\.TP\n\.B (\w+)\n[A-Z].*\.$', section, re.MULTILINE)
    assert told == order
    assert sorted(told) == built_in()


def corefiles_of_manual():
    """The examples of Corefile(5), as a reader sees them."""
    examples = (ROOT / 'docs/Corefile.5').read_text().split('.SH EXAMPLES\n')[1]
    texts = re.findall(r'^\.RS\n(.*?)^\.RE', examples, re.MULTILINE | re.DOTALL)
    return [text.replace('\\&', '').replace('\\-', '-') for text in texts]


def test_corefile_manual_examples(svcdns, room):
    room.resolv_conf('nameserver 192.0.2.1\n')  # nothing is there, in a room
    svcdns.room = room
    cluster, laptop = corefiles_of_manual()
    here = cluster.replace('pods insecure', f'pods insecure\ntable {ROOT}/zones/shop.yaml')  # no API server
    svcdns(here)
    assert room.run('dig', '@127.0.0.1', 'product-service-svc.default.svc.cluster.local', '+short').stdout == '10.96.10.2\n'
    svcdns(laptop, '-dns.port', '{PORT}', env={'UPSTREAM': '192.0.2.1'})


@pytest.mark.parametrize('page', [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md')),
                                  *sorted((ROOT / 'docker').rglob('*.md'))],
                         ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    """Files that are linked are there, and so are the headings in them."""
    for target in re.findall(r'\]\(([^)]+)\)', FENCE.sub('', page.read_text())):
        path, _, anchor = target.partition('#')
        there = page.parent / path if path else page
        assert '://' in target or there.exists(), target
        if anchor:
            headings = re.findall(r'^#+ (.*)$', there.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings], target
