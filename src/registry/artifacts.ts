/*
 * Files of runs: the bytes in the object store under their digest, the path in a row.
 */
import { and, asc, eq, sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Database, Orm } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import { artifacts } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { storeMany } from "./blob.ts";
import { artifactPath, RUN_ID } from "./names.ts";
import { assertActive } from "./runs.ts";

export type ArtifactRow = typeof artifacts.$inferSelect;

/** A file of a run by its path. */
export interface RunFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The SQL of artifacts. */
export function makeArtifacts({
  database,
  objects,
  clock,
}: {
  database: Database;
  objects: Objects;
  clock: { now(): Instant };
}) {
  const { orm } = database;

  /** Stores a file of a run and returns its sha256; a file of the same path is replaced. */
  async function logArtifact(runId: string, path: string, bytes: Uint8Array): Promise<string> {
    return (await logArtifacts(runId, [{ path, bytes }]))[0]!;
  }

  /** Stores files of a run, each path once, and names them in one statement; their sha256s. */
  async function logArtifacts(runId: string, all: readonly RunFile[]): Promise<readonly string[]> {
    const files = all.map(({ path, bytes }) => ({ path: artifactPath(path), bytes }));
    await assertActive(orm, runId);
    if (files.length === 0) return [];
    const bytesOfAll = files.map(({ bytes }) => bytes);
    return storeMany(objects, bytesOfAll, async (digests) => {
      const createdAt = clock.now();
      const rows = files.map(({ path, bytes }, i) => ({
        ...{ runId, path, digest: digests[i]!, size: bytes.length, createdAt },
      }));
      // Writers that lock rows in one order cannot deadlock.
      await putArtifact(orm, ...rows.sort((a, b) => (a.path < b.path ? -1 : 1)));
      return digests;
    });
  }

  /** The bytes of a file; `unknown_artifact` (404), or what the object store throws. */
  async function readArtifact(runId: string, path: string): Promise<Uint8Array> {
    return objects.get((await fileOf(runId, path)).digest);
  }

  /** The same in pieces (see `Objects.read`), however large the file is. */
  async function readPieces(
    runId: string,
    path: string,
  ): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
    return objects.read((await fileOf(runId, path)).digest);
  }

  async function fileOf(runId: string, path: string): Promise<ArtifactRow> {
    artifactPath(path);
    const [file] = RUN_ID.test(runId)
      ? await orm
          .select()
          .from(artifacts)
          .where(and(eq(artifacts.runId, runId), eq(artifacts.path, path)))
      : [];
    if (file !== undefined) return file;
    throw new SluiceError({
      code: "unknown_artifact",
      status: 404,
      detail: `Run ${JSON.stringify(runId)} has no artifact ${JSON.stringify(path)}.`,
      fix: "Look the path up in the run's list of artifacts.",
    });
  }

  /** The run's files in order of paths; none for a run that is not known. */
  async function artifactsOf(runId: string): Promise<ArtifactRow[]> {
    if (!RUN_ID.test(runId)) return [];
    return orm
      .select()
      .from(artifacts)
      .where(eq(artifacts.runId, runId))
      .orderBy(asc(artifacts.path));
  }

  return { logArtifact, logArtifacts, readArtifact, readPieces, artifacts: artifactsOf };
}

/** Names bytes that are stored already as files of runs. */
export async function putArtifact(within: Orm, ...rows: readonly ArtifactRow[]): Promise<void> {
  await within
    .insert(artifacts)
    .values([...rows])
    .onConflictDoUpdate({
      target: [artifacts.runId, artifacts.path],
      set: {
        digest: sql`excluded.digest`,
        size: sql`excluded.size`,
        createdAt: sql`excluded.created_at`,
      },
    });
}
