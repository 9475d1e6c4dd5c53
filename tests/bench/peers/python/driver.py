"""Drives one of the queues that are written in Python: does one case, prints one line of JSON.

It is called like every other driver of the benchmark; see `bench-driver` for the cases and for what the line holds.
"""

from __future__ import annotations

import argparse
import importlib
import json

import uvloop

import cases

PEERS = {
    "pgqueuer": "pgqueuer_peer",
    "procrastinate": "procrastinate_peer",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--case", required=True, choices=cases.CASES)
    parser.add_argument("--url", required=True)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=200.0)
    call = parser.parse_args()
    peer = importlib.import_module(PEERS[call.peer])
    figures = uvloop.run(cases.run(peer, call))
    print(json.dumps(figures))


# The processes of the workers read this file as well.
if __name__ == "__main__":
    main()
