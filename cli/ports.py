"""A port for the API that nothing else listens on."""

import socket

from cli.failures import Failure


def choose(host: str, wanted: int, *, fixed: bool) -> int:
    """`wanted`, or a free one for 0 and, unless `fixed`, for a busy one. Raises Failure for a busy `fixed` one."""
    if is_free(host, wanted):
        return wanted or _any(host)
    if fixed:
        raise Failure(f"port {wanted} on {host} is busy; give another with --port, or 0 for any that is free")
    return _any(host)


def is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port).close()
    except OSError:
        return False
    return True


def _any(host: str) -> int:
    with _bind(host, 0) as bound:
        port: int = bound.getsockname()[1]
    return port


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        # As the API's server does: a port whose last connections linger is free.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
