/*
 * Series of what is kept and what was let go of.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import type { HttpServices } from "./services.ts";

/** Registers the series; the answer sets them to what the services say now. */
export function makeUpkeep(registry: Registry) {
  const registers = [registry];
  const removed = new Counter({
    name: "sluice_retention_removed_total",
    help: "What the daily retention of this process has removed.",
    labelNames: ["what"],
    registers,
  });
  const freed = new Counter({
    name: "sluice_retention_freed_bytes_total",
    help: "Bytes of artifacts and files that it has removed.",
    registers,
  });
  const tables = new Gauge({
    name: "sluice_table_bytes",
    help: "What a table takes with its indexes; a minute old at most.",
    labelNames: ["table"],
    registers,
  });
  const bytes = new Gauge({
    name: "sluice_artifact_bytes",
    help: "Files of versions and trainings in the object store, each counted once.",
    registers,
  });
  const files = new Gauge({
    name: "sluice_artifact_files",
    help: "How many those are.",
    registers,
  });

  return async ({ retention, sizes }: Pick<HttpServices, "retention" | "sizes">) => {
    const totals = retention.totals();
    removed.reset();
    for (const [what, count] of Object.entries(totals.removed)) removed.inc({ what }, count);
    freed.reset();
    freed.inc(totals.freedBytes);
    const seen = await sizes();
    if (seen === null) return;
    tables.reset();
    for (const { table, bytes: taken } of seen.tables) tables.set({ table }, taken);
    bytes.set(seen.artifacts.bytes);
    files.set(seen.artifacts.files);
  };
}
