"""Reloading: by a signal, and by itself."""
import os
import select
import socket
import threading
import time

from asking import reachable
from stage import span

from . import BUILD, UPSTREAM, block, situation


@situation
def reload_signal(s):
    """SIGUSR1: a changed, unchanged, broken, missing Corefile; what survives a reload and what is lost."""
    s.upstream(UPSTREAM)
    corefile = block("errors; health 127.0.0.1:{HEALTH} {; lameduck 5s; }; ready 127.0.0.1:{READY}; "
                     "prometheus 127.0.0.1:{METRICS}; forward . 127.0.0.1:{UP}; cache 30; chaos one")
    p = s.start(corefile)

    def again(text, meanwhile=None):
        """Change the Corefile, send SIGUSR1, wait for the end of the reload; returns (log mark, seconds)."""
        s.file("Corefile", text) if text is not None else os.unlink(f"{s.tmp}/Corefile")
        p.between_beats()
        since = p.mark()
        if meanwhile:
            meanwhile()
        p.send("SIGUSR1")
        return since, p.wait_for("Reloading complete|ERROR. SIGUSR1", 8, since)

    def doors(*names):
        time.sleep(0.3)
        for name in names:
            s.say(f"{name}: {'open' if reachable(s.port(name)) else 'closed'}")

    def look():
        s.say(f"version.bind.: {s.reply(BUILD)}; /health {s.probe('/health')}, /ready {s.probe('/ready')}, "
              f"/metrics {s.probe('/metrics')}")

    def show(title, text):
        s.title(title)
        lost, stop = [], []

        def client():                                         # does anybody notice?
            while not stop:
                reply = s.reply("www.example.com. A", 1)
                lost.extend([reply] * (reply != "NOERROR [A 192.0.2.1]"))
        t = threading.Thread(target=client)
        since, _ = again(text, t.start)
        time.sleep(0.3)
        stop.append(1)
        t.join()
        s.log(p, since)
        s.say(f"queries lost meanwhile: {len(lost)}")
        look()
    s.say(f"version.bind.: {s.reply(BUILD)}")
    show("a changed file", corefile.replace("chaos one", "chaos two"))
    show("the same file again", corefile.replace("chaos one", "chaos two"))
    show("unknown directive", corefile.replace("chaos one", "chaos three\n    nosuchplugin"))
    show("syntax error", corefile[:corefile.rindex("}")])
    show("the file is gone", None)
    show("back to the first", corefile)

    s.title("what survives: a cached answer, counters, an open TCP connection, a query in flight")
    counted, served = "count.example.com. TXT", "coredns_dns_requests_total type=.TXT"
    s.say(f"count (as the upstream counts): {s.reply(counted)}, cached: {s.reply(counted)}")
    before = s.sample(served)
    got = []
    t = threading.Thread(target=lambda: got.append(s.reply("c.slow.example.com. A")))
    with socket.create_connection(("127.0.0.1", s.port("DNS"))) as held:
        _, took = again(corefile, lambda: (t.start(), time.sleep(0.2)))
        t.join()
        s.say(f"reloading took {span(took, 0, 1.3)}; query in flight: {got[0]}; "
              f"open TCP connection: {'closed' if select.select([held], [], [], 0.5)[0] else 'still open'}")
    s.say(f"count again: {s.reply(counted)}")
    s.say(f"{served}: {before} before, {s.sample(served)} after one more query")
    s.say(f"coredns_cache_entries success: {s.sample('coredns_cache_entries type=.success')}")

    s.title("a zone less: coredns_plugin_enabled forgets it, the counters do not")
    again(block("prometheus 127.0.0.1:{METRICS}; whoami", "old.test:{DNS}") + corefile)
    time.sleep(0.3)
    s.reply("x.old.test. A")
    for title in ("with old.test", "without"):
        for family in ("coredns_plugin_enabled", "coredns_dns_requests_total"):
            s.say(f"{title}: {family} zone=old.test. {s.sample(family + ' zone=.old')}")
        again(corefile)
        time.sleep(0.2)

    s.title("other ports")
    moved = corefile.replace("{HEALTH}", "{HEALTH2}").replace("{METRICS}", "{METRICS2}")
    since, _ = again(moved.replace("{DNS}", "{DNS2}"))
    doors("DNS", "DNS2", "HEALTH", "HEALTH2", "METRICS", "METRICS2")
    s.log(p, since)
    s.title("the new DNS port is taken by another program")
    with socket.create_server(("127.0.0.1", s.port("DNS3"))):
        since, _ = again(moved.replace(".:{DNS} {\n", ".:{DNS3} {\n    bind 127.0.0.1\n"))
        doors("DNS2", "HEALTH2", "METRICS2", "READY")
    s.say(f"www.example.com. A: {s.reply('www.example.com. A', port='DNS2')}")
    s.log(p, since)
    p.stop()

    s.title("an empty file: the default configuration, on the port of -dns.port")
    p = s.start(corefile, "-dns.port", "{OTHER}")
    since, _ = again("")
    doors("DNS", "OTHER", "HEALTH", "READY", "METRICS")
    s.log(p, since)
    p.stop()

    s.title("a reload that fails after some plugins were set up (CoreDNS then keeps /ready open for good)")
    p = s.start(corefile)
    since, _ = again(corefile.replace("chaos one", "chaos three\n    forward x"))
    s.log(p, since)
    look()
    again(corefile.replace("    ready 127.0.0.1:{READY}\n", ""))
    time.sleep(0.3)
    s.say(f"after a good reload without ready: /ready {s.probe('/ready')}", soft=True)


