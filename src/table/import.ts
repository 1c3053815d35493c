/*
 * Importing: a CSV file becomes rows of the database, whole or not at all. Every row that is not
 * accepted is told with its line.
 */
import { SluiceError } from "../errors.ts";
import type { TableFile } from "../models.ts";
import type { NewImport, Part, TableImport, TableStore } from "../store/tables.ts";
import type { Instant } from "../types.ts";
import { readCsv } from "./csv.ts";
import { loadRows, type StoredPart } from "./load.ts";
import { type DataReport, makeReporter } from "./report.ts";
import type { LoadedTable } from "./rows.ts";
import { isRefused, type Layout, tableReader } from "./schema.ts";

export interface ImportOrder {
  readonly model: TableFile;
  /** The file's name, which decides what the import replaces. */
  readonly file: string;
  /** What its rows are for; null asks the model file. */
  readonly part: Part | null;
  readonly source: AsyncIterable<Uint8Array>;
  /** Who imports, for the list. */
  readonly actor: string;
}

export interface Imported {
  readonly id: number;
  readonly model: string;
  readonly file: string;
  readonly part: Part;
  readonly sha256: string;
  /** True when the same bytes stood already: nothing was changed. */
  readonly unchanged: boolean;
  /** The import that it took the place of, or null. */
  readonly replaced: number | null;
  readonly report: DataReport;
}

export interface Imports {
  /**
   * Reads a file and stores its rows. Throws, and stores nothing: `bad_csv`, `bad_header`,
   * `empty_table`, `too_many_refused`, `unknown_part` (422), `already_imported` (409).
   */
  take(order: ImportOrder): Promise<Imported>;
  /** Imports of a model, newest first. */
  list(model: string, limit: number, before: number | null): Promise<TableImport[]>;
  /** Throws `not_imported` or `import_outdated` (409) where there are no rows to learn from. */
  assertImported(model: TableFile): Promise<void>;
  /** The rows in force as they are stored. `not_imported`, `import_outdated` (409). */
  parts(model: TableFile): Promise<StoredPart[]>;
  /** The rows to learn from and to be tested on; throws as `parts` and `loadRows` do. */
  load(model: TableFile): Promise<LoadedTable>;
}

export interface ImportDeps {
  readonly store: TableStore;
  readonly clock: { now(): Instant };
}

export function makeImports({ store, clock }: ImportDeps): Imports {
  async function standingOf(model: TableFile): Promise<TableImport[]> {
    const standing = await store.inForce(model.name);
    if (!standing.some(({ part }) => part === "train")) throw notImported(model);
    const layout = layoutDigest(model);
    const outdated = standing.filter((row) => row.layout !== layout);
    if (outdated.length > 0) throw importOutdated(model, outdated);
    return standing;
  }

  async function parts(model: TableFile): Promise<StoredPart[]> {
    const found: StoredPart[] = [];
    for (const { id, file, part, refused } of await standingOf(model)) {
      found.push({ file, part, refused, cells: await store.cells(id) });
    }
    return found;
  }

  return {
    list: store.list,
    assertImported: async (model) => void (await standingOf(model)),
    parts,
    take: async ({ model, file, part: asked, source, actor }) => {
      const part = asked ?? partOf(model, file);
      const read = await readTable(model, source, file);
      const { name } = model;
      const { sha256, report, lines, cells } = read;
      const wanted: NewImport = {
        ...{ model: name, file, part, sha256, actor, lines, cells },
        layout: layoutDigest(model),
        refused: report.refused,
        report: { ...report },
        at: clock.now() || Date.now(),
      };
      const { stored, unchanged, replaced } = await store.put(wanted);
      return { id: stored.id, model: name, file, part, sha256, unchanged, replaced, report };
    },
    load: async (model) => loadRows(model.table, await parts(model)),
  };
}

interface ReadTable {
  readonly sha256: string;
  readonly report: DataReport;
  readonly lines: readonly number[];
  readonly cells: readonly string[];
}

