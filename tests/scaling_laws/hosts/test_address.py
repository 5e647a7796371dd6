"""Where the hosts of a team are reached, whatever their own hosts files say."""

import socket
import types

import pytest
from teams import team_of, together

from scaling_laws.hosts import address
from scaling_laws.hosts.team import Team


@pytest.mark.parametrize(
    "host, listens",
    [
        ("10.0.0.5", "10.0.0.5"),
        ("127.0.0.1", "127.0.0.1"),  # asked for by its number: this host alone
        ("localhost", "localhost"),
        ("node1", ""),
        ("node2", "node2"),
        ("nobody", "nobody"),  # whatever listening there says of it
    ],
)
def test_a_name_that_means_this_host_alone_is_listened_for_everywhere(monkeypatch, host, listens):
    known = {"node1": "127.0.1.1", "node2": "10.0.0.5", "localhost": "127.0.0.1"}

    def gethostbyname(name):
        if name not in known:
            raise socket.gaierror("unknown")
        return known[name]

    monkeypatch.setattr(socket, "gethostbyname", gethostbyname)
    assert address.to_listen(host) == listens


class Meets(Team):
    """A team of which process 0 says where it is."""

    def __init__(self, first):
        self.of_first = first

    def meet(self, value=None):
        return [self.of_first or value]


@pytest.mark.parametrize(
    "first, ends, own",
    [
        ("", ["127.0.0.1", "10.0.0.5"], "10.0.0.5"),  # process 0, with one beside it and one elsewhere
        ("10.0.0.5", ["127.0.0.1"], "10.0.0.5"),  # the one beside it
        ("10.0.0.5", ["10.0.0.6"], "10.0.0.6"),
        ("fd00::5", ["fe80::6%eth0"], "fe80::6%eth0"),
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1"),  # all on one host
    ],
)
def test_a_process_is_reached_where_it_reaches_the_others(first, ends, own):
    wires = {number: types.SimpleNamespace(address=end) for number, end in enumerate(ends)}
    assert address.of(Meets(first), wires) == own


def test_on_one_host_that_is_the_host_itself():
    teams = [team for team, _ in team_of(3)]
    assert together(lambda number: address.of(teams[number], teams[number]._wires), 3) == ["127.0.0.1"] * 3


def test_the_collectives_of_cpus_are_told(monkeypatch):
    from jax._src.lib import _jax

    asked = {}
    monkeypatch.setattr(_jax, "make_gloo_tcp_collectives", lambda **given: asked.update(given))
    address.tell_gloo("10.0.0.5")
    _jax.make_gloo_tcp_collectives(distributed_client="client")
    assert asked == {"distributed_client": "client", "hostname": "10.0.0.5"}
