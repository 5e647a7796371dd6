"""Where a host is reached by the others. Its own name says that to them, not to itself: many a hosts file makes that
127.0.1.1, which is this host alone.
"""

import functools
import ipaddress
import socket
from collections.abc import Mapping

from scaling_laws.hosts.team import Team
from scaling_laws.hosts.wire import Wire


def to_listen(host: str) -> str:
    """The address at which to wait for others who know this host as `host`: that, or all that it has (empty) where that
    is a name that means this host alone."""
    if host == "localhost" or _is_number(host):
        return host
    try:
        return "" if _only_here(socket.gethostbyname(host)) else host
    except OSError:  # whoever listens there says so
        return host


def of(team: Team, wires: Mapping[int, Wire]) -> str:
    """The address at which the others of a team reach this process, by its connections to them; all call this.

    One that reaches process 0 without leaving its host is reached where that is.
    """
    ends = [wire.address for wire in wires.values()]
    own = next((end for end in ends if not _only_here(end)), ends[0])
    first = team.meet(own)[0]
    return first if _only_here(own) else own


def tell_gloo(address: str) -> None:
    """Let the collectives of CPUs listen at this address. JAX (0.10 to 0.12) has no setting for it."""
    from jax._src.lib import _jax

    make = _jax.make_gloo_tcp_collectives
    _jax.make_gloo_tcp_collectives = functools.partial(make, hostname=address)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _only_here(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
