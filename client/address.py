"""Where the API answers: one address, for HTTP and for the websocket."""

from dataclasses import dataclass
from ipaddress import ip_address

import httpx

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Address:
    """An http(s) URL, with a path where the API sits behind one."""

    url: httpx.URL

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Raises ValueError for what is no address of a server."""
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as error:
            raise ValueError(str(error)) from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("an address starts with http:// or https:// and names a host")
        return cls(url)

    @property
    def websocket(self) -> str:
        scheme = "wss" if self.url.scheme == "https" else "ws"
        return str(self.url.copy_with(scheme=scheme, path=f"{self.url.path.rstrip('/')}/v1/ws", query=None))

    @property
    def is_loopback(self) -> bool:
        """Then no proxy for the outside world can reach it."""
        return is_loopback(self.url.host)

    def __str__(self) -> str:
        return str(self.url)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
