/*
 * The SQL of imported tables. An import is one transaction: its rows are all there, and those that
 * it replaces are all gone, or nothing has changed.
 */
import { and, desc, eq, isNull, lt, sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Instant } from "../types.ts";
import type { Database, Orm } from "./database.ts";
import { tableImports, tableRows } from "./schema.ts";

export type Part = "train" | "test";

/** An import as it stands in the list. */
export interface TableImport {
  readonly id: number;
  readonly model: string;
  readonly file: string;
  readonly part: Part;
  readonly sha256: string;
  readonly layout: string;
  readonly rows: number;
  readonly refused: number;
  readonly report: Readonly<Record<string, unknown>>;
  readonly actor: string;
  readonly at: Instant;
  readonly replacedAt: Instant | null;
}

/** What is to be stored: cells are JSON arrays as text, one a row, with their lines. */
export interface NewImport extends Omit<TableImport, "id" | "rows" | "replacedAt"> {
  readonly lines: readonly number[];
  readonly cells: readonly string[];
}

/** What became of it; `unchanged` when the same bytes stand already. */
export interface StoredImport {
  readonly stored: TableImport;
  readonly unchanged: boolean;
  /** The import whose place it took, or null. */
  readonly replaced: number | null;
}

export interface TableStore {
  /** Stores an import in one transaction; `already_imported` (409) under another name. */
  put(wanted: NewImport): Promise<StoredImport>;
  /** The imports whose rows are there, in the order of their file names. */
  inForce(model: string): Promise<TableImport[]>;
  /** All imports, newest first; `before` is the id that the last page ended with. */
  list(model: string, limit: number, before: number | null): Promise<TableImport[]>;
  /** The cells of an import's rows as JSON texts, in the order of its lines. */
  cells(importId: number): Promise<string[]>;
}

/** What a statement carries at most: PGlite works in this thread, and others wait meanwhile. */
const CHUNK_ROWS = 1_000;
const CHUNK_LENGTH = 4 << 20;
/** Lines that one statement reads: one text of some megabytes. */
const READ_LINES = 10_000;

/** The store of imported tables over a database. */
export function makeTableStore(database: Pick<Database, "orm" | "rows">): TableStore {
  const db = database.orm;
  return {
    put: (wanted) =>
      db.transaction(async (tx) => {
        // Two imports of a model at once would each take the other's rows for the ones to replace.
        await tx.execute(sql`select pg_advisory_xact_lock(hashtext(${`import ${wanted.model}`}))`);
        const standing = await standingOf(tx, wanted.model);
        const same = standing.find(({ sha256 }) => sha256 === wanted.sha256);
        if (same !== undefined && same.file !== wanted.file) throw alreadyImported(wanted, same);
        const old = standing.find(({ file }) => file === wanted.file) ?? null;
        if (old !== null && isSame(old, wanted)) {
          return { stored: old, unchanged: true, replaced: null };
        }
        if (old !== null) {
          await tx.delete(tableRows).where(eq(tableRows.importId, old.id));
          const replacedAt = wanted.at;
          await tx.update(tableImports).set({ replacedAt }).where(eq(tableImports.id, old.id));
        }
        const { lines, cells, ...row } = wanted;
        const made = await tx
          .insert(tableImports)
          .values({ ...row, rows: cells.length })
          .returning();
        const stored = made[0];
        if (stored === undefined) throw new Error("An insert gave no row back.");
        for (const [from, to] of chunksOf(cells)) {
          // A text a row and one text a statement: arrays are written differently by the drivers.
          const text = cells.slice(from, to).map((row, i) => `${lines[from + i]}\t${row}`);
          await tx.execute(sql`
            insert into table_rows (import_id, line, cells)
            select ${stored.id}::bigint,
              split_part(given, E'\t', 1)::integer,
              substr(given, strpos(given, E'\t') + 1)
            from string_to_table(${text.join("\n")}, E'\n') as given`);
        }
        return { stored, unchanged: false, replaced: old?.id ?? null };
      }),
    inForce: (model) => standingOf(db, model),
    list: (model, limit, before) =>
      db
        .select()
        .from(tableImports)
        .where(
          and(
            eq(tableImports.model, model),
            before === null ? undefined : lt(tableImports.id, before),
          ),
        )
        .orderBy(desc(tableImports.id))
        .limit(limit),
    cells: async (importId) => {
      const all: string[] = [];
      const ends = sql`select max(line) as last from table_rows where import_id = ${importId}::bigint`;
      const [end] = await database.rows<{ last: number | null }>(ends);
      // Both ends are named: with a limit instead, all rows after the first would be sorted for it.
      for (let after = 0; after < (end?.last ?? 0); after += READ_LINES) {
        // Put together there: a row of the driver's own costs more than the row itself.
        const [part] = await database.rows<{ text: string | null }>(sql`
          select string_agg(cells, E'\n' order by line) as text from table_rows
          where import_id = ${importId}::bigint
            and line > ${after}::integer and line <= ${after + READ_LINES}::integer`);
        for (const row of part?.text?.split("\n") ?? []) all.push(row);
      }
      return all;
    },
  };
}

const standingOf = (within: Orm, model: string): Promise<TableImport[]> =>
  within
    .select()
    .from(tableImports)
    .where(and(eq(tableImports.model, model), isNull(tableImports.replacedAt)))
    // By bytes, whatever the database's language: the order of rows must not hang on it.
    .orderBy(sql`${tableImports.file} collate "C"`);

const isSame = (a: TableImport, b: NewImport): boolean =>
  a.sha256 === b.sha256 && a.part === b.part && a.layout === b.layout;

function chunksOf(cells: readonly string[]): [number, number][] {
  const chunks: [number, number][] = [];
  let from = 0;
  let length = 0;
  for (const [i, row] of cells.entries()) {
    if (i > from && (i - from >= CHUNK_ROWS || length + row.length > CHUNK_LENGTH)) {
      chunks.push([from, i]);
      from = i;
      length = 0;
    }
    length += row.length;
  }
  if (from < cells.length) chunks.push([from, cells.length]);
  return chunks;
}

const alreadyImported = ({ model, file }: NewImport, same: TableImport): SluiceError =>
  new SluiceError({
    code: "already_imported",
    status: 409,
    detail: `The bytes of ${file} are those of ${same.file}, imported for ${model} as ${same.part}.`,
    fix: `Import it as ${same.file} to replace that; the same rows twice would weigh double.`,
  });
