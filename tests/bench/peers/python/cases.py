"""The cases, the same for every contestant: as in `bench-driver`, which is for those in Rust."""

from __future__ import annotations

import asyncio
import math
import time
from argparse import Namespace
from contextlib import suppress
from typing import Any

import payload
from workers import PATIENCE, TICK, Way, Workers

# How many jobs one call of the preparation, and of the steady state, submits.
LOAD_BATCH = 1_000

# How many jobs may wait in the steady state before no more are submitted.
WAITING_MAX = 5_000

# Into how many parts the steady state is cut.
PARTS = 10

# How long the steady state runs before it is measured, at most, in seconds.
WARM_UP_MAX = 2.0

MICROS = 1_000_000


async def run(module: Any, call: Namespace) -> dict:
    """Runs one call and gives the figures."""
    peer = await module.Peer.connect(call.url)
    try:
        return await CASES[call.case](module, peer, call)
    finally:
        await peer.close()


async def set_up(_module: Any, peer: Any, _call: Namespace) -> dict:
    await peer.set_up()
    return figures(0, 0.0)


async def preload(_module: Any, peer: Any, call: Namespace) -> dict:
    return await submit_batches(peer, call.jobs, LOAD_BATCH)


async def submit(_module: Any, peer: Any, call: Namespace) -> dict:
    times = []
    begun = time.perf_counter()
    for _ in range(call.jobs):
        job = payload.timeless()
        called = time.perf_counter()
        await peer.submit(job)
        times.append(round((time.perf_counter() - called) * MICROS))
    seconds = time.perf_counter() - begun
    return figures(call.jobs, seconds, latency=latency_of(times), did="one client, one job a call")


async def submit_batch(_module: Any, peer: Any, call: Namespace) -> dict:
    return await submit_batches(peer, call.jobs, call.batch)


async def submit_batches(peer: Any, jobs: int, batch: int) -> dict:
    begun = time.perf_counter()
    left = jobs
    while left > 0:
        size = min(left, batch)
        await peer.submit_many([payload.timeless()] * size)
        left -= size
    return figures(jobs, time.perf_counter() - begun, did=f"one client, {batch} jobs a call")


async def drain(module: Any, peer: Any, call: Namespace) -> dict:
    return await take_through(module, peer, call, Way("batches", call.batch, call.workers))


async def drain_one(module: Any, peer: Any, call: Namespace) -> dict:
    return await take_through(module, peer, call, Way("one_by_one", call.workers, 1))


async def take_through(module: Any, peer: Any, call: Namespace, way: Way) -> dict:
    if why := peer.skips(way):
        return skipped(why)
    workers = Workers(module, call.url, way)
    try:
        await workers.start()
        begun = time.perf_counter()
        whole = await workers.reach(call.jobs, call.seconds)
        while whole and await peer.any_unfinished():
            if time.perf_counter() - begun > call.seconds + PATIENCE:
                raise RuntimeError("what began is not finished")
            await asyncio.sleep(TICK)
        jobs, seconds = workers.count(), time.perf_counter() - begun
        await workers.end()
    finally:
        workers.kill()
    if whole and jobs != call.jobs:
        raise RuntimeError(f"{jobs} jobs began, {call.jobs} were there")
    cut = "" if whole else "; cut off by the time"
    return figures(jobs, seconds, did=peer.does(way) + cut)


async def steady(module: Any, peer: Any, call: Namespace) -> dict:
    way = Way("batches", call.batch, call.workers)
    if why := peer.skips(way):
        return skipped(why)
    workers = Workers(module, call.url, way)
    try:
        await workers.start()
        producer = asyncio.create_task(produce(peer, workers))
        if not await workers.reach(1, PATIENCE):
            raise RuntimeError("no job ever began")
        await asyncio.sleep(min(WARM_UP_MAX, call.seconds / PARTS))
        begun, before = time.perf_counter(), workers.count()
        part_begun, part_before = begun, before
        rates = []
        for _ in range(PARTS):
            await asyncio.sleep(call.seconds / PARTS)
            workers.check()
            now, count = time.perf_counter(), workers.count()
            rates.append((count - part_before) / (now - part_begun))
            part_begun, part_before = now, count
        if producer.done():
            producer.result()
        producer.cancel()
        with suppress(asyncio.CancelledError):
            await producer
        await workers.end()
    finally:
        workers.kill()
    did = f"one client submits {LOAD_BATCH} a call; {peer.does(way)}"
    return figures(part_before - before, part_begun - begun, rates=rates, did=did)


async def produce(peer: Any, workers: Workers) -> None:
    """Submits as long as not too many wait, until it is cancelled."""
    submitted = 0
    while True:
        if submitted - workers.count() < WAITING_MAX:
            await peer.submit_many([payload.timeless()] * LOAD_BATCH)
            submitted += LOAD_BATCH
        else:
            await asyncio.sleep(TICK)


async def latency(module: Any, peer: Any, call: Namespace) -> dict:
    total = math.ceil(call.seconds * call.rate)
    way = Way("prompt", 0, 1)
    workers = Workers(module, call.url, way)
    try:
        await workers.start()
        begun = time.perf_counter()
        for number in range(total):
            await asyncio.sleep(max(0.0, begun + number / call.rate - time.perf_counter()))
            await peer.submit(payload.now())
        seconds = time.perf_counter() - begun
        if not await workers.reach(total, PATIENCE):
            raise RuntimeError(f"{total - workers.count()} of {total} jobs never began")
        waits = await workers.end()
    finally:
        workers.kill()
    # The first tenth warms up connections and plans.
    return figures(total, seconds, latency=latency_of(waits[len(waits) // 10 :]), did=peer.does(way))


async def claim(_module: Any, peer: Any, call: Namespace) -> dict:
    times = []
    begun = time.perf_counter()
    for _ in range(call.jobs):
        times.append(round(await peer.timed_claim() * MICROS))
        # As many are ready at the next claim as at this one.
        await peer.submit(payload.timeless())
    did = "one claim of one job, which is then finished, unmeasured"
    return figures(call.jobs, time.perf_counter() - begun, latency=latency_of(times), did=did)


def figures(jobs: int, seconds: float, **more: Any) -> dict:
    return {"jobs": jobs, "seconds": seconds, **more}


def skipped(why: str) -> dict:
    return figures(0, 0.0, skipped=why)


def latency_of(times: list[int]) -> dict | None:
    """Percentiles; rounded up, so that few times show their longest."""
    if not times:
        return None
    times = sorted(times)
    last = len(times) - 1
    at = lambda hundredths: times[-(-last * hundredths // 100)]  # noqa: E731
    return {"p50_us": at(50), "p99_us": at(99)}


CASES = {
    "setup": set_up,
    "preload": preload,
    "submit": submit,
    "submit-batch": submit_batch,
    "drain": drain,
    "drain-one": drain_one,
    "steady": steady,
    "latency": latency,
    "claim": claim,
}
