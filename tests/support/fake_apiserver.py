#!/usr/bin/python3
"""A Kubernetes API server for tests: lists and watches Namespaces, Services, EndpointSlices and Pods, and misbehaves as told.

    api = FakeApi()                                   # on a free port of 127.0.0.1; tls=CONTEXT, token='T', watch_list=False
    api.put({...}), api.delete('Service', 'shop', 'web')
    api.script('services', 'watch', Status(503, retry_after=1))      # what the next such request gets, once; None: any
    api.script(None, 'watch', Cut(40), times=3)
    api.cut()                                         # all connections, now
    api.stop(); api.start()                           # nobody listens in between; objects and history stay
    api.compact()                                     # forgets history: older versions are 410 Gone
    api.lose({...})                                   # a change that no watch is told of
    api.requests                                      # what was asked: .plural, .ask, .params, .headers, .at
    api.close()

The ways to ask: 'list' (the first page), 'page' (a further one), 'names' (only metadata), 'watch-list' (a watch with
initial events), 'watch'. As a program it serves the objects of a manifest file: fake_apiserver.py PORT FILE
"""
import http.server
import json
import socket
import ssl
import sys
import threading
import time
import urllib.parse

import kubernetes_protobuf as protobuf

PROTOBUF = "application/vnd.kubernetes.protobuf"
PLURALS = {"Namespace": "namespaces", "Service": "services", "EndpointSlice": "endpointslices", "Pod": "pods"}
KINDS = {plural: kind for kind, plural in PLURALS.items()}
VERSIONS = {"EndpointSlice": "discovery.k8s.io/v1", "PartialObjectMetadata": "meta.k8s.io/v1"}
PATHS = {"/api/v1/namespaces": "namespaces", "/api/v1/services": "services", "/api/v1/pods": "pods",
         "/apis/discovery.k8s.io/v1/endpointslices": "endpointslices"}


class Status:
    """An answer that is none: a Status object, or a text that is not even that."""

    def __init__(self, code, reason="", message="no", retry_after=None, text=None):
        self.code, self.reason, self.message, self.retry_after, self.text = code, reason, message, retry_after, text


class Close:
    """The connection is closed without an answer."""


class Silence:
    """Nothing is answered, or nothing more once the head of a response has been sent."""

    def __init__(self, after_head=False):
        self.after_head = after_head


class Cut:
    """The right answer, cut after so many octets of its body."""

    def __init__(self, octets):
        self.octets = octets


class Slow:
    """The right answer, octet by octet."""


class Stream:
    """A watch that brings these events, (type, object), or octets as they are; then it ends, is cut, or goes on in silence."""

    def __init__(self, *events, then="end"):
        self.events, self.then = events, then


class Request:
    def __init__(self, plural, ask, params, headers):
        self.plural, self.ask, self.params, self.headers, self.at = plural, ask, params, headers, time.monotonic()

    def __repr__(self):
        return f"{self.plural} {self.ask} {self.params}"


def kind_of(item):
    return item["kind"]


def key_of(item):
    return (PLURALS[item["kind"]], item["metadata"].get("namespace", ""), item["metadata"]["name"])


