"""A room: a network of its own, that has nothing but 127.0.0.1, so that every port is free, and a resolver configuration of
its own, so that programs in it ask the server that the test has started there.

    def test_x(room, svcdns):                       # skipped where namespaces are not permitted
        room.resolv_conf('nameserver 127.0.0.1\n')
        svcdns.room = room                          # servers are started in there from now on
        …
        done = room.run('getent', 'ahosts', 'name')         # a subprocess.CompletedProcess, text
        process = room.start('./run')                       # a subprocess.Popen, killed at the end of the test

A container: what a program in a Pod sees of its service account, in the place where the kubelet puts it. The network is the test's.

    def test_x(container, svcdns):                        # skipped where namespaces are not permitted
        container.give({'token': 'one', 'ca.crt': '…'})       # replaces the account's files as the kubelet does, all at once
        svcdns.room = container
"""

import os
import shutil
import subprocess

PATIENCE = 300  # ./run may have to build first
ENTER = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf && ip link set lo up && echo open && cat'


ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
MOUNT = f'mount -t tmpfs tmpfs /var/run && mkdir -p {ACCOUNT} && mount --bind "$1" {ACCOUNT} && shift && exec "$@"'


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


class Container:
    def __init__(self, folder):
        self.folder = folder
        self.generation = 0
        self.give({})
        done = subprocess.run(self.command('true'), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise NotPermitted(done.stderr.strip())

    def command(self, *command):
        as_root = [] if os.geteuid() == 0 else ['--user', '--map-root-user']
        return ['unshare', *as_root, '--mount', 'sh', '-c', MOUNT, 'container', str(self.folder), *map(str, command)]

    def give(self, files):
        """The files are links through ..data, which is a link that is replaced."""
        before, self.generation = f'..{self.generation}', self.generation + 1
        now = self.folder / f'..{self.generation}'
        now.mkdir()
        for name, text in files.items():
            (now / name).write_text(text)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f'..data/{name}')
        (self.folder / '..new').symlink_to(now.name)
        (self.folder / '..new').rename(self.folder / '..data')
        shutil.rmtree(self.folder / before, ignore_errors=True)