/** Reads all of a file; its rows are kept as texts until it is known that they may be stored. */
async function readTable(
  { table }: TableFile,
  source: AsyncIterable<Uint8Array>,
  file: string,
): Promise<ReadTable> {
  const reader = tableReader(table);
  const reporter = makeReporter(table);
  const hash = new Bun.CryptoHasher("sha256");
  const lines: number[] = [];
  const cells: string[] = [];
  let layout: Layout | null = table.header ? null : reader.positions;
  let wrong: unknown = null;

  async function* hashed(): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      hash.update(chunk);
      yield chunk;
      if (wrong !== null) throw wrong;
    }
  }
  const totals = await readCsv(hashed(), table, {
    onRecord: (record, line) => {
      if (layout === null) {
        try {
          layout = reader.places(record);
        } catch (thrown) {
          // Thrown within the parser it would be lost; the source throws it at the next chunk.
          wrong ??= thrown;
          layout = { width: record.length, places: [] };
        }
        return;
      }
      if (wrong !== null) return;
      const row = reader.row(record, layout);
      if (isRefused(row)) reporter.refuse(line, row);
      else {
        reporter.accept(row);
        lines.push(line);
        cells.push(JSON.stringify(row));
      }
    },
    onTorn: (line) =>
      reporter.refuse(line, {
        reason: "torn_quote",
        message: "a quotation mark stands within a field that does not begin with one",
        column: null,
        value: null,
      }),
  });
  if (wrong !== null) throw wrong;
  const report = reporter.report(totals);
  assertUsable(report, table.max_refused, file);
  return { sha256: hash.digest("hex"), report, lines, cells };
}

function assertUsable(report: DataReport, share: number, file: string): void {
  if (report.refused > share * report.rows) throw tooManyRefused(report, share, file);
  if (report.stored > 0) return;
  throw new SluiceError({
    code: "empty_table",
    status: 422,
    detail: `${file} has no rows: ${report.bytes} bytes, ${report.comment_lines} comment lines.`,
    fix: "Send a file with at least one row under its header.",
  });
}

/** The part that the model file names for a file of that name, or the only one there is. */
function partOf({ name, table, evaluate }: TableFile, file: string): Part {
  const named = table.files.find((known) => known.name === file);
  if (named !== undefined) return named.part;
  // Where the rows to test on are drawn, all rows are of one kind.
  if (evaluate.test !== "part") return "train";
  throw new SluiceError({
    code: "unknown_part",
    status: 422,
    detail: `Whether ${file} is to be learned from or tested on is not known.`,
    fix: `Say --part train or --part test (part= in the address), or name the file in [[table.files]] of ${name}.toml.`,
  });
}

/** Names how rows are read: rows of two layouts cannot be learned from together. */
export function layoutDigest({ table }: TableFile): string {
  const { files, unseen, max_refused, ...reading } = table;
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(reading)).digest("hex");
}

const tooManyRefused = (report: DataReport, share: number, file: string): SluiceError => {
  const reasons = report.refusals.map(
    ({ reason, count, lines }) => `${reason} ${count} (line ${lines.slice(0, 3).join(", ")})`,
  );
  return new SluiceError({
    code: "too_many_refused",
    status: 422,
    detail: `${report.refused} of ${report.rows} rows of ${file} are not accepted: ${reasons.join(
      "; ",
    )}. Nothing was stored.`,
    fix: `Mend the file or what the model file says of its columns; at most a share of ${share} (table.max_refused) may be refused.`,
    faults: report.refusals.flatMap(({ samples }) =>
      samples.map(({ line, column, message }) => ({
        path: column === null ? `line ${line}` : `line ${line}: ${column}`,
        message,
      })),
    ),
  });
};

const notImported = ({ name }: TableFile): SluiceError =>
  new SluiceError({
    code: "not_imported",
    status: 409,
    detail: `No rows to learn from were imported for ${name}.`,
    fix: `Import them: sluice import ${name} FILE, or POST /admin/models/${name}/imports.`,
  });

const importOutdated = ({ name }: TableFile, outdated: readonly TableImport[]): SluiceError =>
  new SluiceError({
    code: "import_outdated",
    status: 409,
    detail: `The model file says otherwise how rows are read than when ${outdated
      .map(({ file }) => file)
      .join(", ")} was imported.`,
    fix: `Import again: sluice import ${name} ${outdated.map(({ file }) => file).join(" ")}.`,
  });
