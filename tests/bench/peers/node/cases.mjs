// The cases, the same for every contestant: as in `bench-driver`, which is for those in Rust.

import { setTimeout as sleep } from "node:timers/promises";

import { many, now, timeless } from "./payload.mjs";
import { TICK_MS, Workers } from "./workers.mjs";

// How many jobs one call of the preparation, and of the steady state, submits.
const LOAD_BATCH = 1_000;

// How many jobs may wait in the steady state before no more are submitted.
const WAITING_MAX = 5_000;

// Into how many parts the steady state is cut.
const PARTS = 10;

// How long the steady state runs before it is measured, at most, in seconds.
const WARM_UP_MAX = 2;

// How long what has begun may take to be finished, in seconds.
const PATIENCE = 60;

async function setUp(_script, peer) {
  await peer.setUp();
  return figures(0, 0);
}

async function submit(_script, peer, call) {
  const times = [];
  const begun = performance.now();
  for (let done = 0; done < call.jobs; done += 1) {
    const payload = timeless();
    const called = performance.now();
    await peer.submit(payload);
    times.push(microsSince(called));
  }
  return { ...figures(call.jobs, begun), latency: latencyOf(times), did: "one client, one job a call" };
}

async function submitBatches(peer, jobs, batch) {
  const begun = performance.now();
  for (let left = jobs; left > 0; left -= batch) {
    await peer.submitMany(many(Math.min(left, batch)));
  }
  return { ...figures(jobs, begun), did: `one client, ${batch} jobs a call` };
}

async function takeThrough(script, peer, call, way) {
  const why = peer.skips(way);
  if (why !== undefined) {
    return skipped(why);
  }
  const workers = new Workers(script, call.url, way);
  await workers.start();
  const begun = performance.now();
  const whole = await workers.reach(call.jobs, call.seconds);
  while (whole && (await peer.anyUnfinished())) {
    if (performance.now() - begun > (call.seconds + PATIENCE) * 1000) {
      throw new Error("what began is not finished");
    }
    await sleep(TICK_MS);
  }
  const taken = figures(workers.count(), begun);
  await workers.end();
  if (whole && taken.jobs !== call.jobs) {
    throw new Error(`${taken.jobs} jobs began, ${call.jobs} were there`);
  }
  return { ...taken, did: peer.does(way) + (whole ? "" : "; cut off by the time") };
}

async function steady(script, peer, call) {
  const way = { kind: "batches", size: call.batch, threads: call.workers };
  const why = peer.skips(way);
  if (why !== undefined) {
    return skipped(why);
  }
  const workers = new Workers(script, call.url, way);
  await workers.start();
  const producer = produce(peer, workers);
  if (!(await workers.reach(1, PATIENCE))) {
    throw new Error("no job ever began");
  }
  await sleep(Math.min(WARM_UP_MAX, call.seconds / PARTS) * 1000);
  const [begun, before] = [performance.now(), workers.count()];
  const rates = [];
  let [partBegun, partBefore] = [begun, before];
  for (let part = 0; part < PARTS; part += 1) {
    await sleep((call.seconds / PARTS) * 1000);
    workers.check();
    const [at, count] = [performance.now(), workers.count()];
    rates.push(((count - partBefore) * 1000) / (at - partBegun));
    [partBegun, partBefore] = [at, count];
  }
  const seconds = (partBegun - begun) / 1000;
  producer.stop();
  await producer.ended;
  await workers.end();
  const did = `one client submits ${LOAD_BATCH} a call; ${peer.does(way)}`;
  return { jobs: partBefore - before, seconds, rates, did };
}

// Submits as long as not too many wait, until it is stopped.
function produce(peer, workers) {
  let stopped = false;
  const loop = async () => {
    for (let submitted = 0; !stopped; ) {
      if (submitted - workers.count() < WAITING_MAX) {
        await peer.submitMany(many(LOAD_BATCH));
        submitted += LOAD_BATCH;
      } else {
        await sleep(TICK_MS);
      }
    }
  };
  return {
    ended: loop(),
    stop: () => {
      stopped = true;
    },
  };
}

async function latency(script, peer, call) {
  const total = Math.ceil(call.seconds * call.rate);
  const way = { kind: "prompt", size: 0, threads: 1 };
  const workers = new Workers(script, call.url, way);
  await workers.start();
  const begun = performance.now();
  for (let number = 0; number < total; number += 1) {
    const wait = begun + (number * 1000) / call.rate - performance.now();
    if (wait > 0) {
      await sleep(wait);
    }
    await peer.submit(now());
  }
  const submitted = figures(total, begun);
  if (!(await workers.reach(total, PATIENCE))) {
    throw new Error(`${total - workers.count()} of ${total} jobs never began`);
  }
  const waits = await workers.end();
  // The first tenth warms up connections and plans.
  const warm = waits.slice(Math.floor(waits.length / 10));
  return { ...submitted, latency: latencyOf(warm), did: peer.does(way) };
}

async function claim(_script, peer, call) {
  const times = [];
  const begun = performance.now();
  for (let done = 0; done < call.jobs; done += 1) {
    const time = await peer.timedClaim();
    if (time === undefined) {
      return skipped("no public call claims one job by itself");
    }
    times.push(Math.round(time * 1000));
    // As many are ready at the next claim as at this one.
    await peer.submit(timeless());
  }
  const did = "one claim of one job, which is then finished, unmeasured";
  return { ...figures(call.jobs, begun), latency: latencyOf(times), did };
}

function figures(jobs, begun) {
  return { jobs, seconds: jobs === 0 ? 0 : (performance.now() - begun) / 1000 };
}

function skipped(why) {
  return { jobs: 0, seconds: 0, skipped: why };
}

function microsSince(begun) {
  return Math.round((performance.now() - begun) * 1000);
}

// Percentiles; rounded up, so that few times show their longest.
function latencyOf(times) {
  if (times.length === 0) {
    return null;
  }
  const sorted = times.toSorted((one, other) => one - other);
  const at = (hundredths) => sorted[Math.ceil(((sorted.length - 1) * hundredths) / 100)];
  return { p50_us: at(50), p99_us: at(99) };
}

export const CASES = {
  setup: setUp,
  preload: (_script, peer, call) => submitBatches(peer, call.jobs, LOAD_BATCH),
  submit,
  "submit-batch": (_script, peer, call) => submitBatches(peer, call.jobs, call.batch),
  drain: (script, peer, call) =>
    takeThrough(script, peer, call, { kind: "batches", size: call.batch, threads: call.workers }),
  "drain-one": (script, peer, call) =>
    takeThrough(script, peer, call, { kind: "one_by_one", size: call.workers, threads: 1 }),
  steady,
  latency,
  claim,
};
