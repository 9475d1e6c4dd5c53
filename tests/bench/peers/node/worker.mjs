// What each thread runs.

import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

import { TIMELESS, nowUs } from "./payload.mjs";
import { BEGUN, GO, STOP, TICK_MS } from "./workers.mjs";

const { script, url, way, place, shared } = workerData;
const waits = [];

function began(at) {
  if (at !== TIMELESS) {
    waits.push(Math.max(0, nowUs() - at));
  }
  Atomics.add(shared, BEGUN + place, 1);
}

const stop = {
  isAsked: () => Atomics.load(shared, STOP) === 1,
  async asked() {
    while (!this.isAsked()) {
      await sleep(10 * TICK_MS);
    }
  },
};

const { connect } = await import(script);
const peer = await connect(url, { works: true });
parentPort.postMessage("ready");
Atomics.wait(shared, GO, 0);
await peer.work(way, began, stop);
await peer.close();
parentPort.postMessage(waits);
