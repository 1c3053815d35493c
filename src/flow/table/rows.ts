/*
 * The rows of a table on their way to the child: one JSON array a line, as they are stored, so that
 * whoever hands them over need not read them.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TableFile } from "../../models.ts";
import { loadRows, type StoredPart } from "../../table/load.ts";
import type { LoadedTable } from "../../table/rows.ts";
import { type PartHead, ROWS_FILE } from "./job.ts";

/** The parts without their rows, and the file that holds those. */
export function rowsToSend(parts: readonly StoredPart[]): {
  readonly heads: PartHead[];
  readonly files: Readonly<Record<string, string>>;
} {
  return {
    heads: parts.map(({ cells, ...head }) => ({ ...head, rows: cells.length })),
    files: { [ROWS_FILE]: parts.flatMap(({ cells }) => cells as string[]).join("\n") },
  };
}

/** The table that the child was sent. */
export async function rowsSent(
  folder: string,
  model: TableFile,
  heads: readonly PartHead[],
): Promise<LoadedTable> {
  const lines = (await readFile(join(folder, ROWS_FILE), "utf8")).split("\n");
  let from = 0;
  const parts = heads.map(({ rows, ...head }) => {
    const cells = lines.slice(from, from + rows);
    from += rows;
    return { ...head, cells };
  });
  return loadRows(model.table, parts);
}
