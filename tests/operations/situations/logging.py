"""The log: queries, errors, loops."""
import socket
import time

from asking import ask, ask_raw
from exchange import parse_query
from stage import about, span

from . import UPSTREAM, WWW, block, packet, situation


@situation
def errors(s):
    """The errors plugin: one line for each way in which answering fails; consolidation."""
    s.upstream(UPSTREAM)
    s.port("GONE")                                            # nobody listens there

    def run(title, corefile, *questions, wait=0.2, times=1, gap=0, **options):
        s.title(title)
        p = s.start(corefile, **options)
        since = p.mark()
        for q in questions * times:
            reply, took = ask(s.port("DNS"), q, 8)
            time.sleep(gap)
            if times == 1:
                s.say(f"{q}: {reply} {about(took)}")
        time.sleep(wait)
        p.stop()
        p.code(8)
        s.log(p, since, drop="SIGTERM")

    def forward(to, *options):
        more = " {; " + "; ".join(options) + "; }" if options else ""
        return f"errors; forward . {to}{more}"
    run("forward: nobody listens, UDP and TCP", block(forward("127.0.0.1:{GONE}")), "WWW.example.com. A",
        "www.example.com. AAAA +tcp")
    run("forward: two upstreams, nobody listens", block(forward("127.0.0.1:{GONE} 127.0.0.1:{GONE2}", "policy sequential")), WWW)
    run("forward: failfast_all_unhealthy_upstreams",
        block(forward("127.0.0.1:{GONE}", "failfast_all_unhealthy_upstreams", "max_fails 1", "health_check 100ms")),
        WWW, WWW, gap=1, env={"GOMAXPROCS": "1"})              # a worker of svcdns finds out for itself who is down
    run("forward: the upstream does not answer, nor the second one", block(forward("127.0.0.1:{UP} 127.0.0.1:{UP}")),
        "drop.example.com. A")
    run("forward: read_timeout 500ms, max_connect_attempts 1",
        block(forward("127.0.0.1:{UP}", "read_timeout 500ms", "max_connect_attempts 1")), "drop.example.com. A")
    run("forward: the upstream does not answer, UDP and TCP", block(forward("127.0.0.1:{UP}")), "drop.example.com. A",
        "drop.example.com. A +tcp")
    run("forward: the upstream answers SERVFAIL or REFUSED (no error here)", block(forward("127.0.0.1:{UP}")),
        "bad.example.com. A", "refused.example.com. A")
    run("forward: one upstream dead, one alive (no error here)",
        block(forward("127.0.0.1:{GONE} 127.0.0.1:{UP}", "policy sequential")), WWW)
    run("forward: TLS, nobody listens", block(forward("tls://127.0.0.1:{GONE}")), WWW)
    run("forward: two blocks, errors in one of them",
        block("forward . 127.0.0.1:{GONE}") + block(forward("127.0.0.1:{GONE}"), "a.test:{DNS}"), WWW, "www.a.test. A")
    run("nothing behind errors", block("errors; chaos"), WWW)
    run("nothing behind errors and log: lines of both", block("errors; log; chaos"), WWW)
    run("hosts without a match", block("errors; hosts {; 192.0.2.7 a.test; }"), "b.test. A", "a.test. AAAA")
    run("template without a match", block('errors; template IN A test {; match ^a; answer "{{ .Name }} 60 IN A 192.0.2.1"; }'),
        "b.test. A", "a.test. A", "x.example. A")
    run("template that makes a broken record", block('errors; template IN A test {; answer "{{ .Name }} 60 IN A nonsense"; }'),
        "b.test. A")
    run("rcodes by template (no error here)", block("errors; template IN A test {; rcode SERVFAIL; }"), "b.test. A")
    s.file("db", "@ 60 IN SOA ns h 1 2 3 4 5\n@ IN NS ns\nloop IN CNAME loop\n")
    run("file: missing zone file, CNAME loop", block("errors; file {TMP}/nodb a.test; file {TMP}/db b.test"),
        "x.a.test. A", "loop.b.test. A", "x.b.test. A")
    run("unusual names and types", block(forward("127.0.0.1:{GONE}")), r"a\.b\"c\200.example.com. TYPE65280",
        "example.com. ANY", ". NS", WWW + " +class=CH")
    run("log without errors", block("log; forward . 127.0.0.1:{GONE}"), WWW)
    run("errors stdout", block("errors stdout; forward . 127.0.0.1:{GONE}"), WWW)

    def consolidate(title, rule, times, wait=1.6):
        run(f"consolidate {title}", block("errors {; consolidate " + rule + "; }; forward . 127.0.0.1:{GONE}"), WWW,
            times=times, wait=wait)
    consolidate("1s, five errors", '1s "connection refused$"', 5)
    consolidate("1s, five errors, warning", '1s "^read udp .* refused$" warning', 5)
    consolidate("1s, five errors, show_first", "1s refused show_first", 5)
    consolidate("1s, one error, show_first", "1s refused info show_first", 1)
    consolidate("with a pattern that does not match", "1s timeout$", 2, 0.2)
    consolidate("60s, ended by SIGTERM", "60s refused", 3, 0.2)


