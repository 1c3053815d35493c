/*
 * Taking a backup while everything runs. Rows are read in one transaction, so they are of one
 * moment; artifacts are stored before the rows that name them and never change, so those that the
 * rows of that moment name can be read afterwards.
 */
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { createTarPacker, type TarPackController } from "modern-tar";
import { SluiceError } from "../../errors.ts";
import { type Instant, iso } from "../../types.ts";
import type { Database, Orm } from "../database.ts";
import { assertKnown } from "../migrate.ts";
import { migrations } from "../migrations.ts";
import { type Objects, sha256 } from "../objects.ts";
import {
  CONFIG,
  FORMAT,
  MANIFEST,
  type Manifest,
  modelPart,
  objectPart,
  type Part,
  rowsPart,
  SUMS,
} from "./manifest.ts";
import { linesOf, sequencesOf, tableNames, tablesInOrder } from "./rows.ts";
import { type Spooled, spoolLines } from "./spool.ts";

export interface TakeDeps {
  readonly database: Database;
  readonly objects: Pick<Objects, "read" | "size" | "has">;
  /** The artifacts that rows name, within a transaction. */
  readonly named: (within: Orm) => Promise<readonly string[]>;
  /** Where rows are kept aside. */
  readonly folder: string;
  /** The configuration, without secrets. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The model files: their names and texts. */
  readonly models: ReadonlyMap<string, string>;
  readonly version: string;
  readonly now: () => Instant;
}

export interface TakeOptions {
  /** Goes on without artifacts that the object store does not have. */
  readonly skipMissing?: boolean;
}

