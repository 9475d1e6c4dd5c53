// Drives one of the queues that are written in JavaScript: does one case, prints one line of JSON.
//
// It is called like every other driver of the benchmark; see `bench-driver` for the cases and for what the line holds.

import { parseArgs } from "node:util";

import { CASES } from "./cases.mjs";

const PEERS = {
  "graphile-worker": "./graphile.mjs",
  "pg-boss": "./pgboss.mjs",
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    case: { type: "string" },
    url: { type: "string" },
    jobs: { type: "string", default: "1000" },
    batch: { type: "string", default: "100" },
    workers: { type: "string", default: "1" },
    seconds: { type: "string", default: "20" },
    rate: { type: "string", default: "200" },
  },
});
const script = PEERS[positionals[0]];
const run = CASES[values.case];
if (script === undefined || run === undefined || values.url === undefined) {
  throw new Error(`usage: driver.mjs ${Object.keys(PEERS).join("|")} --case ${Object.keys(CASES).join("|")} --url URL`);
}
const call = {
  url: values.url,
  jobs: Number(values.jobs),
  batch: Number(values.batch),
  workers: Number(values.workers),
  seconds: Number(values.seconds),
  rate: Number(values.rate),
};

const { connect } = await import(script);
const peer = await connect(call.url);
const figures = await run(script, peer, call);
await peer.close();
console.log(JSON.stringify(figures));
