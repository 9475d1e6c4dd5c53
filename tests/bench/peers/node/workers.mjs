// Workers in threads of their own: one event loop uses one core.

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

// How often what nothing tells of is looked at, in milliseconds.
export const TICK_MS = 2;

// Places in what the threads share. Each thread counts in a place of its own after these.
export const GO = 0;
export const STOP = 1;
export const BEGUN = 2;

export class Workers {
  // `way` says how work is to be done: `kind` is `batches`, `one_by_one` or `prompt`, `size` is how many jobs a batch
  // holds, or how many are in hand at a time.
  constructor(script, url, way) {
    this.shared = new Int32Array(new SharedArrayBuffer(4 * (BEGUN + way.threads)));
    this.failure = undefined;
    const data = (place) => ({ script, url, way, place, shared: this.shared });
    this.threads = Array.from(
      { length: way.threads },
      (_, place) => new Worker(new URL("./worker.mjs", import.meta.url), { workerData: data(place) }),
    );
    for (const thread of this.threads) {
      thread.on("error", (error) => {
        this.failure ??= error;
      });
    }
  }

  // Returns once all are connected and have begun to work.
  async start() {
    await Promise.all(this.threads.map((thread) => once(thread, "message")));
    Atomics.store(this.shared, GO, 1);
    Atomics.notify(this.shared, GO);
  }

  // How many jobs have begun.
  count() {
    let count = 0;
    for (let place = 0; place < this.threads.length; place += 1) {
      count += Atomics.load(this.shared, BEGUN + place);
    }
    return count;
  }

  // Throws what a thread has thrown.
  check() {
    if (this.failure !== undefined) {
      throw this.failure;
    }
  }

  // Waits until so many jobs have begun, or the time is over.
  async reach(wanted, seconds) {
    const end = performance.now() + seconds * 1000;
    while (this.count() < wanted) {
      this.check();
      if (performance.now() >= end) {
        return false;
      }
      await sleep(TICK_MS);
    }
    return true;
  }

  // Stops all and gives how long jobs waited that told when they were submitted, in microseconds.
  async end() {
    const waits = this.threads.map((thread) => once(thread, "message"));
    Atomics.store(this.shared, STOP, 1);
    const ended = await Promise.all(waits);
    return ended.flatMap(([it]) => it);
  }
}