class FakeApi:
    def __init__(self, tls=None, token=None, watch_list=True, bookmark_s=60.0, language="protobuf", page=None):
        self.tls, self.token, self.watch_list, self.bookmark_s, self.language = tls, token, watch_list, bookmark_s, language
        self.page = page                               # objects in a page at most, whatever was asked for
        self.objects, self.history, self.version, self.oldest = {}, [], 10, 0
        self.changed = threading.Condition()
        self.scripts, self.requests, self.connections = [], [], set()
        self.port, self.server = 0, None
        self.start()

    # what a test does

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.api = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.cut()

    def close(self):
        self.stop()

    def cut(self):
        with self.changed:
            connections, self.connections = self.connections, set()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self.changed:
            self.changed.notify_all()

    def put(self, *items):
        for item in items:
            self.change(item, is_told=True)

    def lose(self, *items):
        for item in items:
            self.change(item, is_told=False)

    def delete(self, kind, namespace, name, is_told=True):
        with self.changed:
            self.version += 1
            item = self.objects.pop((PLURALS[kind], namespace, name))
            if is_told:
                self.add_event("DELETED", self.stamped(item))

    def compact(self):
        with self.changed:
            self.oldest, self.history = self.version, []

    def script(self, plural, ask, action, times=1):
        with self.changed:
            self.scripts += [[plural, ask, action, times]]

    def asked(self, ask=None, plural=None):
        return [r for r in list(self.requests) if ask in (None, r.ask) and plural in (None, r.plural)]

    # what the server does

    def stamped(self, item):
        return {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}

    def change(self, item, is_told):
        item = {"apiVersion": VERSIONS.get(item["kind"], "v1"), **item}
        with self.changed:
            self.version += 1
            key = key_of(item)
            type_ = "MODIFIED" if key in self.objects else "ADDED"
            self.objects[key] = self.stamped(item)
            if is_told:
                self.add_event(type_, self.objects[key])

    def add_event(self, type_, item):
        self.history.append((self.version, PLURALS[item["kind"]], type_, item))
        self.changed.notify_all()

    def action_for(self, request):
        with self.changed:
            self.requests.append(request)
            for script in self.scripts:
                if script[0] in (None, request.plural) and script[1] in (None, request.ask) and script[3]:
                    script[3] -= 1
                    return script[2]
        return None

    def listed(self, plural):
        with self.changed:
            return str(self.version), [item for key, item in sorted(self.objects.items()) if key[0] == plural]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.api.changed:
            self.api.connections.add(connection)
        return connection, address

    def finish_request(self, request, client_address):
        if self.api.tls:
            request = self.api.tls.wrap_socket(request, server_side=True)
            with self.api.changed:
                self.api.connections.add(request)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass                                           # connections are cut all the time here


