/*
 * For tests of a table's training: imports without a database, and the child's work in a folder.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TableFile } from "../../models.ts";
import { pieces } from "../../table/fixture.ts";
import { type Imports, makeImports } from "../../table/import.ts";
import type { StoredPart } from "../../table/load.ts";
import { checkRows, trainRows } from "./child.ts";
import { CHAMPION_FILE, type TableJob } from "./job.ts";
import { rowsToSend } from "./rows.ts";

/** Imports that keep what they took in memory. */
export function importsInMemory(): Imports {
  const kept: Parameters<Parameters<typeof makeImports>[0]["store"]["put"]>[0][] = [];
  const standing = () =>
    kept.map((one, id) => ({ ...one, id, rows: one.cells.length, replacedAt: null }));
  return makeImports({
    clock: { now: () => 1 },
    store: {
      put: async (wanted) => {
        kept.push(wanted);
        return { stored: standing().at(-1)!, unchanged: false, replaced: null };
      },
      inForce: async () => standing(),
      list: async () => standing(),
      cells: async (id) => [...kept[id]!.cells],
    },
  });
}

/** The parts that importing texts leaves: rows to learn from, and to be tested on. */
export async function partsOf(
  model: TableFile,
  train: string,
  test: string | null = null,
): Promise<StoredPart[]> {
  const imports = importsInMemory();
  for (const [part, text] of [["train", train] as const, ["test", test] as const]) {
    if (text === null) continue;
    const source = pieces(text, 10_000);
    await imports.take({ model, file: `${part}.csv`, part, source, actor: "test" });
  }
  return imports.parts(model);
}

export type Work = ReturnType<typeof workIn>;

/** Does the work as the child does, each time in a folder of its own below `root`. */
export function workIn(root: string) {
  let jobs = 0;
  return async (model: TableFile, parts: readonly StoredPart[], champion?: Uint8Array) => {
    const folder = join(root, String(jobs++));
    await mkdir(folder);
    const { heads, files } = rowsToSend(parts);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    if (champion !== undefined) await writeFile(join(folder, CHAMPION_FILE), champion);
    const job = { model, parts: heads, checks: [], data: null };
    const told: string[] = [];
    const tell = (_: number, text: string) => void told.push(text);
    return {
      check: () => checkRows({ ...job, kind: "check" }, folder, tell),
      train: () => {
        const whole: TableJob = {
          ...job,
          kind: "table",
          champion: champion === undefined ? null : 4,
        };
        return trainRows(whole, folder, root, tell);
      },
      told,
    };
  };
}
