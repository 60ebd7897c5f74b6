#!/usr/bin/python3
"""The program in the pods: service.py serve PORT NAME NODE | service.py call URL COUNT

Every reply says who has answered. /calls?of=URL&of=URL… calls other services, and gives what they said; `call` does that from
the command line, a line of JSON for each.
"""
import http.client
import http.server
import json
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

PATIENCE = 2  # seconds for connecting, and for each read; the resolver has its own


def call(url):
    """{'status':, 'from':, 'body':}, or {'error':} in the words that a program would log."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as reply:
            return {'url': url, 'status': reply.status, 'body': json.load(reply)}
    except urllib.error.HTTPError as error:
        return {'url': url, 'status': error.code, 'error': str(error)}
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, 'reason', error)
        return {'url': url, 'error': f'{type(reason).__name__}: {reason}'}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'  # a connection is kept for as long as the client wants

    def do_GET(self):  # pylint: disable=invalid-name
        target = urllib.parse.urlsplit(self.path)
        body = {'service': self.server.service, 'pod': socket.gethostname(), 'node': self.server.node,
                'client': self.client_address[0]}
        if target.path == '/calls':
            body['calls'] = [call(url) for url in urllib.parse.parse_qs(target.query).get('of', [])]
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def serve(port, name, node):
    server = http.server.ThreadingHTTPServer(('', int(port)), Handler)
    server.service, server.node = name, node
    server.serve_forever()


if __name__ == '__main__':
    if sys.argv[1] == 'serve':
        serve(*sys.argv[2:])
    else:
        for _ in range(int(sys.argv[3])):
            print(json.dumps(call(sys.argv[2])), flush=True)
