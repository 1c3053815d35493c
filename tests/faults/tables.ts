/*
 * What a run looked like: its slots and, of each kind of fault, what users saw of it.
 */
import type { FaultEntry } from "./inject.ts";
import { described } from "./plan.ts";
import type { Step } from "./replay.ts";
import type { Look } from "./witness.ts";

const AFTER_MS = 1_000;

/** A table of the faults, grouped by what they are, with the answers given meanwhile. */
export function faultTable(entries: readonly FaultEntry[], looks: readonly Look[]): string {
  const groups = Map.groupBy(entries, ({ fault }) => nameOf(described(fault)));
  const rows = [...groups].map(([name, of]) => {
    const during = looks.filter(({ from, to }) =>
      of.some((entry) => entry.from <= to && from <= entry.to + AFTER_MS),
    );
    const failed = during.filter(({ status }) => status !== 200);
    const slowest = Math.max(0, ...during.map(({ from, to }) => to - from));
    const skipped = of.filter((entry) => entry.skipped !== null).length;
    return [
      name,
      skipped > 0 ? `${of.length - skipped} (${skipped} skipped)` : `${of.length}`,
      `${during.length}`,
      `${failed.length}`,
      `${(slowest / 1_000).toFixed(1)} s`,
    ];
  });
  rows.sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
  const head = ["fault", "times", "requests meanwhile", "not answered", "slowest"];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** The same for all replicas and lengths. */
const nameOf = (text: string): string =>
  text
    .replace(/,? for [\d.]+ s$/, "")
    .replace(/, started anew.*/, "")
    .replace(/\breplica \d+/, "a replica")
    .replace(/clock [\d.]+ s back/, "clock goes back")
    .replace(/clock jumps \d+ slots forward/, "clock jumps forward");

/** How long slots took. */
export function stepLine(steps: readonly Step[]): string {
  const times = steps.map(({ tookMs }) => tookMs / 1_000).sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))]?.toFixed(1);
  const most = `nine in ten below ${at(0.9)} s, longest ${at(1)} s`;
  return `slots: ${steps.length}, median ${at(0.5)} s, ${most}`;
}
