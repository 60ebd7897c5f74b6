"""Starting: flags, the banner, sockets, and what refuses to start."""
import os
import socket
import time

from asking import reachable, until
from stage import VERSION

from . import KUBEADM, OBJECTS, UPSTREAM, block, situation


@situation
def flags(s):
    """Command line: version, help, mistakes, where the Corefile comes from."""
    def run(*words, **options):
        p = s.start(None, *words, wait=None, conf=False, **options)
        code = p.code(5)
        s.title(" ".join(words))
        s.say(f"exit {code}")
        s.log(p, drop=None if words == ("-h",) else r"err\|   ")     # the usage, once is enough
    run("-version")
    run("--version")
    run("-plugins")
    run("-plugins", "-version")
    run("-h")
    run("-help")
    run("-nope")
    run("-conf")
    run("-quiet=maybe")
    run("-conf", "{TMP}/absent")
    run("-conf", "{TMP}")
    run("word", "another")
    run("-version", "word")

    def serve(title, corefile, *words, port="DNS", question="example.org A", **options):
        s.title(title)
        if corefile is not None:
            s.file("Corefile", corefile)
        p = s.start(None, *words, wait=None, **options)
        until(lambda: reachable(s.port(port)) or p.code() is not None, 5)
        p.settle()                                             # its first words are said before it is asked
        s.say(f"{question} on port {{{port}}}: {s.reply(question, port=port)}")
        p.settle()
        p.stop()
        s.say(f"exit {p.code(5)}")
        s.log(p)
    bare = {"conf": False}
    serve("no Corefile in the working directory: -dns.port PORT", None, "-dns.port", "{DNS}", **bare)
    serve("Corefile in the working directory, no -conf", block("chaos here; whoami"),
          question="version.bind. TXT +class=CH", **bare)
    serve("the key has a port: -dns.port does not count", block("whoami"), "-dns.port", "{OTHER}")
    serve("the key has no port: -dns.port", block("whoami", "."), "-dns.port", "{DNS}")
    serve("the key has no port: -p", block("whoami", "."), "-p", "{DNS}")
    serve("-p and -dns.port: the last one counts", block("whoami", "."), "-dns.port", "{OTHER}", "-p", "{DNS}")
    serve("empty Corefile", "", "-dns.port", "{DNS}")
    serve("Corefile with comments only", "# nothing\n", "-dns.port", "{DNS}")
    serve("-conf stdin", None, "-conf", "stdin", stdin=s.fill(block("whoami")), **bare)
    serve("-conf stdin, not a pipe: falls back to the default", None, "-conf", "stdin", "-dns.port", "{DNS}", cwd="/", **bare)
    serve("-quiet", block("log; whoami"), "-quiet")

    s.title("-pidfile")
    p = s.start(block("whoami"), "-pidfile", "{TMP}/pid")
    until(lambda: os.path.exists(f"{s.tmp}/pid"), 5)
    text = open(f"{s.tmp}/pid").read()
    s.say("holds the pid and a newline: " + str(text == f"{p.process.pid}\n"))
    s.say(f"mode {os.stat(f'{s.tmp}/pid').st_mode & 0o777:o}")
    p.stop()
    s.say(f"exit {p.code(5)}; the file is {'left' if os.path.exists(f'{s.tmp}/pid') else 'gone'}")
    s.title("-pidfile that cannot be written")
    p = s.start(None, "-pidfile", "{TMP}/no/such/pid")
    p.wait_for("pid", 5)
    s.say(f"example.org A: {s.reply('example.org A')}")
    p.stop()
    s.log(p)


@situation
def startup(s):
    """What is printed while and after starting, and where; the sockets that are opened."""
    s.cluster(OBJECTS)
    s.upstream(UPSTREAM)

    def show(title, corefile, *words, sort=False, **options):
        s.title(title)
        p = s.start(corefile, *words, **options)
        time.sleep(0.4)
        s.log(p, once=sort)
        p.stop()
        p.code(5)
    show("kubeadm's Corefile", KUBEADM)
    show("kubeadm's Corefile, -quiet", KUBEADM, "-quiet")
    show("several zones in a block, in file order b a c", block("whoami", "b.test:{DNS} a.test:{DNS} c.test:{DNS}"))
    show("several blocks and ports (lines sorted here)",
         block("whoami", "a.test:{DNS}") + block("whoami", "b.test:{OTHER}") + block("whoami"), sort=True)
    show("bound to two addresses (lines sorted here)", block("bind 127.0.0.1 127.0.0.2; whoami"), sort=True)
    show("a key given as CIDR, one that is no host name", block("whoami", "10.1.0.0/23:{DNS} _x.test:{DNS}"))
    show("upper case and no final dot", block("whoami", "Example.ORG:{DNS}"))
    show("debug", block("debug; whoami"))
    show("import of a pattern that matches nothing", block("import custom/*.override; whoami") + "import custom/*.server\n")
    show("block without plugins", ".:{DNS} {\n}\n")
    show("hosts file that is absent", block("hosts {TMP}/nohosts"))
    show("zone file that is absent", block("file {TMP}/nozone", "a.test:{DNS}"))
    s.file("badzone", "@ IN SOA this is not a zone\n")
    show("zone file that is broken", block("file {TMP}/badzone", "a.test:{DNS}"))
    show("forward from a CIDR that becomes several zones", block("forward 10.0.0.0/23 127.0.0.1:{UP}"))

    def listening(process):
        """The sockets of a process that wait for anybody, as 'tcp 127.0.0.1:53'."""
        inodes = {os.readlink(f"/proc/{process.pid}/fd/{f}")[8:-1] for f in os.listdir(f"/proc/{process.pid}/fd")}
        for table, idle in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
            for line in open(f"/proc/net/{table}").read().splitlines()[1:]:
                w = line.split()
                if w[9] in inodes and w[3] == idle and w[2].endswith(":0000"):
                    host, port = w[1].split(":")
                    raw = b"".join(bytes.fromhex(host[i:i + 8])[::-1] for i in range(0, len(host), 8))
                    address = socket.inet_ntop(socket.AF_INET6 if len(raw) > 4 else socket.AF_INET, raw)
                    yield f"{table[:3]} {'[' + address + ']' if ':' in address else address}:{int(port, 16)}"
    for title, text in (("the sockets, default addresses", block("health; ready; prometheus; pprof; whoami")),
                        ("the sockets, addresses without host", block("prometheus :{METRICS}; whoami")),
                        ("the sockets, bind", block("bind 127.0.0.1; whoami")),
                        ("the sockets, multisocket 2", block("multisocket 2; whoami"))):
        s.title(title)
        p = s.start(text)
        for line in sorted(map(s.mask, listening(p.process))) if p.code() is None else [f"exit {p.code()}"]:
            s.say(line, soft=True)
        p.stop()


