/*
 * What was measured, as the tables of bench/README.md.
 */
import { markdown } from "../serve/table.ts";
import type { FileTimes } from "./files.ts";
import type { Load } from "./load.ts";
import type { TimedSearch } from "./search.ts";
import type { Starts } from "./starts.ts";
import type { Write } from "./writes.ts";

/** One figure of both sides; theirs is null where there is no `mlflow server`. */
export interface Pair<T> {
  readonly ours: T;
  readonly theirs: T | null;
}

export type WriteFigures = Pair<Load & { readonly cpuUs: number }> & {
  readonly write: Write;
  readonly connections: number;
};

export type SearchFigures = Pair<TimedSearch> & { readonly runs: number; readonly search: string };

export interface Figures {
  readonly writes: readonly WriteFigures[];
  readonly searches: readonly SearchFigures[];
  readonly histories: readonly (Pair<number> & { readonly points: number })[];
  readonly files: readonly { readonly title: string; readonly times: FileTimes }[];
  readonly starts: readonly Starts[];
}

const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)}`;
const rate = (value: number) => value.toFixed(value < 100 ? 1 : 0);
const times = (value: number) => (Number.isNaN(value) ? NONE : `${value.toFixed(1)} x`);
const speed = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB/s`;
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
const NONE = "-";

/** How many times as much ours is, or theirs where less is better. */
const ratio = <T>({ ours, theirs }: Pair<T>, of: (value: T) => number, less = false): number =>
  theirs === null ? Number.NaN : less ? of(theirs) / of(ours) : of(ours) / of(theirs);

const shown = <T>(value: T | null, text: (value: T) => string) =>
  value === null ? NONE : text(value);

export function writeTable(all: readonly WriteFigures[]): string {
  const head = ["call", "connections", "Sluice, req/s", "mlflow server, req/s", "of its"];
  head.push("p50, p99 in ms", "its p50, p99", "CPU, µs a request", "its CPU", "failed, its");
  const quantiles = ({ p50, p99 }: Load) => `${ms(p50)}, ${ms(p99)}`;
  const rows = all.map((pair) => [
    ...[pair.write, `${pair.connections}`],
    rate(pair.ours.perSecond),
    shown(pair.theirs, ({ perSecond }) => rate(perSecond)),
    times(ratio(pair, ({ perSecond }) => perSecond)),
    quantiles(pair.ours),
    shown(pair.theirs, quantiles),
    pair.ours.cpuUs.toFixed(0),
    shown(pair.theirs, ({ cpuUs }) => cpuUs.toFixed(0)),
    `${pair.ours.failed}, ${shown(pair.theirs, ({ failed }) => `${failed}`)}`,
  ]);
  return markdown([head, ...rows]);
}

export function searchTable(all: readonly SearchFigures[]): string {
  const head = ["runs", "search", "found", "Sluice, ms", "mlflow server, ms", "faster by"];
  const rows = all.map((pair) => [
    ...[pair.runs.toLocaleString("en"), pair.search, `${pair.ours.found}`, ms(pair.ours.ms)],
    shown(pair.theirs, (theirs) => ms(theirs.ms)),
    times(ratio(pair, (one) => one.ms, true)),
  ]);
  return markdown([head, ...rows]);
}

export function historyTable(all: Figures["histories"]): string {
  const head = ["what", "Sluice, ms", "mlflow server, ms", "faster by"];
  const rows = all.map((pair) => [
    ...[`history of ${pair.points.toLocaleString("en")} points`, ms(pair.ours)],
    shown(pair.theirs, ms),
    times(ratio(pair, (one) => one, true)),
  ]);
  return markdown([head, ...rows]);
}

export function fileTable(all: Figures["files"]): string {
  const head = ["server", "up", "down", "CPU of the server for both, ms"];
  const rows = all.map(({ title, times: { up, down, cpuMs } }) => [
    ...[title, speed(up), speed(down), cpuMs.toFixed(0)],
  ]);
  return markdown([head, ...rows]);
}

export function startTable(all: readonly Starts[]): string {
  const head = ["server", "first start, ms", "its CPU, ms", "start again, ms"];
  head.push("memory when idle, MB", "shared pages once, MB");
  const rows = all.map((one) => [
    ...[one.title, one.firstMs.toFixed(0), one.cpuMs.toFixed(0), one.againMs.toFixed(0)],
    ...[megabytes(one.residentBytes), megabytes(one.proportionalBytes)],
  ]);
  return markdown([head, ...rows]);
}

/** What was wanted, and what came of it; empty without the other side. */
export function wantedTable({ writes, searches, starts }: Figures): string {
  const rows: string[][] = [["what", "measured", "wanted", ""]];
  const note = (what: string, said: string, wanted: string, holds: boolean) =>
    rows.push([what, said, wanted, holds ? "yes" : "**no**"]);
  for (const pair of writes) {
    const by = ratio(pair, ({ perSecond }) => perSecond);
    const what = `${pair.write}, ${pair.connections} conn.: requests a second, of mlflow server`;
    note(what, times(by), ">= 5.0 x", by >= 5);
  }
  const most = Math.max(...searches.map(({ runs }) => runs));
  for (const pair of searches.filter(({ runs }) => runs === most)) {
    const by = ratio(pair, (one) => one.ms, true);
    const what = `search of ${most.toLocaleString("en")} runs, ${pair.search}: faster by`;
    note(what, times(by), ">= 10.0 x", by >= 10);
  }
  const theirs = starts.filter(({ title }) => title.startsWith("mlflow"));
  for (const one of starts.filter(({ title }) => !title.startsWith("mlflow"))) {
    for (const other of theirs) {
      const share = (mine: number, its: number) => `1/${(its / mine).toFixed(1)}`;
      const [of, start] = [`of ${other.title}`, "first start to the first 200"];
      note(
        ...([
          `${one.title}: ${start}, ${of}`,
          share(one.firstMs, other.firstMs),
          "<= 1/10",
        ] as const),
        one.firstMs <= other.firstMs / 10,
      );
      note(
        ...([
          `${one.title}: memory, ${of}`,
          share(one.residentBytes, other.residentBytes),
        ] as const),
        ...(["<= 1/4", one.residentBytes <= other.residentBytes / 4] as const),
      );
    }
  }
  return markdown(rows);
}
