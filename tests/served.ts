/*
 * A running Sluice for stories and benchmarks: the compiled binary (or the source where there is
 * none), started in a folder of its own, spoken to over HTTP and the command line only.
 */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guarded } from "../scripts/services/process.ts";
import { LONG_MS, until } from "../src/testing.ts";

/** What is run: the compiled binary where the test command made one, else the source. */
export function command(): readonly string[] {
  const binary = process.env["SLUICE_TEST_BINARY"] ?? "";
  if (binary !== "") return [binary];
  return [process.execPath, join(import.meta.dir, "..", "src", "main.ts")];
}

export const ADMIN_TOKEN = "story-token-0123456789";

export interface ServeOptions {
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A process from the moment of its start, whether or not it ever listens. */
export interface Launched {
  readonly pid: number;
  /** When it was started, as `performance.now()` tells it. */
  readonly begun: number;
  /** Its log so far, a line each. */
  readonly log: Record<string, unknown>[];
  /** What it wrote to standard error so far. */
  errors(): string;
  /** Resolves with its address when it says that it listens; rejects when it ends before. */
  readonly listening: Promise<string>;
  readonly exited: Promise<number>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface Served extends Launched {
  readonly url: string;
  /** Milliseconds from the start of the process to the first 200 of /healthz. */
  readonly healthMs: number;
  /** Waits for /readyz to answer 200; milliseconds since the start of the process. */
  ready(timeoutMs?: number): Promise<number>;
  /** The body of an answer of the 200s; throws with the body of any other. */
  get<Body = Record<string, unknown>>(path: string): Promise<Body>;
  post<Body = Record<string, unknown>>(path: string, body?: unknown): Promise<Body>;
  /** With the administrator's token, which `init.headers` may replace. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  residentBytes(): number;
}

const alive = new Set<Launched>();

/** Kills whatever was started here and still runs; for the end of a test that failed half-way. */
export async function endAll(): Promise<void> {
  await Promise.all([...alive].map((each) => each.kill()));
}

/** Starts it and returns at once. */
export function launch({ args = ["serve"], cwd, env = {} }: ServeOptions): Launched {
  const begun = performance.now();
  const child = spawn(args, cwd, env);
  const log: Record<string, unknown>[] = [];
  let errors = "";
  const { promise: listening, resolve, reject } = Promise.withResolvers<string>();
  const read = eachLine(child.stdout, (line) => {
    if (!line.startsWith("{")) return;
    const entry = JSON.parse(line) as Record<string, unknown>;
    log.push(entry);
    if (entry["event"] === "listening") resolve(String(entry["url"]));
  });
  const readErrors = eachLine(child.stderr, (line) => {
    errors += `${line}\n`;
  });
  const exited = Promise.all([child.exited, read, readErrors]).then(([code]) => {
    alive.delete(launched);
    reject(new Error(`It ended (${code}): ${JSON.stringify(log.at(-1))} ${errors}`));
    return code;
  });
  // Whoever does not wait for it need not handle its end.
  listening.catch(() => {});
  const end = (signal: "SIGTERM" | "SIGKILL") => {
    child.kill(signal);
    return exited;
  };
  const launched: Launched = {
    ...{ pid: child.pid, begun, log, listening, exited },
    errors: () => errors,
    stop: () => end("SIGTERM"),
    kill: async () => void (await end("SIGKILL")),
  };
  alive.add(launched);
  return launched;
}

/** Starts it and waits until /healthz answers. */
export async function serve(options: ServeOptions): Promise<Served> {
  return served(launch(options));
}

/** A started process, once /healthz answers. */
export async function served(launched: Launched): Promise<Served> {
  const { begun, pid } = launched;
  const url = await launched.listening;
  await until(async () => (await fetch(`${url}/healthz`)).ok, LONG_MS, "healthz");
  const healthMs = performance.now() - begun;

  const request = (path: string, init: RequestInit = {}) =>
    fetch(url + path, {
      ...init,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...init.headers },
    });
  const bodyOf = async (answer: Response) => {
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${answer.url}: ${text}`);
    return JSON.parse(text);
  };
  return {
    ...launched,
    url,
    healthMs,
    ready: async (timeoutMs = 240_000) => {
      await until(async () => (await fetch(`${url}/readyz`)).status === 200, timeoutMs, "readyz");
      return performance.now() - begun;
    },
    get: async (path) => bodyOf(await request(path)),
    post: async (path, body = {}) => bodyOf(await request(path, asJson(body))),
    fetch: request,
    residentBytes: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024,
  };
}

/** A POST of a JSON body. */
export const asJson = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

/** Runs a command to its end. */
export async function run({ args = [], cwd, env = {} }: ServeOptions): Promise<Finished> {
  const child = spawn(args, cwd, env);
  const [code, out, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, out, errors };
}

/** The process, which the kernel ends when this one dies. */
function spawn(
  args: readonly string[],
  cwd: string | undefined,
  env: Readonly<Record<string, string>>,
) {
  return Bun.spawn(guarded([...command(), ...args], "SIGKILL"), {
    cwd: cwd ?? mkdtempSync(join(tmpdir(), "sluice-story-")),
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "",
      SLUICE_PORT: "0",
      SLUICE_LOG: "json",
      SLUICE_DRAIN: "0",
      SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function eachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}
