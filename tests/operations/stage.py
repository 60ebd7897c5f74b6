"""A situation's surroundings: a scratch folder, named free ports, programs to end, and the page that it leaves."""
import contextlib
import itertools
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import asking
import cluster
from asking import reachable, until

UPSTREAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance", "upstream.py")
VERSION = r"^(CoreDNS|svcdns)-\d"                              # the last thing but one that a server says when it starts
NOT_BUILT = re.compile("(is|are) not built into this version")
FOREIGN = re.compile(r"maxprocs: |linux/\w+, ")                # lines about the program's language rather than the server
VAGUE = re.compile("duration|timestamp|conn_cache|rest_client|health_request|healthcheck_failures")    # no two runs agree


class LeftOut(Exception):
    """This situation cannot be had here."""


class Stage:
    """Names in braces stand for what changes from run to run, in what is written (fill) and in what is read (mask)."""

    def __init__(self, command, feed, folder):
        self.command, self.feed, self.tmp = shlex.split(command), feed, folder
        self.command[0] = os.path.abspath(shutil.which(self.command[0]) or self.command[0])
        self.api, self.ports, self.ending, self.page, self.titles = None, {}, [], [], 0
        self.next_port = itertools.count(random.randrange(10000, 28000))       # below those that clients get

    def port(self, name):
        if name not in self.ports:
            self.ports[name] = next(p for p in self.next_port if is_free(p))
        return self.ports[name]

    def fill(self, text):
        """{NAME} becomes the port of that name, {TMP} the scratch folder, {FEED} the property that names the API server."""
        text = text.replace("{FEED}", "endpoint http://127.0.0.1:{API}").replace("{TMP}", self.tmp)
        return re.sub(r"\{([A-Z]+\d?)\}", lambda m: str(self.port(m[1])), text)

    def mask(self, text):
        """The reverse of fill(), for what the server says; ids, hashes and durations become a {word}, too."""
        text = text.replace(self.tmp, "{TMP}").replace(self.command[0], "{PROGRAM}")
        for name, number in self.ports.items():
            text = re.sub(rf"(?<![\d.]){number}(?!\d)", "{" + name + "}", text)
        text = re.sub(r"(127\.0\.0\.1|\[::1?\]|localhost):\d{5}\b", r"\1:{port}", text)
        text = re.sub(r"\b[0-9a-f]{128}\b", "{sha512}", text)
        text = re.sub(r"\b\d+\.\d{4,}(e-\d\d)?s\b", "{duration}", text)
        text = re.sub(r"\b\d+(\.\d+)?[mµn]s\b(?=$|\s*\))", "{duration}", text)
        text = re.sub(r"\*v1\.(Service|Namespace|EndpointSlice|Pod)\b", "*v1.{Kind}", text)    # whichever failed first
        text = re.sub(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "{date}", text)
        text = re.sub(r"\bport=\d+", "port={port}", text)
        return re.sub(r"\b\d{15,20}\.\d{15,20}\.", "{random}.{random}.", text)

    def file(self, name, text):
        path = os.path.join(self.tmp, name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(self.fill(text))
        os.replace(path + ".new", path)                        # never half a file under the reader's eyes
        return path

    # the page

    def title(self, text):
        self.titles += 1
        self.page += ["", f"== {text}"]

    def say(self, text, soft=False):
        """soft: it informs, and is not compared."""
        self.page += [("~ " if soft else "") + line for line in self.mask(str(text)).split("\n")]

    def log(self, server, since=0, once=False, match=None, drop=None):
        """The lines that a server wrote; once: each line one time, sorted, for what is repeated or comes from many threads."""
        if server.code() is None:
            server.settle()
        lines = [f"{stream}| {text}" for _, stream, text in sorted(server.lines[since:], key=lambda l: l[1] == "err")]
        lines = [self.mask(l) for l in lines if (not match or re.search(match, l)) and not (drop and re.search(drop, l))]
        if once:
            lines = sorted(set(lines))
        for line in lines or ["(no output)"]:
            self.say(line, soft=bool(FOREIGN.match(line[5:])))

    def show_metrics(self, port="METRICS", only=None):
        """Every family, or those that a regex finds: exact values where two runs agree, '#' where they do not."""
        families, others = asking.metrics(self.port(port)), {"go": [], "process": []}
        if not families:
            self.say("(no metrics)")
        for name, family in families.items():
            if name.split("_")[0] in others:
                others[name.split("_")[0]].append(name)
            elif not only or re.search(only, name):
                self.show_family(name, *family)
        if not only:
            self.say("process families: " + " ".join(others["process"]))
            self.say(f"go families: {len(others['go'])}", soft=True)

    def show_family(self, name, kind, about, series):
        self.say(f"{name} ({kind}) {about}")
        vague, lines, bounds = VAGUE.search(name), [], []
        for labels, value in series.items():
            if isinstance(value, dict):
                bounds = [b for b in value if not b.startswith("_")]
                count = "#" if re.search("health_request|rest_client", name) else value["_count"]
                lines.append(f"{labels} count {count} sum {'#' if vague else value['_sum']}"
                             + ("" if vague else f" buckets {' '.join(value[b] for b in bounds)}"))
            else:
                lines.append(f"{labels} {'#' if vague and float(value) else value}")
        for line in sorted(self.mask(l) for l in lines):
            self.say("  " + line.strip(), soft="goversion" in line)
        if bounds:
            self.say("  bounds " + " ".join(bounds))

    # programs

    def start(self, corefile=None, *flags, wait="dns", **options):
        """Starts the server on a Corefile's text; waits until port {DNS} is open and it has said its say, or for a line, or not."""
        if corefile is not None:
            self.file("Corefile", corefile)
        server = Server(self, flags, **options)
        self.ending.append(server.stop)
        if wait == "dns":
            until(lambda: reachable(self.port("DNS")) or server.code() is not None, 15)
            server.settle()
        elif wait:
            server.wait_for(wait, 15)
        for line in [line[2] for line in server.lines if NOT_BUILT.search(line[2])]:
            if not self.titles:
                raise LeftOut(self.mask(line))
            self.say(line, soft=True)                          # so that the runner leaves the section out
        return server

    def upstream(self, script, name="UP"):
        """A scripted resolver on port {name}."""
        process = subprocess.Popen([sys.executable, UPSTREAM, str(self.port(name)), self.file(f"upstream.{name}", script)])
        self.ending.append(lambda: end(process))
        until(lambda: reachable(self.port(name)), 5)
        return process

    def cluster(self, objects, is_open=True):
        """Starts an API server that holds these objects; returns the door to it, on port {API}."""
        self.api = cluster.start_api(self.feed, self.tmp)
        self.ending.append(self.api.close)
        cluster.fill(self.api, self.file("objects.yaml", objects))
        door = cluster.Door(self.port("API"), self.api.url)
        self.ending.append(door.close)
        door.mode("pass" if is_open else "refuse")
        return door

    # questions about the server's state

    def reply(self, question, timeout=3.0, port="DNS"):
        return asking.ask(self.port(port), question, timeout)[0]

    def probe(self, path):
        """'200 OK', '503 kubernetes', 'refused'; of /metrics the code only."""
        code, _, body = asking.fetch(self.port(path[1:].upper()), path)
        return body if not code else str(code) if path == "/metrics" else f"{code} {body}"

    def sample(self, name, port="METRICS"):
        return asking.sample(self.port(port), name)

    def finish(self):
        for step in reversed(self.ending):
            with contextlib.suppress(OSError):
                step()


class Server:
    """The server under test; every line that it writes is kept with its time and stream, 'out' or 'err'."""

    def __init__(self, stage, flags=(), stdin=None, env=None, cwd=None, conf=True):
        words = stage.command
        if not conf:                                           # the bare program, without '-conf {corefile}'
            words = words[:words.index("-conf")] + words[words.index("-conf") + 2:]
        words = [w.replace("{corefile}", os.path.join(stage.tmp, "Corefile")) for w in words] + [stage.fill(f) for f in flags]
        self.lines, self.begin = [], time.time()
        self.beat = self.begin
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd or stage.tmp,
                                        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                                        env=None if env is None else {**os.environ, **env})
        if stdin is not None:
            self.process.stdin.write(stdin.encode())
            self.process.stdin.close()
        self.readers = [threading.Thread(target=self.read, args=each, daemon=True)
                        for each in ((self.process.stdout, "out"), (self.process.stderr, "err"))]
        for reader in self.readers:
            reader.start()

    def read(self, pipe, name):
        for line in pipe:
            self.lines.append((time.time() - self.begin, name, line.decode(errors="replace").rstrip("\n")))

    def wait_for(self, pattern, seconds, since=0):
        """Seconds until a line matches, or None."""
        def seen():
            return any(re.search(pattern, line[2]) for line in self.lines[since:])

        start = time.time()
        until(lambda: seen() or self.code() is not None, seconds)
        return time.time() - start if seen() else None

    def settle(self):
        """Waits until it has nothing more to say for now."""
        time.sleep(0.15)
        until(lambda: time.time() - self.begin - max([line[0] for line in self.lines], default=0) > 0.15, 2)

    def mark(self):
        return len(self.lines)

    def between_beats(self):
        """Waits for half a second after a heartbeat of the health plugin. CoreDNS asks its own /health every second
        since its start or last reload; a shutdown or reload that hits such a request takes 5 s longer."""
        time.sleep((0.45 - (time.time() - self.beat)) % 1)
        self.beat = time.time()                                # a signal follows, and with a reload the count starts again

    def send(self, name):
        self.process.send_signal(getattr(signal, name))
        return time.time()

    def code(self, seconds=0):
        """The exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            for reader in self.readers:
                reader.join(1)
        return self.process.returncode

    def stop(self):
        end(self.process)


def is_free(port):
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def span(seconds, low, high):
    """A duration as the interval that it is meant to lie in, so that pages are comparable."""
    if seconds is None:
        return f"never (not in {low}..{high} s)"
    return f"{low}..{high} s" if low <= seconds <= high else f"{seconds:.2f} s (not in {low}..{high} s)"


def about(seconds):
    """A short reaction, or the full seconds of a timeout."""
    return "at once" if seconds < 0.9 else f"after {int(seconds + 0.05)} s"
