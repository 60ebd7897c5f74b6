"""Fixtures of the black-box tests; what they give is described in server.py."""

import pytest

from server import Lab


@pytest.fixture
def svcdns(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.finish()
