/*
 * An open loop: a request is sent when it is due, over connections that stay open, and its time
 * counts from that moment, also while it waits for a free connection. The clock of the loop ticks
 * each millisecond, so that half a millisecond of a time is its own.
 */
import { TOLERANCE } from "./answers.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { Answers, Pace, Paced, Told } from "./pace.ts";
import { makeTimes } from "./times.ts";

/** How long a version that is champion no more may still answer what was sent since, ms. */
const GRACE_MS = 1_000;
/** Requests that may wait for a connection, in seconds of the rate. */
const WAIT_SECONDS = 5;
const END_MS = 10_000;
/** At the same rate and with the same checks, but no time of it counts: nothing is compiled yet. */
const WARM_SECONDS = 1;
const FAULTS_TOLD = 10;

interface Due {
  readonly at: number;
  readonly body: number;
}

/** Which versions may answer, and which could until when. */
const allowed = new Map<number, { until: number }>();
let onPace: ((pace: Pace) => void) | null = null;
const given = new Promise<Pace>((resolve) => {
  onPace = resolve;
});

process.on("message", (message: Pace | Told) => {
  if ("url" in message) {
    for (const { version } of message.versions ?? []) {
      allowed.set(version, { until: Number.POSITIVE_INFINITY });
    }
    return onPace?.(message);
  }
  const until = performance.now() + GRACE_MS;
  for (const [version, each] of allowed) {
    if (message.champions.includes(version)) each.until = Number.POSITIVE_INFINITY;
    else each.until = Math.min(each.until, until);
  }
});

const paced = await pacing(await given);
process.send?.({ final: true, paced });
process.disconnect?.();

async function pacing(pace: Pace): Promise<Paced> {
  const { rate, seconds, connections, versions } = pace;
  const url = new URL(pace.url);
  const requests = pace.bodies.map((body) => requestOf(url, body));
  const times = makeTimes();
  const counts = { sent: 0, answered: 0, failed: 0, wrong: 0 };
  const faults: string[] = [];
  const byVersion: Record<string, number> = {};
  const waiting: Due[] = [];
  let first = 0;
  let counted = 0;
  const fail = (kind: "failed" | "wrong", what: string) => {
    counts[kind]++;
    if (faults.length < FAULTS_TOLD) faults.push(what);
  };
  const so = (): Paced => ({ rate, ...counts, faults, ...times.told(), byVersion });

  const free: Connection[] = [];
  const send = (due: Due) => {
    // The one that rested longest: all stay open, as those of many clients would.
    const connection = free.shift();
    if (connection === undefined) {
      if (waiting.length - first < rate * WAIT_SECONDS) waiting.push(due);
      else fail("failed", "no connection was free in time");
      return;
    }
    const sent = performance.now();
    counts.sent++;
    connection.ask(requests[due.body]!, (answer) => {
      free.push(connection);
      counts.answered++;
      if (due.at >= counted) times.add(performance.now() - due.at);
      if (typeof answer === "string") fail("failed", answer);
      else if (versions !== undefined) {
        const fault = faultOf(answer, due, sent, versions, byVersion);
        if (fault !== null) fail("wrong", fault);
      }
      const next = waiting[first];
      if (next === undefined) return;
      first++;
      if (first === waiting.length) first = waiting.length = 0;
      send(next);
    });
  };
  free.push(...(await Promise.all(Array.from({ length: connections }, () => openConnection(url)))));

  const begun = performance.now();
  const due = Math.floor(rate * (WARM_SECONDS + seconds));
  counted = begun + WARM_SECONDS * 1_000;
  let told = begun;
  for (let n = 0; n < due; ) {
    const now = performance.now();
    for (let at = begun + (n * 1_000) / rate; at <= now && n < due; ) {
      send({ at, body: n % requests.length });
      n++;
      at = begun + (n * 1_000) / rate;
    }
    if (now - told > 1_000) {
      told = now;
      process.send?.({ final: false, paced: so() });
    }
    await Bun.sleep(1);
  }
  const deadline = performance.now() + END_MS;
  while (free.length < connections && performance.now() < deadline) await Bun.sleep(5);
  const open = connections - free.length;
  for (let i = 0; i < open; i++) fail("failed", `no answer within ${END_MS} ms of the end`);
  for (const connection of free) connection.end();
  return so();
}

function requestOf(url: URL, body: string): Buffer {
  const bytes = Buffer.from(body);
  const head =
    `POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

interface Predicted {
  readonly model: { readonly version: number; readonly digest: string };
  readonly predictions: readonly { readonly probability: number }[];
}

/** What is wrong with an answer, or null: the version it names must be one, and must say that. */
function faultOf(
  answer: Buffer,
  { body }: Due,
  sent: number,
  versions: readonly Answers[],
  byVersion: Record<string, number>,
): string | null {
  const { model, predictions } = JSON.parse(answer.toString()) as Predicted;
  byVersion[model.version] = (byVersion[model.version] ?? 0) + 1;
  const own = versions.find(({ version }) => version === model.version);
  if (own?.digest !== model.digest) return `version ${model.version} with ${model.digest}`;
  const [said, expected] = [predictions[0]?.probability, own.probabilities[body]];
  const differs = !(Math.abs((said ?? Number.NaN) - (expected ?? Number.NaN)) <= TOLERANCE);
  if (predictions.length !== 1 || differs) {
    return `version ${model.version} said ${said} of row ${body}, its own is ${expected}`;
  }
  const late = sent - (allowed.get(model.version)?.until ?? 0);
  return late > 0
    ? `version ${model.version} answered ${late + GRACE_MS} ms after it was champion`
    : null;
}
