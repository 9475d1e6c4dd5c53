"""Procrastinate, on psycopg.

It fetches and finishes one job a statement; what makes it fast is `concurrency`, with enough connections for it
(howto/production/concurrency in its documentation), and `batch_defer_async` for many jobs at once. Finished jobs stay, as is its
default (`delete_jobs="never"`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Callable

import procrastinate
from procrastinate.jobs import Status

from workers import Way

TASK = "no_op"

# How many jobs a process has in hand where as many as possible are to go through.
CONCURRENCY = 100

CONNECTIONS_MAX = 20

# What one process has in hand where each job is to start at once.
PROMPT = 10


class Peer:
    def __init__(self, app: procrastinate.App) -> None:
        self.app = app
        self.worker_id: int | None = None
        self.began: Callable[[int], None] = lambda _at: None

        @app.task(name=TASK)
        async def no_op(at: int, text: str) -> None:
            self.began(at)

        self.task = no_op

    @classmethod
    async def connect(cls, url: str) -> Peer:
        connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=CONNECTIONS_MAX)
        app = procrastinate.App(connector=connector)
        await app.open_async()
        return cls(app)

    async def close(self) -> None:
        await self.app.close_async()

    async def set_up(self) -> None:
        await self.app.schema_manager.apply_schema_async()

    async def submit(self, payload: dict) -> None:
        await self.task.defer_async(**payload)

    async def submit_many(self, payloads: list[dict]) -> None:
        await self.task.batch_defer_async(*payloads)

    async def work(self, way: Way, began: Callable[[int], None], stop: asyncio.Event) -> None:
        self.began = began
        worker = asyncio.create_task(
            self.app.run_worker_async(concurrency=concurrency(way), install_signal_handlers=False)
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([worker, stopping], return_when=asyncio.FIRST_COMPLETED)
        if worker.done():
            worker.result()
            raise RuntimeError("the worker ended before it was asked to")
        # A cancelled worker finishes what it has begun.
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker

    async def any_unfinished(self) -> bool:
        queues = await self.app.job_manager.list_queues_async()
        return any(it["todo"] or it["doing"] for it in queues)

    async def timed_claim(self) -> float:
        manager = self.app.job_manager
        if self.worker_id is None:
            self.worker_id = await manager.register_worker()
        begun = time.perf_counter()
        job = await manager.fetch_job(queues=None, worker_id=self.worker_id)
        seconds = time.perf_counter() - begun
        if job is None:
            raise RuntimeError("a claim gave no job")
        await manager.finish_job(job, Status.SUCCEEDED, delete_job=False)
        return seconds

    def skips(self, way: Way) -> str | None:
        if way.kind == "batches" and way.size > CONCURRENCY:
            return f"fetches one job a statement, {CONCURRENCY} in hand at most: see batches of {CONCURRENCY}"
        return None

    def does(self, way: Way) -> str:
        return f"psycopg, one worker a process, concurrency={concurrency(way)}; unfenced"


def concurrency(way: Way) -> int:
    match way.kind:
        case "batches":
            return min(way.size, CONCURRENCY)
        case "one_by_one":
            return way.size
        case _:
            return PROMPT
