/*
 * Load by wrk: so many connections, each of which asks again as soon as it is answered.
 */
import { join } from "node:path";

export interface Load {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers that were no 2xx or 3xx, and connections that failed. */
  readonly failed: number;
  readonly requests: number;
}

/** Where wrk is, or an error that says how to get it. */
export function findWrk(): string {
  const wrk = Bun.which("wrk");
  if (wrk !== null) return wrk;
  throw new Error("wrk is not installed: `apt-get install wrk`, or https://github.com/wg/wrk.");
}

/** Posts the body of a file for some seconds; one thread of wrk, which is far from its limit. */
export async function loadBy(
  url: string,
  body: string,
  connections: number,
  seconds: number,
): Promise<Load> {
  const script = join(import.meta.dir, "wrk.lua");
  const flags = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script];
  const child = Bun.spawn([findWrk(), ...flags, url, "--", body], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [said, complained, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const line = said.split("\n").find((text) => text.startsWith("{"));
  if (code !== 0 || line === undefined) throw new Error(`wrk failed: ${said}${complained}`);
  const { requests, us, p50, p99, failed } = JSON.parse(line) as Record<string, number>;
  if (!requests || !us) throw new Error(`wrk got no answer from ${url}.`);
  return {
    perSecond: (requests * 1e6) / us,
    p50: (p50 ?? 0) / 1_000,
    p99: (p99 ?? 0) / 1_000,
    failed: failed ?? 0,
    requests,
  };
}
