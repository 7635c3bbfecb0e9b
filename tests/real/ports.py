"""Ports of the loopback that nobody uses."""
import socket

_given = set()


def free_port():
    """One that was free a moment ago, and that this process has not given away before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
