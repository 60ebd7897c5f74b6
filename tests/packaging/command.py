"""Commands that have to succeed."""

import subprocess

PATIENCE = 900  # seconds; a mirror may be slow


def run(*command, **options):
    """Its output; what it said is part of the error if it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, **options)
    assert done.returncode == 0, f'{command}: exit {done.returncode}\n{done.stdout}'
    return done.stdout
