"""PgQueuer, on asyncpg.

What makes it fast is from its own pages: asyncpg has 1.7 times psycopg's throughput, and the benchmark runs five managers,
each on a connection of its own (docs/comparisons/benchmarks.md); batches are raised for short jobs, and autovacuum is set
as `pgq autovac` does (docs/guides/performance-tuning.md). Tables stay logged: durability is the default, `durable`.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import timedelta
from typing import Callable

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import EntrypointExecutionParameter, Queries

from payload import compact
from workers import Way

ENTRYPOINT = "no_op"

# `--dequeue` of its own benchmark.
MANAGERS = 5

# Its default, of `PgQueuer.run`.
BATCH = 10

# Its default as well.
HEARTBEAT = timedelta(seconds=30)


class Peer:
    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self.url = url
        self.connection = connection
        self.queries = Queries(AsyncpgDriver(connection))

    @classmethod
    async def connect(cls, url: str) -> Peer:
        return cls(url, await asyncpg.connect(url))

    async def close(self) -> None:
        await self.connection.close()

    async def set_up(self) -> None:
        await self.queries.install()
        await self.queries.optimize_autovacuum()

    async def submit(self, payload: dict) -> None:
        await self.queries.enqueue(ENTRYPOINT, compact(payload).encode())

    async def submit_many(self, payloads: list[dict]) -> None:
        count = len(payloads)
        bodies = [compact(it).encode() for it in payloads]
        await self.queries.enqueue([ENTRYPOINT] * count, bodies, [0] * count)

    async def work(self, way: Way, began: Callable[[int], None], stop: asyncio.Event) -> None:
        count, batch = managers(way)
        connections = [await asyncpg.connect(self.url) for _ in range(count)]
        working = [PgQueuer(AsyncpgDriver(it)) for it in connections]
        for manager in working:
            _register(manager, began)

        async def end() -> None:
            await stop.wait()
            for manager in working:
                manager.shutdown.set()

        await asyncio.gather(end(), *(it.run(batch_size=batch) for it in working))
        for connection in connections:
            await connection.close()

    async def any_unfinished(self) -> bool:
        return any(it.count for it in await self.queries.queue_size())

    async def timed_claim(self) -> float:
        entrypoints = {ENTRYPOINT: EntrypointExecutionParameter(concurrency_limit=0)}
        begun = time.perf_counter()
        jobs = await self.queries.dequeue(1, entrypoints, uuid.uuid4(), None, HEARTBEAT)
        seconds = time.perf_counter() - begun
        if len(jobs) != 1:
            raise RuntimeError(f"a claim gave {len(jobs)} jobs")
        await self.queries.log_jobs([(jobs[0], "successful", None)])
        return seconds

    def skips(self, _way: Way) -> str | None:
        return None

    def does(self, way: Way) -> str:
        count, batch = managers(way)
        return f"asyncpg, managers a process: {count}, batch_size={batch}; unfenced"


def managers(way: Way) -> tuple[int, int]:
    """How many managers a process has, and how many jobs each takes at a time."""
    match way.kind:
        case "batches":
            return MANAGERS, way.size
        case "one_by_one":
            return way.size, 1
        case _:
            return 1, BATCH


def _register(manager: PgQueuer, began: Callable[[int], None]) -> None:
    @manager.entrypoint(ENTRYPOINT)
    async def no_op(job: Job) -> None:
        began(json.loads(job.payload or b"{}")["at"])
