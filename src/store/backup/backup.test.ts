import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { packTar } from "modern-tar";
import { SluiceError } from "../../errors.ts";
import { namedArtifacts } from "../../registry/named.ts";
import type { Database } from "../database.ts";
import { migrate } from "../migrate.ts";
import { type Migration, migrations } from "../migrations.ts";
import { folderObjects, type Objects } from "../objects.ts";
import { type TestDatabase, testDatabases } from "../testing.ts";
import type { Manifest } from "./manifest.ts";
import { checkBackup, eachPart } from "./read.ts";
import { restoreBackup } from "./restore.ts";
import { tablesInOrder } from "./rows.ts";
import { type TakeDeps, takeBackup } from "./take.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-backup-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = (name: string) => join(folder, `${count++}-${name}`);

/** Values that lose something when they pass through a number or a date of JavaScript. */
async function fill(database: Database, objects: Objects): Promise<string[]> {
  const digests = [
    await objects.put(new TextEncoder().encode("one")),
    await objects.put(crypto.getRandomValues(new Uint8Array(50_000))),
  ];
  const run = (statement: string) => database.orm.execute(sql.raw(statement));
  await run(`insert into experiments values (9007199254740993, 'e', 'a', 'active', 1, 2)`);
  await run(`insert into experiments (name, artifact_location, creation_time, last_update_time)
    select 'e' || i, 'a', i, i from generate_series(1, 12) i`);
  await run(`delete from experiments where experiment_id = 12`);
  await run(`insert into runs (run_id, name, experiment_id, status, start_time, artifact_uri)
    values ('r', 'it''s "q" \\ ' || chr(10) || ' 가', 1, 'FINISHED', 3, 'u')`);
  await run(`insert into metrics values ('r', 'nan', 0, true, 1, 0), ('r', 'inf', 'Infinity', false, 1, 0),
    ('r', 'tiny', 5e-324, false, 1, 0), ('r', 'third', 1.0 / 3, false, 1, 0)`);
  await run(
    `insert into artifacts values ('r', 'a', '${digests[0]}', 3, '1969-12-31T23:59:59.999Z')`,
  );
  await run(`insert into registered_models values ('btc', null, 1, 2)`);
  await run(`insert into model_versions (name, version, source, status, creation_time,
      last_updated_time, digest, size, gates)
    values ('btc', 1, 's', 'READY', 1, 1, '${digests[1]}', 50000, '[{"a": 0.1, "b": [1, null]}]')`);
  await run(`insert into aliases values ('btc', 'champion', 1, '2025-01-01T00:00:00.123Z')`);
  await run(`insert into tokens values ('ci', 'd', array['read', 'a,"b'], now(), null)`);
  await run(`insert into candles select 'KRW-BTC', 240, to_timestamp(i * 14400), random(), random(),
      random() * 1e-8, random() * 1e12, random(), 0.1 + 0.2, null, now(), null
    from generate_series(1, 2500) i`);
  return digests;
}

/** Opening takes longest: one of each kind to restore into, with nothing in it at all. */
const targets = new Map<string, Database>();
afterAll(async () => {
  for (const database of targets.values()) await database.close();
});
async function emptyOf({ name, open }: TestDatabase): Promise<Database> {
  const database = targets.get(name) ?? (await open());
  targets.set(name, database);
  await database.orm.execute(sql`drop schema public cascade`);
  await database.orm.execute(sql`create schema public`);
  return database;
}

/** Everything that the tables hold, as text. */
async function contents(database: Database): Promise<Record<string, string[]>> {
  const all: Record<string, string[]> = {};
  for (const { name } of tablesInOrder()) {
    const rows = await database.rows<{ line: string }>(
      sql`select t::text as line from ${sql.identifier(name)} t order by 1`,
    );
    all[name] = rows.map((row) => row.line).sort();
  }
  return all;
}

const depsOf = (database: Database, objects: TakeDeps["objects"]): TakeDeps => ({
  ...{ database, objects, named: namedArtifacts, folder: join(folder, "aside") },
  ...{ config: { host: "127.0.0.1" }, models: new Map([["btc.toml", 'name = "btc"\n']]) },
  ...{ version: "0.1.0", now: () => Date.UTC(2025, 0, 1) },
});

async function write(deps: TakeDeps, options = {}): Promise<string> {
  const path = fresh("backup.tar");
  const backup = await takeBackup(deps, options);
  writeFileSync(path, Buffer.concat(await Array.fromAsync(backup.bytes())));
  return path;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (thrown instanceof SluiceError) return `${thrown.code}: ${thrown.message}`;
  throw thrown;
}

