#!/usr/bin/python3
"""A Kubernetes API whose EndpointSlices change: changing_api.py PORT TABLE, a manifest in JSON.

Prints "ready". A line on standard input is the number of changes a second from now on, 0 at first, and is answered by the
number of changes so far. Each change gives one endpoint of the next Service another address, or its own again.
"""
import json
import pathlib
import select
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from fake_apiserver import FakeApi  # noqa: E402

KEPT = 1000  # changes that the server remembers


def load(port, path):
    with open(path, encoding='ascii') as file:
        items = json.load(file)['items']
    api = FakeApi()
    api.stop()
    api.port = port
    api.start()
    api.put(*items)
    api.compact()  # every watch would go through all of it at every change
    return api, [item for item in items if item['kind'] == 'EndpointSlice']


def change(api, item):
    addresses = item['endpoints'][0]['addresses']
    first, rest = addresses[0].split('.', 1)
    addresses[0] = f'{"11" if first == "10" else "10"}.{rest}'
    api.put(item)
    with api.changed:
        if len(api.history) > KEPT:
            del api.history[:-KEPT]
            api.oldest = api.history[0][0] - 1


def main():
    api, slices = load(int(sys.argv[1]), sys.argv[2])
    print('ready', flush=True)
    rate, done, due = 0, 0, 0
    while True:
        wait = max(0.0, due - time.monotonic()) if rate else None
        if select.select([sys.stdin], [], [], wait)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            rate, due = int(line), time.monotonic()
            print(done, flush=True)
        elif rate:
            change(api, slices[done % len(slices)])
            done, due = done + 1, due + 1 / rate


main()
