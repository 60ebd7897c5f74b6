#!/usr/bin/python3
"""A steady load from a pod: load.py URL RATE COUNT. A call is due every 1/RATE seconds, whether or not others have ended. One
that fails is tried once more after a pause, as a client with one retry does. Ends with a line of JSON: see steady() in lab."""
import collections
import concurrent.futures
import json
import sys
import time

from service import call

THREADS = 100
PAUSE = 2  # seconds before the second try


def call_twice(url):
    """The errors of the tries, none for a call that went well at once."""
    first = call(url).get('error')
    if not first:
        return []
    time.sleep(PAUSE)
    second = call(url).get('error')
    return [first, second] if second else [first]


def load(url, rate, count):
    begun, under_way = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for number in range(count):
            time.sleep(max(0, begun + number / rate - time.monotonic()))
            under_way.append(pool.submit(call_twice, url))
    ended = [each.result() for each in under_way]
    return {'url': url, 'calls': count, 'seconds': round(time.monotonic() - begun, 2), 'retried': sum(map(bool, ended)),
            'lost': sum(len(errors) == 2 for errors in ended),
            'errors': collections.Counter(error for errors in ended for error in errors)}


if __name__ == '__main__':
    print(json.dumps(load(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
