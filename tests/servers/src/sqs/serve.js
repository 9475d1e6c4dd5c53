// SQS on loopback: the package local-aws-sqs, mended where it does otherwise than AWS in what Remuda uses. Run as: PACKAGE PORT QUEUES,
// the folder of the package and a file from which the queues are made again (not their messages) when the server is started again.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const { Readable } = require("node:stream");

const [, , folder, port, memory] = process.argv;
const { createRequestHandler } = require(folder);

const HOST = "127.0.0.1";

// What a queue is made with; the rest of its attributes follows or counts.
const SETTINGS = [
  "DelaySeconds",
  "MaximumMessageSize",
  "MessageRetentionPeriod",
  "ReceiveMessageWaitTimeSeconds",
  "RedrivePolicy",
  "VisibilityTimeout",
];

// The operations after which the queues may be others.
const CHANGES = ["CreateQueue", "DeleteQueue", "SetQueueAttributes"];

// Longer than clients keep a connection that they may use again: one closed under their hands looks like an outage.
const IDLE_MS_MAX = 3_600_000;

mend(queueClass());
const { service, requestHandler } = createRequestHandler({
  hostname: HOST,
  port: Number(port),
  region: "us-east-1",
  // A queue may have been made before the one that takes its dead letters.
  validateDlqDestination: false,
  queues: remembered(),
});
service.validateDlqDestination = true;

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => response.destroy(error));
});
server.keepAliveTimeout = IDLE_MS_MAX;
server.on("error", (error) => {
  console.error(`sqs: cannot listen: ${error.message}`);
  process.exit(1);
});
server.listen(Number(port), HOST, () => console.log("sqs: ready"));

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.from(translated(Buffer.concat(chunks).toString()));
  const operation = (request.headers["x-amz-target"] ?? "").split(".").pop();
  if (CHANGES.includes(operation)) beforeItEnds(response, remember);
  const readable = Object.assign(Readable.from([body]), { headers: request.headers });
  await requestHandler(readable, response);
}

// What was acknowledged is remembered: the server may be killed as soon as its answer is out.
function beforeItEnds(response, act) {
  const end = response.end;
  response.end = (...last) => {
    act();
    return end.apply(response, last);
  };
}

// The package knows a message's own attributes by the name that clients gave them until 2024.
function translated(body) {
  try {
    const { MessageSystemAttributeNames: names, ...input } = JSON.parse(body);
    return JSON.stringify(names ? { ...input, AttributeNames: [...(input.AttributeNames ?? []), ...names] } : input);
  } catch {
    return body;
  }
}

function mend(Queue) {
  const { receive, getAttributes } = Queue.prototype;

  // The package waits the whole time out when fewer messages are there than asked for; AWS answers as soon as any is.
  Queue.prototype.receive = async function ({ WaitTimeSeconds, ...input }) {
    const until = Date.now() + 1000 * (WaitTimeSeconds ?? this.ReceiveMessageWaitTimeSeconds);
    for (;;) {
      const messages = await receive.call(this, { ...input, WaitTimeSeconds: 0 });
      if (messages.length > 0 || Date.now() >= until) return messages;
    }
  };

  // The package counts messages in flight among those that can be received.
  Queue.prototype.getAttributes = function (names) {
    const attributes = getAttributes.call(this, names);
    if (attributes?.ApproximateNumberOfMessages) {
      const all = getAttributes.call(this, ["All"]);
      const visible = all.ApproximateNumberOfMessages - all.ApproximateNumberOfMessagesNotVisible;
      attributes.ApproximateNumberOfMessages = String(visible);
    }
    return attributes;
  };
}

// The package does not export the class of its queues, so one is made to ask.
function queueClass() {
  return createRequestHandler({ port: 0, queues: [{ QueueName: "any" }] }).service.Queues[0].constructor;
}

function remembered() {
  return fs.existsSync(memory) ? JSON.parse(fs.readFileSync(memory)) : [];
}

function remember() {
  const queues = service.Queues.filter((it) => !service.deletingQueues.has(it.QueueName));
  const settings = (queue) => {
    const attributes = Object.entries(queue.getAttributes(["All"]));
    return Object.fromEntries(attributes.filter(([name]) => SETTINGS.includes(name)));
  };
  const written = queues.map((it) => ({ QueueName: it.QueueName, Attributes: settings(it) }));
  // By way of another file, so that there is always a whole one.
  fs.writeFileSync(`${memory}.new`, JSON.stringify(written));
  fs.renameSync(`${memory}.new`, memory);
}
