/*
 * A running Sluice for stories and benchmarks: the compiled binary (or the source where there is
 * none), started in a folder of its own, spoken to over HTTP only.
 */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is run: the compiled binary where the test command made one, else the source. */
export function command(): readonly string[] {
  const binary = process.env["SLUICE_TEST_BINARY"] ?? "";
  if (binary !== "") return [binary];
  return [process.execPath, join(import.meta.dir, "..", "src", "main.ts")];
}

export const ADMIN_TOKEN = "story-token-0123456789";

export interface Served {
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from the start of the process to the first 200 of /healthz. */
  readonly healthMs: number;
  readonly log: Record<string, unknown>[];
  /** Waits for /readyz to answer 200; milliseconds since the start of the process. */
  ready(timeoutMs?: number): Promise<number>;
  get<Body = Record<string, unknown>>(path: string): Promise<Body>;
  post<Body = Record<string, unknown>>(path: string, body?: unknown): Promise<Body>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  residentBytes(): number;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface ServeOptions {
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it and waits until /healthz answers. */
export async function serve({ args = ["serve"], cwd, env = {} }: ServeOptions): Promise<Served> {
  const begun = performance.now();
  const child = Bun.spawn([...command(), ...args], {
    cwd: cwd ?? mkdtempSync(join(tmpdir(), "sluice-story-")),
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "",
      SLUICE_PORT: "0",
      SLUICE_LOG: "json",
      SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const log: Record<string, unknown>[] = [];
  const listening = Promise.withResolvers<string>();
  void readLog(child.stdout, (line) => {
    log.push(line);
    if (line["event"] === "listening") listening.resolve(String(line["url"]));
  }).then(() => listening.reject(new Error(`It ended: ${JSON.stringify(log.at(-1))}`)));
  const url = await listening.promise;
  await until(async () => (await fetch(`${url}/healthz`)).ok, 10_000, "healthz");
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
    url,
    pid: child.pid,
    healthMs,
    log,
    ready: async (timeoutMs = 120_000) => {
      await until(async () => (await fetch(`${url}/readyz`)).status === 200, timeoutMs, "readyz");
      return performance.now() - begun;
    },
    get: async (path) => bodyOf(await request(path)),
    post: async (path, body = {}) =>
      bodyOf(
        await request(path, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      ),
    fetch: request,
    residentBytes: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) * 1_024,
    stop: async () => {
      child.kill("SIGTERM");
      return child.exited;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function readLog(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: Record<string, unknown>) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("{")) onLine(JSON.parse(line));
  }
}

/** Waits until the condition holds; throws, naming it, when it does not in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: string,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await Promise.resolve(condition()).catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${what}: not so after ${timeoutMs} ms`);
    await Bun.sleep(50);
  }
}
