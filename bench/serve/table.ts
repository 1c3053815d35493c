/*
 * What was measured, as the tables of bench/README.md.
 */
import type { Line, Measured } from "./measure.ts";

const ms = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0));
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

/** The middle one. */
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** A table of Markdown; the first column to the left, the others as they are. */
export const markdown = (rows: readonly (readonly string[])[]): string =>
  rows
    .map((row) => `| ${row.join(" | ")} |`)
    .toSpliced(1, 0, `|${"---|".repeat(rows[0]?.length ?? 0)}`)
    .join("\n");

/** Requests a second and times of one kind of request, a line a server. */
export function loadTable(
  all: readonly Measured[],
  of: (one: Measured) => readonly Line[],
): string {
  const connections = of(all[0]!).map((line) => line.connections);
  const head = [
    "server",
    ...connections.map((n) => `req/s, ${n} conn.`),
    ...connections.map((n) => `p50, p99 in ms, ${n}`),
    "CPU, µs a request",
    "failed",
  ];
  const rows = all.map((one) => {
    const lines = of(one);
    return [
      one.title,
      ...lines.map(({ perSecond }) => perSecond.toFixed(0)),
      ...lines.map(({ p50, p99 }) => `${ms(p50)}, ${ms(p99)}`),
      (lines.at(-1)?.cpuUs ?? Number.NaN).toFixed(0),
      String(lines.reduce((sum, { failed }) => sum + failed, 0)),
    ];
  });
  return markdown([head, ...rows]);
}

/** What else was measured of each server. */
export function otherTable(all: readonly Measured[]): string {
  const head = [
    ...["server", "cold start, ms", "memory, MB"],
    ...["half of peak, req/s", "p50, p99, longest in ms", "failed"],
  ];
  const rows = all.map(({ title, coldMs, residentBytes, half }) => [
    title,
    median(coldMs).toFixed(0),
    megabytes(residentBytes),
    half.rate.toFixed(0),
    `${ms(half.p50)}, ${ms(half.p99)}, ${ms(half.longest)}`,
    String(half.failed),
  ]);
  return markdown([head, ...rows]);
}

/** What was wanted of the program, and what came of it. */
export function wantedTable(all: ReadonlyMap<string, Measured>, store: string): string {
  const rows: string[][] = [["what", "measured", "wanted", ""]];
  const ours = all.get("sluice");
  if (ours === undefined) return "";
  const at = (name: string, connections: number) =>
    all.get(name)?.one.find((line) => line.connections === connections)?.perSecond;
  const note = (what: string, said: string, wanted: string, holds: boolean) =>
    rows.push([what, said, wanted, holds ? "yes" : "**no**"]);
  const compare = (what: string, mine?: number, theirs?: number, least = 0, share = false) => {
    if (mine === undefined || theirs === undefined) return;
    const times = mine / theirs;
    const shown = (x: number) => (share ? `${(100 * x).toFixed(0)} %` : `${x.toFixed(1)} x`);
    note(what, shown(times), `>= ${shown(least)}`, times >= least);
  };
  const own = at("sluice", 64);
  compare("single rows a second at 64 connections, of FastAPI", own, at("fastapi", 64), 15);
  compare("the same, of MLServer", own, at("mlserver", 64), 20);
  compare("the same by V2, of MLServer", at("sluice-v2", 64), at("mlserver", 64), 20);
  compare("the same, of Bun.serve that echoes", own, at("echo", 64), 0.7, true);
  const { half } = ours;
  note(
    `p99 at half of peak (${half.rate.toFixed(0)} req/s)`,
    `${ms(half.p99)} ms`,
    "< 5 ms",
    half.p99 < 5,
  );
  const cold = median(ours.coldMs);
  const spread = `${Math.min(...ours.coldMs).toFixed(0)} to ${Math.max(...ours.coldMs).toFixed(0)}`;
  note(
    `cold start to the first right answer, ${store}`,
    `${cold.toFixed(0)} ms (${spread})`,
    "< 400 ms with Postgres",
    cold < 400,
  );
  const [one, hundred] = [ours.one[0], ours.hundred[0]];
  if (one !== undefined && hundred !== undefined) {
    const times = hundred.p50 / one.p50;
    note(
      `time of 100 rows, of 1 row (p50, ${one.connections} connection)`,
      `${times.toFixed(2)} x`,
      "<= 3 x",
      times <= 3,
    );
  }
  const failed = failedOf([...all.values()]);
  note("failed requests, all servers", String(failed), "0", failed === 0);
  return markdown(rows);
}

/** Requests of all measurements that were not answered with success. */
export const failedOf = (all: readonly Measured[]): number =>
  all.reduce(
    (sum, { one, hundred, half }) =>
      sum + half.failed + [...one, ...hundred].reduce((n, line) => n + line.failed, 0),
    0,
  );
