/*
 * Makes build/assets/cluster.tar.zst, the embedded database as a first start leaves it: every
 * migration applied and the queue's schema made, which would take a new installation seconds. Does
 * nothing when it is there already for the same migrations and packages.
 *
 * To make a file costs a start more than to fill it, so that the image has as few as can be: no
 * templates of databases, which nobody makes here, and no maps of free and of visible pages, which
 * Postgres does without and makes anew.
 */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";
import { packTar } from "modern-tar";
import { openQueue } from "../src/flow/queue.ts";
import { migrate } from "../src/store/migrate.ts";
import { migrations } from "../src/store/migrations.ts";
import { overPglite } from "../src/store/pglite.ts";

const compress = promisify(zstdCompress);
const params = {
  [constants.ZSTD_c_compressionLevel]: 22,
  // It holds each system catalogue three times, further apart than the usual window.
  [constants.ZSTD_c_windowLog]: 27,
  [constants.ZSTD_c_enableLongDistanceMatching]: 1,
};

const root = join(import.meta.dir, "..");
const target = join(root, "build", "assets", "cluster.tar.zst");

/** Makes the image if need be. */
export async function makeCluster(): Promise<void> {
  const parts = [
    await readFile(import.meta.path, "utf8"),
    await readFile(join(root, "src", "flow", "queue.ts"), "utf8"),
    await versionOf("@electric-sql/pglite"),
    await versionOf("pg-boss"),
    ...migrations.map(({ sql }) => sql),
  ];
  const stamp = Bun.hash(JSON.stringify(parts)).toString(16);
  const stampFile = `${target}.stamp`;
  const isMade = (await Bun.file(target).exists()) && (await Bun.file(stampFile).exists());
  if (isMade && (await readFile(stampFile, "utf8")) === stamp) return;
  const image = await newDatabase();
  const bytes = await compress(image, { params });
  const aside = `${target}.tmp-${process.pid}`;
  await writeFile(aside, bytes);
  await rename(aside, target);
  await writeFile(stampFile, stamp);
  const mb = (bytes: Uint8Array) => (bytes.length / 1e6).toFixed(1);
  console.log(`assets: cluster.tar ${mb(image)} -> ${mb(bytes)} MB`);
}

const versionOf = async (name: string): Promise<string> =>
  (await Bun.file(join(root, "node_modules", name, "package.json")).json()).version;

/** It is shut down, so that what starts on it has nothing to recover. */
async function newDatabase(): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-cluster-"));
  try {
    const data = join(folder, "db");
    // A new segment of the log is 1 MB of zeros to write, not 16.
    const pglite = await PGlite.create({ dataDir: data, initDbStartParams: ["--wal-segsize=1"] });
    const database = overPglite(pglite);
    await migrate(database);
    const queue = await openQueue(database, console);
    await queue.stop();
    await pglite.exec("update pg_database set datistemplate = false");
    for (const name of ["template0", "template1"]) await pglite.exec(`drop database ${name}`);
    await pglite.exec("vacuum analyze");
    // What ends the log stands alone in its newest segment then.
    await pglite.exec("select pg_switch_wal()");
    await database.close();
    return await packed(data);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A folder as a tar: its folders too, some of which must be there and are empty. */
async function packed(folder: string): Promise<Uint8Array> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  // Behind the segment in use lie old ones, kept to be written over.
  const [, ...spare] = (await readdir(join(folder, "pg_wal")))
    .filter((n) => SEGMENT.test(n))
    .sort();
  const entries = all
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(({ path, entry }) => !isMap(path) && !spare.includes(entry.name))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(async ({ entry, path }) => {
      const name = path.slice(folder.length + 1);
      const mtime = new Date(0);
      if (entry.isDirectory()) {
        return {
          header: { name: `${name}/`, size: 0, type: "directory", mode: 0o700, mtime },
        } as const;
      }
      const body = await readFile(path);
      return {
        header: { name, size: body.length, type: "file", mode: 0o600, mtime },
        body,
      } as const;
    });
  return packTar(await Promise.all(entries));
}

const SEGMENT = /^[0-9A-F]{24}$/;
const isMap = (path: string): boolean => /\/base\/\d+\/\d+_(fsm|vm)$/.test(path);

if (import.meta.main) await makeCluster();
