/*
 * Imported rows of tables, and the imports that they came by.
 */
import { sql } from "drizzle-orm";
import {
  bigint,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { identity, instant } from "./columns.ts";

export const tableImports = pgTable(
  "table_imports",
  {
    id: identity("id").primaryKey(),
    model: text().notNull(),
    /** The file's name: a later import of the same name replaces this one. */
    file: text().notNull(),
    part: text({ enum: ["train", "test"] }).notNull(),
    /** Of the file's bytes. */
    sha256: text().notNull(),
    /** Of what the model file said of the table: rows that were read otherwise are not the same. */
    layout: text().notNull(),
    rows: integer().notNull(),
    refused: integer().notNull(),
    report: jsonb().$type<Record<string, unknown>>().notNull(),
    actor: text().notNull(),
    at: instant().notNull(),
    /** When a later import took its place; its rows are gone then. */
    replacedAt: instant("replaced_at"),
  },
  (t) => [
    uniqueIndex("table_imports_in_force").on(t.model, t.file).where(sql`replaced_at is null`),
    index("table_imports_newest").on(t.model, t.id.desc().nullsFirst()),
  ],
);

/**
 * One record a row, so that a row can be looked up by the line it came from; its cells as one JSON
 * array in a text, which neither driver takes apart. Read a column at a time they would be a
 * third of the size, but 48,842 rows are read in well below a second as they are.
 */
export const tableRows = pgTable(
  "table_rows",
  {
    importId: bigint("import_id", { mode: "number" }).notNull(),
    line: integer().notNull(),
    cells: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.importId, t.line] })],
);