@situation
def log(s):
    """The log plugin: formats, every placeholder, name scopes, classes."""
    s.upstream(UPSTREAM)
    several = (WWW.replace("e", "E"), WWW + " +tcp", "www.example.com. AAAA +edns=1400 +do", "nothere.example.com. A +cd +ad",
               "bad.example.com. TXT +nord", "refused.example.com. MX", "alias.example.com. TYPE65280", WWW + " +class=CH")

    def run(title, body, *questions):
        s.title(title)
        p = s.start(block(body))
        since = p.mark()
        for q in questions or several:
            ask(s.port("DNS"), q)
            time.sleep(0.01)                                  # the line is written after the reply
        s.log(p, since)
        p.stop()
        p.code(5)
    s.say("asked where nothing else is said: " + ", ".join(several))
    rest = "; errors; forward . 127.0.0.1:{UP}"
    run("log", "log" + rest)
    run("log . (name scope)", "log ." + rest)
    run("log example.com (scope without final dot)", "log example.com" + rest, WWW, "example.org. A")
    run("log . {common}", 'log . "{common}"' + rest, WWW)
    run("log . {combined}", 'log . "{combined}"' + rest)
    run("log . {common} with more text", 'log . "x {common} y"' + rest, WWW)
    run("every placeholder", 'log . "type={type} class={class} name={name} proto={proto} remote={remote} port={port} '
        'local={local} size={size} id={>id} opcode={>opcode} do={>do} bufsize={>bufsize} rcode={rcode} rsize={rsize} '
        'rflags={>rflags} duration={duration}"' + rest)
    run("placeholders that do not exist, metadata without the plugin",
        'log . "{nope} {>nope} {} {/nope} {type} {Type} {when}"' + rest, WWW)
    run("metadata", 'metadata; log . "up={/forward/upstream} type={/log/type} class={/log/class} x={/x/y}"' + rest,
        WWW, "nothere.example.com. A")
    for c in ("all", "success", "denial", "error", "denial error"):
        run(f"class {c}", f"log . {{; class {c}; }}" + rest)
    run("two scopes in one directive", "log example.com example.org {; class denial; }" + rest,
        WWW, "nothere.example.com. A", "nothere.example.org. A", "x.test. A")
    run("two directives: the first that matches the name decides",
        'log example.com {; class error; }; log . "second {name}"' + rest, WWW, "bad.example.com. A", "x.test. A")
    run("no answer (dropped by acl)", "log; acl {; drop net 127.0.0.0/8; }" + rest, WWW)
    run("nothing behind log", "log", WWW)
    run("a cached answer", "log; cache" + rest, WWW, WWW)
    s.title("over IPv6, where there is any")
    p = s.start(block('log . "{common} {local}"; whoami'))
    since = p.mark()
    ask_raw(socket.AF_INET6, ("::1", s.port("DNS")), parse_query(WWW)[0])
    p.settle()
    for l in p.lines[since:]:
        s.say(l[2], soft=True)
    p.stop()
    p.code(5)
    s.title("queries that never reach the plugins are not logged")
    p = s.start(block("log; errors; whoami", "a.test:{DNS}"))
    since = p.mark()
    for q in ("x.a.test. A", "x.b.test. A", "x.a.test. A +class=CH", packet("2800"), "x.a.test. A +opt=3:"):
        s.say(f"{q}: {s.reply(q)}")
    s.log(p, since)


@situation
def loop(s):
    """The loop plugin: a forwarding loop ends the program; when it is not found."""
    corefile = block("loop; errors; forward . TARGET")
    own = corefile.replace("TARGET", "127.0.0.1:{DNS}")
    for title, text in (("to itself", own),
                        ("to itself, in a zone", own.replace(".:{DNS}", "a.test:{DNS}").replace("forward .", "forward a.test")),
                        ("bound to 127.0.0.1", own.replace("    loop", "    bind 127.0.0.1\n    loop"))):
        s.title(title)
        p = s.start(text)
        code = p.code(8)
        s.say(f"exit {code} after {span(time.time() - p.begin, 0, 4)}")
        s.log(p, match="FATAL")
    s.title("no loop plugin")
    p = s.start(own.replace("    loop\n", ""))
    reply, took = ask(s.port("DNS"), WWW, 8)
    s.say(f"{WWW}: {reply} after {span(took, 0, 6)}; exit {p.code()}")
    p.process.kill()
    p.code(5)
    s.title("two servers forward to each other, the second one starts 3 s later: not seen by the first one")
    p = s.start(corefile.replace("TARGET", "127.0.0.1:{OTHER}"))
    time.sleep(3)
    q = s.start(own.replace(".:{DNS}", ".:{OTHER}"), wait=None)
    s.say(f"second: exit {q.code(5)}; first: exit {p.code()}")
    s.log(q, match="FATAL")
    s.log(p, match="FATAL")