export interface Backup {
  /** A name for its file. */
  readonly name: string;
  /** The bytes of the tar file; whoever stops early leaves nothing behind. Once only. */
  bytes(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Removes what is kept aside, where no byte was ever read. */
  discard(): Promise<void>;
}

interface Snapshot extends Pick<Manifest, "schema" | "tables" | "sequences"> {
  readonly rows: ReadonlyMap<string, Spooled>;
  readonly digests: readonly string[];
}

/** What was left by a process that was killed is nobody's after this. */
const LEFT_MS = 24 * 60 * 60_000;

/**
 * Reads the rows and looks for the artifacts; the bytes of the backup then come as they are read.
 * Throws `nothing_to_back_up`, `schema_too_new`, `object_missing`.
 */
export async function takeBackup(deps: TakeDeps, options: TakeOptions = {}): Promise<Backup> {
  await mkdir(deps.folder, { recursive: true, mode: 0o700 });
  await removeLeft(deps.folder);
  const folder = await mkdtemp(join(deps.folder, "rows-"));
  const discard = () => rm(folder, { recursive: true, force: true });
  try {
    const madeAt = iso(deps.now());
    const snapshot = await snapshotOf(deps, folder);
    const missing = await missingOf(deps.objects, snapshot.digests);
    if (missing.length > 0 && options.skipMissing !== true) throw withoutObjects(missing);
    return {
      discard,
      name: `sluice-${madeAt.replace(/[-:]/g, "").replace(/\.\d+/, "")}.tar`,
      bytes: async function* () {
        const { readable, controller } = createTarPacker();
        const writing = writeParts(controller, deps, snapshot, { missing, madeAt }).catch(
          (thrown) => controller.error(thrown),
        );
        try {
          yield* readable;
        } finally {
          await writing;
          await discard();
        }
      },
    };
  } catch (thrown) {
    await discard();
    throw thrown;
  }
}

/** The rows of one moment, in files, and the artifacts that they name. */
function snapshotOf({ database, named }: TakeDeps, folder: string): Promise<Snapshot> {
  return database.orm.transaction(
    async (tx) => {
      const schema = await schemaOf(database, tx);
      const digests = [...new Set(await named(tx))].sort();
      const names = await tableNames(database, tx);
      const there = tablesInOrder().filter(({ name }) => names.has(name));
      const rows = new Map<string, Spooled>();
      for (const table of there) {
        const path = join(folder, table.name);
        rows.set(table.name, await spoolLines(path, linesOf(database, tx, table)));
      }
      return {
        ...{ schema, digests, rows },
        tables: there.map(({ name }) => ({ name, rows: rows.get(name)!.lines })),
        sequences: await sequencesOf(database, tx, there),
      };
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}

async function schemaOf(database: Database, tx: Orm): Promise<Manifest["schema"]> {
  if (!(await tableNames(database, tx)).has("sluice_migrations")) throw nothing();
  const schema = await database.rows<Manifest["schema"][number]>(
    sql`select id, name, digest from public.sluice_migrations order by id`,
    tx,
  );
  assertKnown(new Map(schema.map(({ id, digest }) => [id, digest])), migrations);
  return schema.map(({ id, name, digest }) => ({ id, name, digest }));
}

async function missingOf(
  objects: Pick<Objects, "has">,
  digests: readonly string[],
): Promise<string[]> {
  const missing: string[] = [];
  for (const digest of digests) if (!(await objects.has(digest))) missing.push(digest);
  return missing;
}

/** Writes every part into the tar, what tells of the others last. */
async function writeParts(
  tar: TarPackController,
  { database, objects, config, models, version }: TakeDeps,
  snapshot: Snapshot,
  { missing, madeAt }: { missing: readonly string[]; madeAt: string },
): Promise<void> {
  const parts: Part[] = [];
  const mtime = new Date(madeAt);
  const add = async (part: Part, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) => {
    parts.push(part);
    const writer = tar.add({ name: part.name, size: part.size, mode: 0o600, mtime }).getWriter();
    for await (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  };
  const addBytes = (name: string, bytes: Uint8Array) =>
    add({ name, size: bytes.byteLength, sha256: sha256(bytes) }, [bytes]);
  const addText = (name: string, text: string) => addBytes(name, new TextEncoder().encode(text));

  await addText(CONFIG, `${JSON.stringify(config, null, 2)}\n`);
  for (const [file, text] of models) await addText(modelPart(file), text);
  const absent = new Set(missing);
  const digests = snapshot.digests.filter((digest) => !absent.has(digest));
  for (const digest of digests) {
    const part = { name: objectPart(digest), size: await objects.size(digest), sha256: digest };
    await add(part, objects.read(digest));
  }
  for (const [table, { path, size, sha256 }] of snapshot.rows) {
    await add({ name: rowsPart(table), size, sha256 }, Bun.file(path).stream());
  }
  const { schema, tables, sequences } = snapshot;
  const manifest: Manifest = {
    ...{ format: FORMAT, sluice: version, made_at: madeAt, from: database.kind },
    ...{ schema, tables, sequences, objects: digests.length, missing: [...missing] },
    parts: [...parts],
  };
  await addText(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
  await addText(SUMS, sumsOf(parts));
  tar.finalize();
}

/** As `sha256sum` writes and checks it. */
export const sumsOf = (parts: readonly Part[]): string =>
  parts.map(({ sha256, name }) => `${sha256}  ${name}\n`).join("");

async function removeLeft(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > LEFT_MS) await rm(path, { recursive: true, force: true });
  }
}

const nothing = (): SluiceError =>
  new SluiceError({
    code: "nothing_to_back_up",
    status: 404,
    detail: "The database holds nothing of Sluice.",
    fix: "Check SLUICE_DATA and DATABASE_URL: they must be those of the server.",
  });

const withoutObjects = (missing: readonly string[]): SluiceError =>
  new SluiceError({
    code: "object_missing",
    detail: `The object store lacks ${missing.length} artifacts that the database names, such as ${missing[0]}.`,
    fix: "Put them back, or take the backup without them: sluice backup --skip-missing FILE.",
    faults: missing.slice(0, 100).map((digest) => ({ path: digest, message: "is missing" })),
  });
