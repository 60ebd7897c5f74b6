"""Fixtures of the black-box tests; what they give is described in server.py and room.py."""

import pytest

from room import Container, NotPermitted, Room
from server import Lab


@pytest.fixture
def svcdns(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.finish()


@pytest.fixture
def room(tmp_path_factory):
    try:
        room = Room(tmp_path_factory.mktemp('room'))
    except NotPermitted as reason:
        pytest.skip(f'no network and mount namespaces of our own here: {reason}')
    yield room
    room.close()


@pytest.fixture
def container(tmp_path_factory):
    try:
        return Container(tmp_path_factory.mktemp('account'))
    except NotPermitted as reason:
        pytest.skip(f'no mount namespace of our own here: {reason}')
