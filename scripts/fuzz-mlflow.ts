/*
 * `bun scripts/fuzz-mlflow.ts [--requests 20000] [--seed 1]`: the binary against requests of
 * MLflow's protocol that are made up from what its calls take, sent over sockets as they are: nothing
 * normalises an address on the way. No answer may be a 500. On the servers that SLUICE_TEST_* name,
 * where they do, and embedded.
 */
import { parseArgs } from "node:util";
import {
  faultIn,
  type Known,
  type MadeUp,
  makeMadeUp,
  prepare,
} from "../src/http/mlflow/fixture.ts";
import { openOutside } from "../tests/outside.ts";
import { ADMIN_TOKEN, type Served } from "../tests/served.ts";
import { hasServices, openStores, type StoreName } from "../tests/stores.ts";

const root = new URL("..", import.meta.url).pathname;
const { values: options } = parseArgs({
  options: {
    binary: { type: "string", default: `${root}dist/sluice` },
    requests: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
  },
});
const REQUESTS = Number(options.requests);
process.env["SLUICE_TEST_BINARY"] = options.binary;

let failed = false;
for (const store of hasServices ? (["embedded", "services"] as const) : (["embedded"] as const)) {
  failed = (await fuzz(store)) || failed;
}
process.exitCode = failed ? 1 : 0;

/** Whether anything was wrong. */
async function fuzz(store: StoreName): Promise<boolean> {
  const story = openOutside(await openStores(store));
  try {
    const app = await story.start();
    const known: Known = { experiment: "0", run: "none", logged: "none" };
    const post = (path: string, body: object) => app.post(`/api/2.0/mlflow/${path}`, body);
    const make = makeMadeUp(Number(options.seed), known);
    const statuses = new Map<string, number>();
    const faults = new Map<string, string>();
    const begun = performance.now();
    for (let i = 0; i < REQUESTS; i++) {
      if (i % 100 === 0) await prepare(post, i, known);
      const request = make();
      const { status, text } = await send(app, request);
      const group = `${request.spoilt} ${status}`;
      statuses.set(group, (statuses.get(group) ?? 0) + 1);
      const fault = status === 0 ? "no answer" : faultIn(request, status, text);
      if (fault === null) continue;
      const { call, spoilt, method, path, body } = request;
      const sent = Buffer.from(body ?? "")
        .toString()
        .slice(0, 600);
      const told = `${fault}: ${i}: ${method} ${path.slice(0, 600)} ${sent}: ${text.slice(0, 600)}`;
      faults.set(`${call} ${spoilt} ${status}`, told);
    }
    const seconds = ((performance.now() - begun) / 1_000).toFixed(0);
    console.log(`${REQUESTS} requests on ${store} in ${seconds} s, seed ${options.seed}`);
    tell(statuses);
    for (const fault of faults.values()) console.log(fault);
    const crashed = app.log.filter(({ event }) => event === "request_failed");
    for (const line of crashed.slice(0, 20)) console.log(JSON.stringify(line));
    const code = await app.stop();
    console.log(`${faults.size} kinds of faults, ${crashed.length} crashed, exit code ${code}`);
    return faults.size > 0 || crashed.length > 0 || code !== 0;
  } finally {
    await story.close();
  }
}

/** How often each status came, by what was spoilt. */
function tell(statuses: ReadonlyMap<string, number>): void {
  const kinds = new Map<string, string[]>();
  const sums = new Map<string, number>();
  for (const [group, many] of [...statuses].sort()) {
    const [spoilt = "", status = ""] = group.split(" ");
    kinds.set(spoilt, [...(kinds.get(spoilt) ?? []), `${status}: ${many}`]);
    sums.set(status, (sums.get(status) ?? 0) + many);
  }
  const all = [...sums].sort().map(([status, many]) => `${status}: ${many}`);
  console.log(`  all      ${all.join(", ")}`);
  for (const [spoilt, told] of kinds) console.log(`  ${spoilt.padEnd(8)} ${told.join(", ")}`);
}

/** One request over a connection of its own; status 0 where no answer came. */
async function send(app: Served, request: MadeUp): Promise<{ status: number; text: string }> {
  const { method, path, headers, body } = request;
  const { hostname, port } = new URL(app.url);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${ADMIN_TOKEN}`,
    "connection: close",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === null ? [] : [`content-length: ${body.length}`]),
  ];
  const bytes = Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body ?? Buffer.of()]);
  const answer = await exchange(hostname, Number(port), bytes);
  const text = answer.toString("latin1");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
  return { status, text: text.slice(text.indexOf("\r\n\r\n") + 4) };
}

/** What comes for the bytes until the other side ends, 30 s at most. */
function exchange(hostname: string, port: number, bytes: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const got: Buffer[] = [];
  let rest = bytes;
  const write = (socket: { write(bytes: Buffer): number }) => {
    rest = rest.subarray(Math.max(0, socket.write(rest)));
  };
  const timer = setTimeout(() => resolve(Buffer.concat(got)), 30_000);
  Bun.connect({
    ...{ hostname, port },
    socket: {
      open: write,
      drain: (socket) => {
        if (rest.length > 0) write(socket);
      },
      data: (_, chunk) => void got.push(Buffer.from(chunk)),
      close: () => resolve(Buffer.concat(got)),
      error: () => resolve(Buffer.concat(got)),
    },
  }).catch(reject);
  return promise.finally(() => clearTimeout(timer));
}
