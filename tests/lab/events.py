"""What happens in a cluster while calls go on at a steady rate, and what it costs them."""
import json
import os
import subprocess
import sys
import time

from breaks import CALL, caller

LOAD = f'{os.path.dirname(os.path.abspath(__file__))}/load.py'
RATE, COUNT = 200, 1000  # calls a second, and in all
DOWN = 1  # seconds until a process that was killed is started again, as by kubelet the first time


def kill_one(cluster):
    """one of two svcdns is killed, and started again a second later"""
    server = cluster.dns[0]
    server.kill()
    time.sleep(DOWN)
    server.start()
    return 0


def restart_both(cluster):
    """both svcdns are restarted, one after the other"""
    return sum(cluster.restart(server) for server in cluster.dns)


def replace_pods(cluster):
    """every pod behind the Service is replaced"""
    return sum(cluster.replace(pod) for pod in cluster.replicas('product-service'))


EVENTS = kill_one, restart_both, replace_pods  # each returns how many connections the nodes have forgotten


def steady(cluster, rate, count):
    """{'url', 'event', 'forgotten', 'calls', 'seconds', 'slow', 'retried', 'lost', 'errors': {text: count}} for each event;
    forgotten: connections over UDP that the nodes took out of their tables; slow: calls that took five seconds or more."""
    for event in EVENTS:
        client = caller(cluster).start(sys.executable, LOAD, CALL, rate, count, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True)
        time.sleep(count / rate / 4)
        forgotten = event(cluster)
        yield {'event': event.__doc__, 'forgotten': forgotten, **json.loads(client.communicate()[0])}


def lines(found):
    yield (f'{found["event"]}: {found["calls"]} calls in {found["seconds"]} s, {found["slow"]} waited five seconds, '
           f'{found["retried"]} tried again, {found["lost"]} lost')
    for error, count in found['errors'].items():
        yield f'{count:>6}  {error}'


def show_steady(found):
    print('\n'.join(lines(found)))
