// Graphile Worker.
//
// What makes it fast is from its own page (https://worker.graphile.org/docs/performance) and its own test
// (`perfTest/graphile.config.js`): a local queue that is filled by one fetch, finished jobs written together, 24 jobs in
// hand a pool.

import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";
import pg from "pg";

const TASK = "no_op";

const CONCURRENT_JOBS = 24;

// How long a local queue that was not filled waits before it asks again, as in its own test.
const REFETCH_MS = 10;

const PROMPT_JOBS = 10;

const logger = new Logger(() => () => {});

export async function connect(url) {
  return new GraphileWorker(url);
}

class GraphileWorker {
  #url;
  #pool;
  #utils;

  constructor(url) {
    this.#url = url;
    this.#pool = new pg.Pool({ connectionString: url });
  }

  async close() {
    await this.#utils?.release();
    await this.#pool.end();
  }

  async setUp() {
    await runMigrations({ preset: this.#preset({}) });
  }

  async submit(payload) {
    const utils = await this.#ready();
    await utils.addJob(TASK, payload);
  }

  async submitMany(payloads) {
    const utils = await this.#ready();
    await utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload })));
  }

  async work(way, began, stop) {
    const runner = await run({
      preset: this.#preset(settings(way)),
      taskList: { [TASK]: async (payload) => began(payload.at) },
      parsedCronItems: [],
      noHandleSignals: true,
    });
    await Promise.race([stop.asked(), runner.promise]);
    await runner.stop();
  }

  async anyUnfinished() {
    const { rows } = await this.#pool.query("select exists (select from graphile_worker.jobs) as any");
    return rows[0].any;
  }

  // Jobs are fetched by the worker alone.
  async timedClaim() {
    return undefined;
  }

  skips() {
    return undefined;
  }

  does(way) {
    const { concurrentJobs, localQueue } = settings(way);
    const queue = localQueue ? `, localQueue.size=${localQueue.size}, completeJobBatchDelay=0` : "";
    return `concurrentJobs=${concurrentJobs}${queue}; deletes what is finished`;
  }

  async #ready() {
    this.#utils ??= await makeWorkerUtils({ preset: this.#preset({}) });
    return this.#utils;
  }

  #preset(worker) {
    return { worker: { connectionString: this.#url, logger, ...worker } };
  }
}

function settings(way) {
  switch (way.kind) {
    case "batches":
      return {
        concurrentJobs: CONCURRENT_JOBS,
        maxPoolSize: CONCURRENT_JOBS + 1,
        localQueue: { size: way.size, refetchDelay: { durationMs: REFETCH_MS } },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      };
    case "one_by_one":
      return { concurrentJobs: way.size, maxPoolSize: way.size + 2 };
    default:
      return { concurrentJobs: PROMPT_JOBS, maxPoolSize: PROMPT_JOBS + 2 };
  }
}
