"""A world apart: the program goes on as the first process of namespaces of its own: processes, network, mounts, host name.

Nothing can stay behind. When the first process ends, however it ends, the kernel ends every other one in there, and with the
last process go the namespaces, their interfaces, rules and mounts. No name is given out, so that two runs cannot collide.
"""
import ctypes
import os
import signal
import subprocess
import sys
import traceback

NOT_PERMITTED = 77  # the exit code of a test that is skipped
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x04000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
FROM_TERMINAL = signal.SIGINT, signal.SIGHUP
FOLDER = '/run'  # files of ours go there: what is below it outside cannot be seen, nor written, from in here
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MOUNTS = (  # by the system call, as mount(8) makes a folder of its own below the /run of everybody
    (b'none', b'/', None, MS_REC | MS_PRIVATE, None),  # what is mounted from now on is seen in here only
    (b'proc', b'/proc', b'proc', 0, None),
    (b'tmpfs', FOLDER.encode(), b'tmpfs', 0, None))
PREPARATIONS = (
    ('hostname', 'office'),
    ('ip', 'link', 'set', 'lo', 'up'),
    ('nft', 'list', 'ruleset'))
libc = ctypes.CDLL(None, use_errno=True)


class NotPermitted(Exception):
    pass


def check(result, what):
    if result:
        raise NotPermitted(f'{what}: {os.strerror(ctypes.get_errno())}')


def refuse(reason):
    print(f'not permitted here: {reason}; the laboratory needs root', file=sys.stderr)
    return NOT_PERMITTED


def prepare():
    for mount in MOUNTS:
        check(libc.mount(*mount), f'mount {mount[1].decode()}')
    for command in PREPARATIONS:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise NotPermitted(f'{error.filename} is not installed') from error
        if done.returncode:
            raise NotPermitted(f'{" ".join(command)}: {done.stderr.strip()}')


def end_with(parent):
    """parent: a pipe whose other end only the parent holds."""
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), 'prctl')
    os.set_blocking(parent, False)
    try:
        os.read(parent, 1)
        os._exit(1)  # it was gone already
    except BlockingIOError:
        pass


def first_process(parent, function):
    """The exit code. What goes wrong is told here, as nobody above is left to."""
    try:
        for each in FROM_TERMINAL:
            signal.signal(each, signal.SIG_IGN)  # the parent has it too, and ends us
        end_with(parent)
        prepare()
        return function()
    except NotPermitted as reason:
        return refuse(reason)
    except BrokenPipeError:  # as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()


def run_apart(function):
    """Calls the function there, and returns its exit code: NOT_PERMITTED, with a line on stderr, where that cannot be."""
    try:
        check(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNET), 'unshare')
    except NotPermitted as reason:
        return refuse(reason)
    inner, outer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(outer)
        os._exit(first_process(inner, function))
    for each in (*FROM_TERMINAL, signal.SIGTERM):
        signal.signal(each, lambda number, _: sys.exit(128 + number))
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)  # returns when all are gone that were in there
        raise
