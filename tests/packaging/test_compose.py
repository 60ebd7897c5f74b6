"""The Compose file: that it is one, and that its parts fit. test_image.py runs what it says."""

import ipaddress
import subprocess

import pytest
import yaml

from server import ROOT

COMPOSE = ROOT / 'docker/compose/compose.yaml'


@pytest.fixture(scope='module')
def compose():
    """As docker-compose reads it: checked by the schema, paths resolved."""
    done = subprocess.run(['docker-compose', '-f', COMPOSE, '--profile', 'client', 'config'], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def test_builds_the_image(compose):
    build = compose['services']['svcdns']['build']
    assert build['context'] == str(ROOT)
    assert (ROOT / build['dockerfile']).is_file()


def test_mounts_what_is_there(compose):
    volumes = [volume.split(':') for volume in compose['services']['svcdns']['volumes']]
    assert [source for source, _, _ in volumes] == [str(ROOT / 'docker/compose/Corefile'), str(ROOT / 'zones')]
    assert {mode for _, _, mode in volumes} == {'ro'}


def test_client_asks_the_server(compose):
    client, server = compose['services']['client'], compose['services']['svcdns']
    [(network, place)] = server['networks'].items()
    [subnet] = compose['networks'][network]['ipam']['config']
    assert client['dns'] == [place['ipv4_address']]
    assert list(client['networks']) == [network]
    assert ipaddress.ip_address(place['ipv4_address']) in ipaddress.ip_network(subnet['subnet'])


def test_may_do_no_more_than_it_has_to(compose):
    server = compose['services']['svcdns']
    assert (server['read_only'], server['cap_drop'], server['cap_add']) == (True, ['ALL'], ['NET_BIND_SERVICE'])
