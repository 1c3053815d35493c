/*
 * Makes build/assets/cluster.tar.zst, the embedded database as a first start leaves it: every
 * migration applied and the queue's schema made, which would take a new installation seconds. Does
 * nothing when it is there already for the same migrations and packages.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";
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
  const packed = await compress(image, { params });
  const aside = `${target}.tmp-${process.pid}`;
  await writeFile(aside, packed);
  await rename(aside, target);
  await writeFile(stampFile, stamp);
  const mb = (bytes: Uint8Array) => (bytes.length / 1e6).toFixed(1);
  console.log(`assets: cluster.tar ${mb(image)} -> ${mb(packed)} MB`);
}

const versionOf = async (name: string): Promise<string> =>
  (await Bun.file(join(root, "node_modules", name, "package.json")).json()).version;

async function newDatabase(): Promise<Uint8Array> {
  const pglite = await PGlite.create();
  const database = overPglite(pglite);
  await migrate(database);
  const queue = await openQueue(database, console);
  await queue.stop();
  await pglite.exec("vacuum analyze");
  await pglite.exec("checkpoint");
  const image = await pglite.dumpDataDir("none");
  await database.close();
  return new Uint8Array(await image.arrayBuffer());
}

if (import.meta.main) await makeCluster();
