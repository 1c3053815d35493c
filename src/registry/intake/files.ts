/*
 * Files of runs and logged models of another server, deleted ones too, which clients could not
 * write to any more.
 */
import type { Database } from "../../store/database.ts";
import type { Objects } from "../../store/objects.ts";
import { textsOf } from "../../store/text.ts";
import { type Instant, iso } from "../../types.ts";
import { storeStaged } from "../blob.ts";
import { filePath } from "../paths.ts";

/** Whose files they are. */
export interface Owner {
  readonly of: "run" | "model";
  readonly id: string;
}

export interface KnownFile {
  readonly id: string;
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** The SQL of taking files in. */
export function makeFileIntake({
  database,
  objects,
  clock,
}: {
  readonly database: Database;
  readonly objects: Objects;
  readonly clock: { now(): Instant };
}) {
  const ofRuns = database.prepared<KnownFile>(`
    select run_id as id, path, digest, size::float8 as size from artifacts
    where run_id = any($1::text[])`);
  // As `proxyPath` reads the address.
  const ROOT = "regexp_replace(l.artifact_uri, '^mlflow-artifacts:/+', '')";
  const ofModels = database.prepared<KnownFile>(`
    select l.model_id as id, substr(f.path, char_length(${ROOT}) + 2) as path, f.digest,
      f.size::float8 as size
    from logged_models l join files f on f.path ~>=~ (${ROOT} || '/') and f.path ~<~ (${ROOT} || '0')
    where l.model_id = any($1::text[])`);
  const putOfRun = database.prepared(`
    insert into artifacts (run_id, path, digest, size, created_at)
    values ($1::text, $2::text, $3::text, $4::bigint, $5::timestamptz)
    on conflict (run_id, path) do update set digest = excluded.digest, size = excluded.size,
      created_at = excluded.created_at`);
  const putOfModel = database.prepared(`
    insert into files (path, digest, size, created_at)
    select ${ROOT} || '/' || $2::text, $3::text, $4::bigint, $5::timestamptz
    from logged_models l where model_id = $1
    on conflict (path) do update set digest = excluded.digest, size = excluded.size,
      created_at = excluded.created_at`);

  return {
    /** Every file that is here of these owners, who are all of one kind. */
    known: (of: Owner["of"], ids: readonly string[]): Promise<KnownFile[]> =>
      (of === "run" ? ofRuns : ofModels)([textsOf(ids)]),

    /** The path as it is kept; `invalid_parameter` (400) for one that no file here can have. */
    path: filePath,

    /**
     * Stores a file as its bytes come, whole or not at all. `accept` may throw on what has come,
     * and nothing is kept then.
     */
    put: async (
      { of, id }: Owner,
      path: string,
      chunks: AsyncIterable<Uint8Array>,
      accept: (size: number) => void,
    ): Promise<{ digest: string; size: number }> => {
      const staged = await objects.stage(chunks);
      try {
        accept(staged.size);
      } catch (thrown) {
        await staged.drop();
        throw thrown;
      }
      return storeStaged(objects, staged, async ({ digest, size }) => {
        await (of === "run" ? putOfRun : putOfModel)([id, path, digest, size, iso(clock.now())]);
        return { digest, size };
      });
    },
  };
}