describe.each(testDatabases())("of $name", (kind) => {
  const objects = folderObjects(fresh("objects"));
  let database: Database;
  let digests: string[];
  let path: string;
  let manifest: Manifest;
  beforeAll(async () => {
    database = await kind.open();
    digests = await fill(database, objects);
    path = await write(depsOf(database, objects));
    manifest = await checkBackup(path);
  });
  afterAll(() => database.close());

  test("tells what it holds, and leaves nothing aside", () => {
    expect(manifest).toMatchObject({ format: 1, sluice: "0.1.0", objects: 2, missing: [] });
    expect(manifest.schema.map(({ name }) => name)).toEqual(migrations.map(({ name }) => name));
    const rows = Object.fromEntries(manifest.tables.map(({ name, rows }) => [name, rows]));
    expect(rows).toMatchObject({ candles: 2_500, experiments: 13, metrics: 4, steps: 0 });
    expect(manifest.sequences).toContainEqual({
      ...{ table: "experiments", column: "experiment_id", last: 12 },
    });
    expect(readdirSync(join(folder, "aside"))).toEqual([]);
  });

  test("can be opened and checked by hand", () => {
    const to = fresh("by-hand");
    const script = 'mkdir "$1" && tar -xf "$0" -C "$1" && cd "$1" && sha256sum -c SHA256SUMS';
    const done = Bun.spawnSync(["sh", "-c", script, path, to]);
    expect([done.exitCode, done.stderr.toString()]).toEqual([0, ""]);
    expect(readFileSync(join(to, "models", "btc.toml"), "utf8")).toBe('name = "btc"\n');
    const lines = Bun.zstdDecompressSync(readFileSync(join(to, "rows", "aliases.ndjson.zst")));
    expect(JSON.parse(new TextDecoder().decode(lines))).toMatchObject({ alias: "champion" });
  });

  test.each(testDatabases())(
    "into $name: the same rows and artifacts, and the next numbers",
    async (other) => {
      const target = await emptyOf(other);
      const into = folderObjects(fresh("objects"));
      expect(await restoreBackup({ database: target, objects: into }, path, manifest)).toEqual([]);
      expect(await contents(target)).toEqual(await contents(database));
      for (const digest of digests) {
        expect(await into.get(digest)).toEqual(await objects.get(digest));
      }
      const [row] = await target.rows<{ id: string }>(sql`
      insert into experiments (name, artifact_location, creation_time, last_update_time)
      values ('next', 'a', 1, 1) returning experiment_id::text as id`);
      // After the largest, which was given by hand; never one that was given before.
      expect(row).toEqual({ id: "9007199254740994" });
      expect(
        await codeOf(restoreBackup({ database: target, objects: into }, path, manifest)),
      ).toContain(
        "target_not_empty: The database to restore into is not empty: it has 1000 or more rows in candles",
      );
    },
  );

  describe("into a database of the same kind", () => {
    let target: Database;
    beforeAll(async () => {
      target = await emptyOf(kind);
      await migrate(target);
    });
    const into = () => ({ database: target, objects: folderObjects(fresh("objects")) });

    test("of a newer schema is refused, and of one whose text differs", async () => {
      const list = migrations.slice(0, -1);
      expect(await codeOf(restoreBackup({ ...into(), list }, path, manifest))).toContain(
        "schema_too_new",
      );
      const changed = migrations.map((m) => ({ ...m, sql: `${m.sql} ` }));
      expect(await codeOf(restoreBackup({ ...into(), list: changed }, path, manifest))).toContain(
        "migration_changed",
      );
    });

    test("fails as a whole: nothing is there of a part that is not what was checked", async () => {
      const tables = manifest.tables.map((t) => (t.name === "tokens" ? { ...t, rows: 2 } : t));
      expect(await codeOf(restoreBackup(into(), path, { ...manifest, tables }))).toContain(
        "tokens has 1 rows, not 2",
      );
      const { experiments, ...rest } = await contents(target);
      expect([experiments?.length, Object.values(rest).flat()]).toEqual([1, []]);
    });

    test("goes forward to this program's schema, also where that is there already", async () => {
      const next: Migration = {
        ...{ id: migrations.length, name: "later" },
        sql: "alter table aliases add column note text not null default 'n'",
      };
      const list = [...migrations, next];
      await migrate(target, list);
      expect(await restoreBackup({ ...into(), list }, path, manifest)).toEqual(["later"]);
      expect(await target.rows(sql`select alias, note from aliases`)).toEqual([
        { alias: "champion", note: "n" },
      ]);
    });
  });

  test("wants each artifact that is named, unless told to go on without", async () => {
    const gone = digests[0]!;
    const holed = { ...objects, has: async (digest: string) => digest !== gone };
    expect(await codeOf(takeBackup(depsOf(database, holed)))).toContain(`object_missing`);
    const without = await checkBackup(await write(depsOf(database, holed), { skipMissing: true }));
    expect(without).toMatchObject({ objects: 1, missing: [gone] });
    expect(readdirSync(join(folder, "aside"))).toEqual([]);
  });

  test("breaks off where an artifact is damaged, and leaves nothing aside", async () => {
    const damaged: Objects = {
      ...objects,
      read: async function* (digest) {
        const [first] = await Array.fromAsync(objects.read(digest));
        yield first!.subarray(0, 1);
        throw new SluiceError({ code: "object_corrupt", detail: "Damaged." });
      },
    };
    const backup = await takeBackup(depsOf(database, damaged));
    expect(await codeOf(Array.fromAsync(backup.bytes()))).toContain("object_corrupt");
    const left = await takeBackup(depsOf(database, objects));
    for await (const _ of left.bytes()) break;
    expect(readdirSync(join(folder, "aside"))).toEqual([]);
  });

  test("that is large ends where nobody wants the rest of it", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    const large = depsOf(database, {
      ...objects,
      size: async () => 90 * bytes.length,
      read: async function* () {
        for (let i = 0; i < 90; i++) yield bytes;
      },
    });
    for await (const _ of (await takeBackup(large)).bytes()) break;
    expect(readdirSync(join(folder, "aside"))).toEqual([]);
  });

  test("is of one moment: what is written meanwhile is in none of its tables", async () => {
    // Embedded has one connection, which the snapshot holds.
    if (database.kind === "embedded") return;
    let wrote = 0;
    const named: TakeDeps["named"] = async (within) => {
      const found = await namedArtifacts(within);
      await database.orm.execute(sql`insert into pipelines (pipeline) values ('meanwhile')`);
      wrote++;
      return found;
    };
    const during = await checkBackup(await write({ ...depsOf(database, objects), named }));
    await database.orm.execute(sql`delete from pipelines where pipeline = 'meanwhile'`);
    expect(wrote).toBe(1);
    expect(during.tables.find(({ name }) => name === "pipelines")?.rows).toBe(0);
  });

  test("cut short anywhere is refused", async () => {
    const bytes = readFileSync(path);
    const cut = fresh("cut.tar");
    for (const share of [0, 0.001, 0.3, 0.5, 0.9, 0.99]) {
      writeFileSync(cut, bytes);
      truncateSync(cut, Math.floor(bytes.length * share));
      expect([share, await codeOf(checkBackup(cut))]).toEqual([
        share,
        expect.stringContaining("backup_damaged") as unknown as string,
      ]);
    }
  });

  test("with one byte changed in any part is refused", async () => {
    const bytes = readFileSync(path);
    const flipped = fresh("flipped.tar");
    // The contents of each part begin a block after its header.
    const starts: number[] = [];
    for (let at = 0; at < bytes.length - 1_024; ) {
      const size = Number.parseInt(bytes.subarray(at + 124, at + 135).toString(), 8);
      if (Number.isNaN(size)) break;
      starts.push(at, at + 512, at + 512 + Math.floor(size / 2), at + 512 + size - 1);
      at += 512 + Math.ceil(size / 512) * 512;
    }
    expect(starts.length).toBeGreaterThan(4 * 20);
    for (const at of starts) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1;
      writeFileSync(flipped, copy);
      expect([at, await codeOf(checkBackup(flipped))]).toEqual([
        at,
        expect.stringContaining("backup_damaged") as unknown as string,
      ]);
    }
  });
});

test("a newer format is told apart from damage", async () => {
  const { parseManifest } = await import("./manifest.ts");
  const thrown = (text: string) => codeOf((async () => parseManifest(text, "b.tar"))());
  expect(await thrown('{"format": 2}')).toContain("backup_too_new");
  expect(await thrown('{"format": 1}')).toContain("backup_damaged");
  expect(await thrown("null")).toContain("backup_damaged");
});

test("a large part is read to its end after small ones that were passed over", async () => {
  const path = fresh("large.tar");
  const parts = Array.from({ length: 26 }, (_, i) => ({ name: `small-${i}`, size: 900 }));
  const bodies = [...parts, { name: "large", size: 5_000_000 }].map((header) => ({
    ...{ header, body: new Uint8Array(header.size) },
  }));
  writeFileSync(path, await packTar(bodies));
  let size = 0;
  await eachPart(path, async (name, body) => {
    if (name === "large") for await (const chunk of body) size += chunk.byteLength;
  });
  expect(size).toBe(5_000_000);
});
