"""A room: a network of its own, that has nothing but 127.0.0.1, so that every port is free, and a resolver configuration of
its own, so that programs in it ask the server that the test has started there.

    def test_x(room, svcdns):                       # skipped where namespaces are not permitted
        room.resolv_conf('nameserver 127.0.0.1\n')
        svcdns.room = room                          # servers are started in there from now on
        …
        done = room.run('getent', 'ahosts', 'name')         # a subprocess.CompletedProcess, text
        process = room.start('./run')                       # a subprocess.Popen, killed at the end of the test
"""

import os
import subprocess

PATIENCE = 300  # ./run may have to build first
ENTER = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf && ip link set lo up && echo open && cat'


class NotPermitted(Exception):
    pass


class Room:
    def __init__(self, folder):
        self.resolver = folder / 'resolv.conf'
        self.resolver.write_text('')
        switch = folder / 'nsswitch.conf'
        switch.write_text('hosts: files dns\n')
        self.is_root = os.geteuid() == 0
        as_root = [] if self.is_root else ['--user', '--map-root-user']
        self.processes = []
        self.keeper = subprocess.Popen(  # lives as long as its standard input is open
            ['unshare', *as_root, '--mount', '--net', 'sh', '-c', ENTER, 'room', self.resolver, switch],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.keeper.stdout.readline() != 'open\n':
            _, error = self.keeper.communicate(timeout=PATIENCE)
            raise NotPermitted(error.strip())

    def command(self, *command):
        as_root = [] if self.is_root else ['--user', '--preserve-credentials']
        return ['nsenter', '--target', str(self.keeper.pid), *as_root, '--mount', '--net', *map(str, command)]

    def resolv_conf(self, text):
        self.resolver.write_text(text)

    def run(self, *command, **options):
        return subprocess.run(self.command(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, **options)

    def start(self, *command, **options):
        self.processes.append(subprocess.Popen(self.command(*command), stdin=subprocess.DEVNULL, **options))
        return self.processes[-1]

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.keeper.communicate()
