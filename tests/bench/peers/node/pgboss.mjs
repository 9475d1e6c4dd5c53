// pg-boss.
//
// What makes it fast is from its own pages: `insert()` for many jobs (docs/api/jobs.md), `fetch()` in batches with
// `orderByCreatedOn` and `priority` off, "for improved performance when order doesn't matter" (same page), `complete()`
// with all ids, and LISTEN/NOTIFY where a job is to start at once (docs/api/workers.md). `work()` polls each half second
// at the most, so that jobs are drained by `fetch()`.

import { setTimeout as sleep } from "node:timers/promises";

import { PgBoss } from "pg-boss";

import { TIMELESS } from "./payload.mjs";
import { TICK_MS } from "./workers.mjs";

const QUEUE = "bench";

// A queue that notifies: what it costs is paid only where it is of use.
const PROMPT_QUEUE = "bench-prompt";

const PROMPT_BATCH = 10;

const UNORDERED = { orderByCreatedOn: false, priority: false };

const CONNECTIONS_MAX = 12;

// With `works`, an instance beside the one that looks after the queue.
export async function connect(url, { works = false } = {}) {
  const boss = new PgBoss({
    connectionString: url,
    max: CONNECTIONS_MAX,
    supervise: !works,
    schedule: false,
    useListenNotify: works,
  });
  boss.on("error", (error) => {
    throw error;
  });
  return new Boss(await boss.start());
}

class Boss {
  #boss;

  constructor(boss) {
    this.#boss = boss;
  }

  async close() {
    await this.#boss.stop({ graceful: true, close: true });
  }

  async setUp() {
    await this.#boss.createQueue(QUEUE);
    await this.#boss.createQueue(PROMPT_QUEUE, { notify: true });
  }

  async submit(payload) {
    await this.#boss.send(payload.at === TIMELESS ? QUEUE : PROMPT_QUEUE, payload);
  }

  async submitMany(payloads) {
    await this.#boss.insert(
      QUEUE,
      payloads.map((data) => ({ data })),
    );
  }

  async work(way, began, stop) {
    if (way.kind === "prompt") {
      await this.#workPromptly(began, stop);
      return;
    }
    const [loops, batchSize] = way.kind === "batches" ? [1, way.size] : [way.size, 1];
    await Promise.all(Array.from({ length: loops }, () => this.#loop(batchSize, began, stop)));
  }

  async anyUnfinished() {
    const { rows } = await this.#boss
      .getDb()
      .executeSql("select exists (select from pgboss.job where state < 'completed') as any");
    return rows[0].any;
  }

  async timedClaim() {
    const begun = performance.now();
    const jobs = await this.#boss.fetch(QUEUE, { batchSize: 1, ...UNORDERED });
    const time = performance.now() - begun;
    if (jobs.length !== 1) {
      throw new Error(`a claim gave ${jobs.length} jobs`);
    }
    await this.#boss.complete(QUEUE, jobs[0].id);
    return time;
  }

  skips() {
    return undefined;
  }

  does(way) {
    switch (way.kind) {
      case "batches":
        return `fetch() of ${way.size} and complete() of all, order off; unfenced`;
      case "one_by_one":
        return `${way.size} loops of fetch() and complete(), order off; unfenced`;
      default:
        return "work(), woken by NOTIFY; unfenced";
    }
  }

  async #loop(batchSize, began, stop) {
    while (!stop.isAsked()) {
      const jobs = await this.#boss.fetch(QUEUE, { batchSize, ...UNORDERED });
      if (jobs.length === 0) {
        await sleep(TICK_MS);
        continue;
      }
      for (const job of jobs) {
        began(job.data.at);
      }
      await this.#boss.complete(
        QUEUE,
        jobs.map((job) => job.id),
      );
    }
  }

  async #workPromptly(began, stop) {
    const options = { batchSize: PROMPT_BATCH, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5, ...UNORDERED };
    await this.#boss.work(PROMPT_QUEUE, options, async (jobs) => {
      for (const job of jobs) {
        began(job.data.at);
      }
    });
    await stop.asked();
    await this.#boss.offWork(PROMPT_QUEUE);
  }
}
