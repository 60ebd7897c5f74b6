#!/usr/bin/python3
"""A steady load from a pod: load.py URL RATE COUNT. A call is due every 1/RATE seconds, whether or not others have ended. One
that fails is tried once more after a pause, as a client with one retry does. After COUNT it goes on until its input ends. Then
there is a line of JSON: see steady() in lab."""
import collections
import concurrent.futures
import itertools
import json
import select
import sys
import time

from service import call

THREADS = 100
PAUSE = 2  # seconds before the second try
RESOLVER = 5  # seconds before glibc asks again for what was lost


def timed_call(url):
    begun = time.monotonic()
    return {'error': call(url).get('error'), 'seconds': time.monotonic() - begun}


def call_twice(url):
    """The tries: one for a call that went well at once."""
    tries = [timed_call(url)]
    if tries[0]['error']:
        time.sleep(PAUSE)
        tries.append(timed_call(url))
    return tries


def is_told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def load(url, rate, count):
    begun, under_way = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for number in itertools.takewhile(lambda number: number < count or not is_told_to_end(), itertools.count()):
            time.sleep(max(0, begun + number / rate - time.monotonic()))
            under_way.append(pool.submit(call_twice, url))
    ended = [each.result() for each in under_way]
    errors = [each['error'] for tries in ended for each in tries if each['error']]
    return {'url': url, 'calls': len(ended), 'seconds': round(time.monotonic() - begun, 2),
            'slow': sum(max(each['seconds'] for each in tries) >= RESOLVER for tries in ended),
            'retried': sum(len(tries) == 2 for tries in ended), 'lost': sum(bool(tries[-1]['error']) for tries in ended),
            'errors': collections.Counter(errors)}


if __name__ == '__main__':
    print(json.dumps(load(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
