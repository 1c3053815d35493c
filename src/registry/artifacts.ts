/*
 * Files of runs: the bytes in the object store under their digest, the path in a row.
 */
import { and, asc, eq, sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Database, Orm } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import { artifacts } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { storeBytes } from "./blob.ts";
import { artifactPath, RUN_ID } from "./names.ts";
import { assertActive } from "./runs.ts";

export type ArtifactRow = typeof artifacts.$inferSelect;

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
    artifactPath(path);
    await assertActive(orm, runId);
    return storeBytes(objects, bytes, async (digest) => {
      const createdAt = clock.now();
      await putArtifact(orm, { runId, path, digest, size: bytes.length, createdAt });
      return digest;
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

  return { logArtifact, readArtifact, readPieces, artifacts: artifactsOf };
}

/** Names bytes that are stored already as a file of the run. */
export async function putArtifact(within: Orm, row: ArtifactRow): Promise<void> {
  await within
    .insert(artifacts)
    .values(row)
    .onConflictDoUpdate({
      target: [artifacts.runId, artifacts.path],
      set: {
        digest: sql`excluded.digest`,
        size: sql`excluded.size`,
        createdAt: sql`excluded.created_at`,
      },
    });
}
