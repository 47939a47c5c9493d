"""Watches /healthz from a process of its own: `python -m bench.probe URL SECONDS` prints milliseconds, one a line."""

import sys
from http.client import HTTPConnection
from time import perf_counter, sleep
from urllib.parse import urlsplit

EVERY_S = 0.02


def main(url: str, seconds: float) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    until = perf_counter() + seconds
    while perf_counter() < until:
        started = perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        print((perf_counter() - started) * 1000, flush=True)
        sleep(EVERY_S)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
