"""Workers in processes of their own, one a core if there are as many: one Python process uses one core."""

from __future__ import annotations

import asyncio
import multiprocessing
import queue
from dataclasses import dataclass
from typing import Any

import uvloop

import payload

# How often what nothing tells of is looked at, in seconds.
TICK = 0.002

# How often a worker looks whether it has to stop, in seconds.
STOP_TICK = 0.02

# How long workers may take to start and to end, in seconds.
PATIENCE = 60.0


@dataclass(frozen=True)
class Way:
    """How work is to be done: in `batches`, `one_by_one`, or `prompt`ly."""

    kind: str
    # Jobs in a batch, or at a time.
    size: int
    processes: int


@dataclass
class Shared:
    """What processes share. Each counts in a place of its own, so that none waits for another."""

    begun: Any
    ready: Any
    go: Any
    stop: Any
    waits: Any


class Workers:
    """Processes that work for one peer."""

    def __init__(self, peer: Any, url: str, way: Way) -> None:
        context = multiprocessing.get_context("spawn")
        self.shared = Shared(
            begun=context.Array("Q", way.processes, lock=False),
            ready=context.Semaphore(0),
            go=context.Event(),
            stop=context.Event(),
            waits=context.Queue(),
        )
        self.processes = [
            context.Process(target=_main, args=(peer.__name__, url, way, place, self.shared))
            for place in range(way.processes)
        ]

    async def start(self) -> None:
        """Returns once all are connected and have begun to work."""
        for process in self.processes:
            process.start()
        for _ in self.processes:
            while not self.shared.ready.acquire(block=False):
                self.check()
                await asyncio.sleep(TICK)
        self.shared.go.set()

    def count(self) -> int:
        """How many jobs have begun."""
        return sum(self.shared.begun)

    def check(self) -> None:
        """Raises if a worker has ended by itself."""
        if any(process.exitcode is not None for process in self.processes):
            raise RuntimeError("a worker ended before it was asked to")

    async def reach(self, wanted: int, seconds: float) -> bool:
        """Waits until so many jobs have begun, or the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.count() < wanted:
            self.check()
            if loop.time() >= end:
                return False
            await asyncio.sleep(TICK)
        return True

    async def end(self) -> list[int]:
        """Stops all and gives how long jobs waited that told when they were submitted, in microseconds."""
        self.shared.stop.set()
        waits: list[int] = []
        for _ in self.processes:
            try:
                waits += await asyncio.to_thread(self.shared.waits.get, True, PATIENCE)
            except queue.Empty:
                raise RuntimeError("a worker does not end") from None
        for process in self.processes:
            await asyncio.to_thread(process.join, PATIENCE)
        return waits

    def kill(self) -> None:
        """Leaves no process behind."""
        for process in self.processes:
            if process.is_alive():
                process.kill()


def _main(module: str, url: str, way: Way, place: int, shared: Shared) -> None:
    import importlib

    uvloop.run(_work(importlib.import_module(module), url, way, place, shared))


async def _work(module: Any, url: str, way: Way, place: int, shared: Shared) -> None:
    waits: list[int] = []

    def began(at: int) -> None:
        if at != payload.TIMELESS:
            waits.append(max(0, payload.now_us() - at))
        shared.begun[place] += 1

    peer = await module.Peer.connect(url)
    stop = asyncio.Event()
    asked = asyncio.create_task(_hear(shared.stop, stop))
    shared.ready.release()
    while not shared.go.is_set():
        await asyncio.sleep(TICK)
    await peer.work(way, began, stop)
    await asked
    await peer.close()
    shared.waits.put(waits)


async def _hear(asked: Any, stop: asyncio.Event) -> None:
    while not asked.is_set():
        await asyncio.sleep(STOP_TICK)
    stop.set()
