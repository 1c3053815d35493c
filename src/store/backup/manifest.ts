/*
 * What a backup says of itself. A backup is a tar file that a person can open:
 *
 *   config.json              how Sluice was set up, without secrets: to be read, never applied
 *   models/<file>.toml       the model files
 *   objects/ab/abcd…         artifacts, named by their sha256
 *   rows/<table>.ndjson.zst  rows as Postgres says them in JSON, one a line, compressed
 *   manifest.json            this
 *   SHA256SUMS               of all parts, as `sha256sum -c` reads it; always the last part
 */
import * as v from "valibot";
import { SluiceError } from "../../errors.ts";

/** Raised when an older program could not restore what a newer one writes. */
export const FORMAT = 1;

export const MANIFEST = "manifest.json";
export const SUMS = "SHA256SUMS";
export const CONFIG = "config.json";

export const rowsPart = (table: string): string => `rows/${table}.ndjson.zst`;
export const objectPart = (digest: string): string => `objects/${digest.slice(0, 2)}/${digest}`;
export const modelPart = (file: string): string => `models/${file}`;

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const name = v.pipe(v.string(), v.regex(/^[a-z_][a-z0-9_]*$/));

const manifest = v.object({
  format: v.literal(FORMAT),
  /** The version of the program that wrote it. */
  sluice: v.string(),
  made_at: v.string(),
  from: v.picklist(["postgres", "embedded"]),
  /** The migrations that the database had. */
  schema: v.array(v.object({ id: whole, name: v.string(), digest })),
  /** In an order in which a row comes after those that it refers to. */
  tables: v.array(v.object({ name, rows: whole })),
  /** The last number that each identity column gave. */
  sequences: v.array(v.object({ table: name, column: name, last: whole })),
  objects: whole,
  /** Artifacts that rows name and the object store did not have. */
  missing: v.array(digest),
  /** All parts but this one and the sums. */
  parts: v.array(v.object({ name: v.string(), size: whole, sha256: digest })),
});

export type Manifest = v.InferOutput<typeof manifest>;
export type Part = Manifest["parts"][number];

/** The manifest in a text; `backup_too_new` where a newer program wrote it, `backup_damaged`. */
export function parseManifest(text: string, path: string): Manifest {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw damaged(path, `${MANIFEST} is no JSON`);
  }
  const format = (raw as { format?: unknown } | null)?.format;
  if (typeof format === "number" && format > FORMAT) throw tooNew(path, format);
  const parsed = v.safeParse(manifest, raw);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw damaged(path, `${MANIFEST}: ${v.getDotPath(issue) ?? ""}: ${issue.message}`);
}

/** A file that is no whole backup. */
export const damaged = (path: string, reason: string): SluiceError =>
  new SluiceError({
    code: "backup_damaged",
    status: 422,
    detail: `${path} is no whole backup: ${reason}.`,
    fix: "Nothing was written. Use another backup, or copy the file again from where it is kept.",
  });

const tooNew = (path: string, format: number): SluiceError =>
  new SluiceError({
    code: "backup_too_new",
    status: 422,
    detail: `${path} has format ${format}; this program knows formats up to ${FORMAT}.`,
    fix: "Restore it with the version of Sluice that wrote it, or a newer one.",
  });