@situation
def startup_failures(s):
    """Corefiles that are refused: message (stderr), exit code. None of them opens a port for good."""
    def fail(title, corefile, **options):
        s.title(title)
        p = s.start(corefile, "-dns.port", "{DNS}", **options)
        time.sleep(0.1)
        code = p.code()
        p.stop()
        p.code(5)
        s.say(f"exit {code}" if code is not None else "it runs")
        s.log(p)
    fail("unknown directive", block("nosuchplugin"))
    fail("closing brace missing", ".:{DNS} {\n whoami\n")
    fail("brace without block", "}\n")
    fail("opening brace on its own line", ".:{DNS}\n{\n whoami\n}\n")
    fail("file to import is absent", block("import {TMP}/absent.conf"))
    fail("zone twice", block("whoami") * 2)
    fail("bad port", block("whoami", ".:99999"))
    fail("bad zone", block("whoami", "a..b:{DNS}"))
    fail("plugin twice", block("errors; errors"))
    fail("errors: wrong argument", block("errors stderr"))
    fail("cache: what is no number is a zone", block("cache abc"))
    fail("cache: twice", block("cache; cache 30"))
    fail("health: bad lameduck", block("health {; lameduck 5; }"))
    fail("health: bad address", block("health localhost"))
    fail("ready: bad address", block("ready localhost"))
    fail("reload: too short", block("reload 1s"))
    fail("reload: not a duration", block("reload soon"))
    fail("forward: no upstream", block("forward ."))
    fail("forward: upstream is no address", block("forward . not/an/address"))
    fail("forward: unknown property", block("forward . 127.0.0.1:{UP} {; nope; }"))
    fail("forward: bad max_concurrent", block("forward . 127.0.0.1:{UP} {; max_concurrent -1; }"))
    fail("kubernetes: unknown property", block("kubernetes cluster.local {; {FEED}; upstream; }"))
    fail("kubernetes: only a reverse zone", block("kubernetes 10.in-addr.arpa {; {FEED}; }"))
    fail("kubernetes: bad pods mode", block("kubernetes cluster.local {; {FEED}; pods some; }"))
    fail("kubernetes: bad ttl", block("kubernetes cluster.local {; {FEED}; ttl 4000; }"))
    fail("kubernetes: not in a cluster", block("kubernetes cluster.local"),
         env={"KUBERNETES_SERVICE_HOST": "", "KUBERNETES_SERVICE_PORT": ""})
    fail("kubernetes: in a cluster without a token", block("kubernetes cluster.local"),
         env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"})
    fail("kubernetes: kubeconfig is absent", block("kubernetes cluster.local {; kubeconfig {TMP}/absent; }"))
    fail("log: unknown class", block("log . {; class some; }"))
    fail("prometheus: twice", block("prometheus 127.0.0.1:{METRICS}; prometheus 127.0.0.1:{METRICS}"))
    fail("acl: bad action", block("acl {; permit; }"))
    fail("template: bad regex", block("template IN A . {; match (; rcode NXDOMAIN; }"))
    fail("view: bad expression", block("view v {; expr nosuch() ==; }"))
    fail("tls: key files absent", block("tls {TMP}/a.pem {TMP}/b.pem"))

    s.title("the DNS port is taken (without SO_REUSEPORT)")
    with socket.create_server(("127.0.0.1", s.port("TAKEN"))):
        p = s.start(block("bind 127.0.0.1; whoami", ".:{TAKEN}"), wait=None)
        s.say(f"exit {p.code(5)}")
        s.log(p)
        for name in ("health", "ready", "prometheus", "pprof"):
            s.title(f"the port of {name} is taken")
            p = s.start(block(f"{name} 127.0.0.1:{{TAKEN}}; whoami"), wait=None)
            until(lambda: p.code() is not None or reachable(s.port("DNS")), 5)
            time.sleep(0.2)
            s.say(f"exit {p.code()}" if p.code() is not None else f"it serves DNS: {s.reply('example.org A')}")
            p.stop()
            p.code(5)
            s.log(p)

    s.title("a second server on the same ports: SO_REUSEPORT lets it start")
    a = s.start(block("health 127.0.0.1:{HEALTH}; whoami"))
    b = s.start(None, wait=VERSION)
    s.say(f"first: exit {a.code()}, second: exit {b.code()}")
    s.log(b)