@situation
def reload_automatic(s):
    """The reload plugin (interval 2 s, no jitter): what counts as a change, what is logged, when."""
    s.upstream(UPSTREAM)
    corefile = block("errors; ready 127.0.0.1:{READY}; prometheus 127.0.0.1:{METRICS}; chaos one; forward . 127.0.0.1:{UP}; "
                     "reload 2s 0s; import {TMP}/extra")
    s.file("extra", "# nothing yet\n")
    p = s.start(corefile)

    def show(title, text, name="Corefile", wait=None, most=2.6, watch=4.5):
        """Change a file, watch the log; wait: the line that ends the reaction, None: nothing should happen."""
        s.title(title)
        since = p.mark()
        if text is None:
            os.unlink(f"{s.tmp}/{name}")
        else:
            s.file(name, text)
        if wait:
            s.say(f"reaction within {span(p.wait_for(wait, 8, since), 0, most)}")
            time.sleep(0.3)
        else:
            time.sleep(watch)
        s.log(p, since, once=True)
        s.say(f"version.bind.: {s.reply(BUILD)}; "
              f"/ready {s.probe('/ready')}; failed_total {s.sample('coredns_reload_failed_total')}, "
              f"version_info {'absent' if s.sample('coredns_reload_version_info') == '-' else 'present'}")
    done, failed = "Reloading complete", "reload failed"
    show("nothing changes for 4.5 s", corefile)
    show("a comment at the end", corefile + "# a comment\n")
    show("a space more in a line", corefile.replace("chaos one", "chaos   one"))
    show("an empty line on top (line numbers are part of the hash)", "\n" + corefile, wait=done)
    show("a changed value", corefile.replace("chaos one", "chaos two"), wait=done)
    show("an imported file changes", "minimal\n", "extra", wait=done)
    show("syntax error (the parser fails, every 2 s)", corefile[:corefile.rindex("}")], wait="parse failed")
    unknown = corefile.replace("chaos one", "chaos three\n    nosuchplugin")
    show("unknown directive (the parser does not mind, the reload fails, once)", unknown, wait=failed)
    show("the same bad file for 4.5 s more", unknown)
    show("bad value", corefile.replace("chaos one", "chaos three").replace("forward .", "forward"), wait=failed)
    show("back to what is running", corefile.replace("chaos one", "chaos two"), wait=done)
    show("the Corefile is gone", None)
    show("it comes back changed", corefile.replace("chaos one", "chaos four"), wait=done)
    s.title("metrics")
    s.show_metrics(only="reload_")
    show("the plugin itself is removed", corefile.replace("    reload 2s 0s\n", ""), wait=done)
    since = p.mark()
    s.file("Corefile", corefile)
    time.sleep(3)
    again = any("complete" in l[2] for l in p.lines[since:])
    s.say(f"changed once more: {'CoreDNS goes on reloading' if again else 'no reload'}", soft=True)
    p.stop()

    s.title("the Corefile is a symbolic link whose folder is exchanged (a mounted ConfigMap)")
    for n in ("one", "two"):
        os.mkdir(f"{s.tmp}/{n}")
        s.file(f"{n}/Corefile", corefile.replace("chaos one", f"chaos {n}"))
    os.symlink("one", f"{s.tmp}/..data")
    os.unlink(f"{s.tmp}/Corefile")
    os.symlink("..data/Corefile", f"{s.tmp}/Corefile")
    p = s.start()
    s.say(f"version.bind.: {s.reply(BUILD)}")
    since = p.mark()
    os.symlink("two", f"{s.tmp}/..data_tmp")
    os.rename(f"{s.tmp}/..data_tmp", f"{s.tmp}/..data")
    s.say(f"reaction within {span(p.wait_for(done, 8, since), 0, 2.6)}")
    s.say(f"version.bind.: {s.reply(BUILD)}")

    s.title("a change after SIGUSR1 (CoreDNS can no longer reload by itself then: coredns issue 6263)")
    since = p.mark()
    p.send("SIGUSR1")
    p.wait_for(done, 5, since)
    time.sleep(0.3)
    since = p.mark()
    s.file("two/Corefile", corefile.replace("chaos one", "chaos three"))
    p.wait_for("Reloading complete|reload failed", 6, since)
    time.sleep(0.3)
    for line in sorted({s.mask(l[2]) for l in p.lines[since:]}):
        s.say(line, soft=True)
    s.say(f"version.bind.: {s.reply(BUILD)}", soft=True)