class Gone(Exception):
    """The connection is over."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.api, self.left, self.is_slow = self.server.api, None, False
        path, _, query = self.path.partition("?")
        params = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        request = Request(PATHS.get(path), self.way(params), params, dict(self.headers))
        self.is_protobuf = self.api.language == "protobuf" and PROTOBUF in self.headers.get("Accept", "")
        try:
            self.act(request, self.api.action_for(request))
        except (Gone, OSError, ssl.SSLError):
            self.close_connection = True

    def way(self, params):
        if params.get("watch") == "true":
            return "watch-list" if params.get("sendInitialEvents") == "true" else "watch"
        if "PartialObjectMetadataList" in self.headers.get("Accept", ""):
            return "names"
        return "page" if "continue" in params else "list"

    def act(self, request, action):
        if isinstance(action, Close):
            raise Gone
        if isinstance(action, Silence) and not action.after_head:
            self.hold()
        if isinstance(action, Status):
            return self.refuse(action)
        if self.api.token and self.headers.get("Authorization") != f"Bearer {self.api.token}":
            return self.refuse(Status(401, "Unauthorized", "Unauthorized"))
        if not request.plural:
            return self.refuse(Status(404, "NotFound", "the server could not find the requested resource"))
        self.left = action.octets if isinstance(action, Cut) else None
        self.is_slow = isinstance(action, Slow)
        if not request.ask.startswith("watch"):
            return self.list(request, action)
        return self.watch(request, action)

    def head(self, code, content_type, length=None, retry_after=None):
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.flush()

    def put(self, octets, is_chunked=True):
        """A piece of the body; what a script says of it happens here."""
        if self.left is not None:
            octets, self.left = octets[:self.left], self.left - len(octets)
        for piece in ([octets[i:i + 1] for i in range(len(octets))] if self.is_slow else [octets]):
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
                self.wfile.flush()
        if self.left is not None and self.left < 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            raise Gone

    def hold(self):
        """Until the test cuts the connection."""
        with self.api.changed:
            while self.connection in self.api.connections:
                self.api.changed.wait(1)
        raise Gone

    def refuse(self, status):
        if status.text is not None:
            body, content_type = status.text.encode(), "text/plain"
        else:
            item = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": status.message,
                    "reason": status.reason, "code": status.code}
            body = protobuf.one(item) if self.is_protobuf else json.dumps(item).encode()
            content_type = PROTOBUF if self.is_protobuf else "application/json"
        self.head(status.code, content_type, len(body), status.retry_after)
        self.put(body, is_chunked=False)

    def list(self, request, action):
        kind = KINDS[request.plural]
        version, items = self.api.listed(request.plural)
        first = 0
        if request.ask == "page" or "continue" in request.params:
            version, first = request.params["continue"].split("-")
            first = int(first)
            if int(version) < self.api.oldest:
                return self.refuse(Status(410, "Expired", "the provided continue parameter is too old"))
        limit = int(request.params.get("limit", "0")) or len(items)
        limit = min(limit, self.api.page or limit)
        page, rest = items[first:first + limit], items[first + limit:]
        metadata = {"resourceVersion": version, "continue": f"{version}-{first + limit}" if rest else ""}
        if request.ask == "names":
            page, kind = [{"metadata": item["metadata"]} for item in page], "PartialObjectMetadata"
        if self.is_protobuf:
            body = protobuf.many(VERSIONS.get(kind, "v1"), kind, metadata, page)
        else:
            body = json.dumps({"kind": kind + "List", "apiVersion": VERSIONS.get(kind, "v1"), "metadata": metadata,
                               "items": page}).encode()
        self.head(200, PROTOBUF if self.is_protobuf else "application/json", len(body))
        if isinstance(action, Silence):
            self.hold()
        self.put(body, is_chunked=False)

    def event(self, type_, item):
        if self.is_protobuf:
            return protobuf.event(type_, item)
        return json.dumps({"type": type_, "object": item}).encode() + b"\n"

    def bookmark(self, kind, version, is_first):
        metadata = {"resourceVersion": version}
        if is_first:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        return self.event("BOOKMARK", {"kind": kind, "apiVersion": VERSIONS.get(kind, "v1"), "metadata": metadata})

    def watch(self, request, action):
        kind = KINDS[request.plural]
        if request.ask == "watch-list" and not self.api.watch_list:
            return self.refuse(Status(422, "Invalid", "sendInitialEvents is forbidden for watch unless the WatchList "
                                                      "feature gate is enabled"))
        since = int(request.params.get("resourceVersion") or 0)
        if request.ask == "watch" and since < self.api.oldest:
            return self.refuse(Status(410, "Expired", f"too old resource version: {since}"))
        self.head(200, PROTOBUF + ";stream=watch" if self.is_protobuf else "application/json")
        if isinstance(action, Silence):
            self.hold()
        if isinstance(action, Stream):
            return self.stream(action)
        if request.ask == "watch-list":
            version, items = self.api.listed(request.plural)
            self.put(b"".join(self.event("ADDED", item) for item in items) + self.bookmark(kind, version, True))
            since = int(version)
        self.follow(request, kind, since)
        self.wfile.write(b"0\r\n\r\n")

    def stream(self, action):
        for item in action.events:
            self.put(item if isinstance(item, bytes) else self.event(*item))
        if action.then == "hold":
            self.hold()
        if action.then == "cut":
            raise Gone
        self.wfile.write(b"0\r\n\r\n")

    def follow(self, request, kind, since):
        """Events behind a version, and bookmarks in between, until the time that the client has set."""
        end = time.monotonic() + int(request.params.get("timeoutSeconds", "600"))
        bookmark = time.monotonic() + self.api.bookmark_s
        while time.monotonic() < end:
            with self.api.changed:
                version = self.api.version             # together with what came before it
                fresh = [e for e in self.api.history if e[0] > since and e[1] == request.plural]
                if not fresh:
                    self.api.changed.wait(max(0.0, min(end, bookmark) - time.monotonic()))
                if self.connection not in self.api.connections:
                    raise Gone
            for number, _, type_, item in fresh:
                self.put(self.event(type_, item))
                since = number
            if not fresh and time.monotonic() >= bookmark:
                self.put(self.bookmark(kind, str(version), False))
                bookmark = time.monotonic() + self.api.bookmark_s


if __name__ == "__main__":
    import load_objects
    server = FakeApi()
    server.stop()
    server.port = int(sys.argv[1])
    server.start()
    server.put(*load_objects.objects(sys.argv[2]))
    print("ready", flush=True)
    server.thread.join()
