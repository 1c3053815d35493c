/*
 * Files as the proxy of the MLflow protocol has them: by a path below its root. A path below the
 * location of a run is a row of that run's artifacts, so that what a client logged and what a
 * training here wrote are the same; any other is a row of its own. Folders are what paths have in
 * common. This is where a path becomes a row.
 */
import type { SluiceError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import type { Staged } from "../store/staged.ts";
import { type Instant, iso } from "../types.ts";
import { runDeleted, unknownRun } from "./batch.ts";
import { storeStaged } from "./blob.ts";
import { filePath, nameOf, safePath } from "./paths.ts";
import { badParameter, doesNotExist } from "./refusal.ts";
import { placeOf, proxyPath } from "./sources.ts";
import { REMOVED } from "./version-rows.ts";

export interface StoredFile {
  readonly digest: string;
  readonly size: number;
}

/** A file below a place that was asked for. */
export interface LocatedFile extends StoredFile {
  /** Empty where the place is the file itself. */
  readonly path: string;
}

/** One of a folder. */
export interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  /** Bytes of a file. */
  readonly size: number;
}

type Stage = "active" | "deleted";

/** What a path means: a file or folder of a run, or of none. */
export type Spot =
  | { readonly of: "run"; readonly runId: string; readonly stage: Stage; readonly path: string }
  | { readonly of: "proxy"; readonly path: string };

interface Home {
  readonly id: string;
  readonly uri: string;
  readonly stage: Stage;
}

export interface FilesDeps {
  readonly database: Database;
  readonly objects: Objects;
  readonly clock: { now(): Instant };
}

/** How many files of one address are looked at: a model has a few. */
const MOST = 10_000;

/** Rows below a folder, by the next segment of their path; the folder is empty or ends in "/". */
const entries = (folder: string, rows: string) => `
  select split_part(rest, '/', 1) as name, strpos(rest, '/') > 0 as "isFolder",
    max(size)::float8 as size
  from (select substr(path, char_length(${folder}) + 1) as rest, size ${rows}) t
  where rest <> '' group by 1, 2 order by split_part(rest, '/', 1) collate "C", 2`;

/** The SQL of files. */
export function makeFiles({ database, objects, clock }: FilesDeps) {
  const homes = database.prepared<Home>(`
    select run_id as id, artifact_uri as uri, lifecycle_stage as stage from runs
    where run_id = any($1::text[])`);
  const fileOfRun = database.prepared<StoredFile>(`
    select digest, size::float8 as size from artifacts where run_id = $1 and path = $2`);
  const fileOfProxy = database.prepared<StoredFile>(`
    select digest, size::float8 as size from files where path = $1`);
  // One statement, so that a run is not deleted in between.
  const putOfRun = database.prepared<{ id: string }>(`
    insert into artifacts (run_id, path, digest, size, created_at)
    select run_id, $2::text, $3::text, $4::bigint, $5::timestamptz from runs
    where run_id = $1 and lifecycle_stage = 'active'
    on conflict (run_id, path) do update set digest = excluded.digest, size = excluded.size,
      created_at = excluded.created_at
    returning run_id as id`);
  const putOfProxy = database.prepared(`
    insert into files (path, digest, size, created_at)
    values ($1::text, $2::text, $3::bigint, $4::timestamptz)
    on conflict (path) do update set digest = excluded.digest, size = excluded.size,
      created_at = excluded.created_at`);
  const entriesOfRun = database.prepared<Entry>(
    entries("$2::text", "from artifacts where run_id = $1 and starts_with(path, $2::text)"),
  );
  // A range of the index `files_below`: "0" is what comes after "/".
  const BELOW = "path ~>=~ ($1::text || '/') and path ~<~ ($1::text || '0')";
  const entriesOfProxy = database.prepared<Entry>(
    entries("$1::text || '/'", `from files where ${BELOW}`),
  );
  const entriesOfRoot = database.prepared<Entry>(entries("''", "from files"));
  const all = (rows: string) => `
    select path, digest, size::float8 as size ${rows} order by path collate "C" limit ${MOST}`;
  const allOfRun = database.prepared<LocatedFile>(
    all(`from artifacts where run_id = $1
      and ($2::text = '' or path = $2::text or starts_with(path, $2::text || '/'))`),
  );
  const allOfProxy = database.prepared<LocatedFile>(
    all(`from files where $1::text = '' or path = $1::text or (${BELOW})`),
  );
  const runsAt = database.prepared<{ id: string }>(`
    select run_id as id from runs r join experiments e using (experiment_id)
    where rtrim(e.artifact_location, '/') = any($1::text[])
      and r.artifact_uri = rtrim(e.artifact_location, '/') || '/' || run_id || '/artifacts'
      and exists (select from artifacts a where a.run_id = r.run_id)
    order by run_id`);
  const removeOfRun = database.prepared(`
    delete from artifacts where run_id = $1
      and ($2::text = '' or path = $2::text or starts_with(path, $2::text || '/'))`);
  const removeOfProxy = database.prepared(`
    delete from files where path = $1::text or (${BELOW})`);
  const versionAt = database.prepared<{ location: string }>(`
    select coalesce(storage_location, source) as location from model_versions
    where name = $1 and version = $2::int and current_stage <> '${REMOVED}'`);
  const modelAt = database.prepared<{ location: string }>(`
    select artifact_uri as location from logged_models
    where model_id = $1 and lifecycle_stage = 'active'`);

  /** What a path below the root means. */
  async function spotOf(path: string): Promise<Spot> {
    const segments = path.split("/");
    const ids = segments.filter((_, at) => segments[at + 1] === "artifacts");
    for (const { id, uri, stage } of ids.length === 0 ? [] : await homes([ids])) {
      const root = proxyPath(uri);
      if (root === null || (path !== root && !path.startsWith(`${root}/`))) continue;
      return { of: "run", runId: id, stage, path: path.slice(root.length + 1) };
    }
    return { of: "proxy", path };
  }

  /** A path of a run; `unknown_run` (404). */
  async function spotOfRun(runId: string, path: string): Promise<Spot & { root: string }> {
    const [home] = await homes([[runId]]);
    if (home === undefined) throw unknownRun(runId);
    return { of: "run", runId, stage: home.stage, path, root: home.uri };
  }

  /** A path below an address of files; null where nothing of such an address is kept here. */
  async function spotAt(location: string, path: string): Promise<Spot | null> {
    const place = placeOf(location);
    if (place === null) return null;
    const whole = [place.path, path].filter((part) => part !== "").join("/");
    return place.of === "run" ? spotOfRun(place.runId, whole) : spotOf(whole);
  }

  /** Where the files of a logged model are; `does_not_exist` (404). */
  async function locationOf(modelId: string): Promise<string> {
    const [row] = await modelAt([modelId]);
    if (row === undefined) throw doesNotExist(`Logged model with ID '${modelId}' not found.`);
    return row.location;
  }

  const fileAt = async (spot: Spot): Promise<StoredFile | null> =>
    (
      await (spot.of === "run" ? fileOfRun([spot.runId, spot.path]) : fileOfProxy([spot.path]))
    )[0] ?? null;

  /** The file of a path; `does_not_exist` (404). */
  async function found(spot: Spot | null, path: string): Promise<StoredFile> {
    const file = spot === null ? null : await fileAt(spot);
    if (file === null) throw noFile(path);
    return file;
  }

  async function entriesAt(spot: Spot): Promise<Entry[]> {
    if (spot.of === "run") {
      return entriesOfRun([spot.runId, spot.path === "" ? "" : `${spot.path}/`]);
    }
    const { path } = spot;
    if (path === "") return entriesOfRoot([]);
    const [own, runs, ofRun] = await Promise.all([
      entriesOfProxy([path]),
      runsAt([[`mlflow-artifacts:/${path}`, `mlflow-artifacts:///${path}`]]),
      spotOf(`${path}/artifacts`),
    ]);
    const folder = (name: string): Entry => ({ name, isFolder: true, size: 0 });
    const more = runs.map(({ id }) => folder(id));
    if (ofRun.of === "run" && (await entriesAt(ofRun)).length > 0) more.push(folder("artifacts"));
    const known = new Set(own.filter((one) => one.isFolder).map((one) => one.name));
    return [...own, ...more.filter(({ name }) => !known.has(name))];
  }

  /** `run_deleted` (400): nothing is written to those. */
  const assertOpen = (spot: Spot): void => {
    if (spot.of === "run" && spot.stage !== "active") throw runDeleted(spot.runId);
  };
  /** Also for a path that is a run's own folder: no file. */
  const assertTakes = (spot: Spot): void => {
    if (spot.path === "") throw badParameter("Invalid path");
    assertOpen(spot);
  };

  /** Names what is whole; a file of the same path is replaced. */
  async function name(spot: Spot, staged: Staged): Promise<void> {
    await storeStaged(objects, staged, async ({ digest, size }) => {
      const facts = [digest, size, iso(clock.now())];
      if (spot.of === "proxy") await putOfProxy([spot.path, ...facts]);
      else if ((await putOfRun([spot.runId, spot.path, ...facts])).length === 0) {
        throw runDeleted(spot.runId);
      }
    });
  }

  const put = async (spot: Spot, chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    assertTakes(spot);
    await name(spot, await objects.stage(chunks));
  };

  return {
    spotOf,
    name,
    assertTakes,

    /** Stores a file below the root as its bytes come; it is there whole or not at all. */
    put: async (path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> =>
      put(await spotOf(filePath(path)), chunks),

    /** Stores a file of a run; `unknown_run` (404), `run_deleted` (400). */
    putOfRun: async (runId: string, path: string, chunks: AsyncIterable<Uint8Array>) =>
      put(await spotOfRun(runId, filePath(path)), chunks),

    /** `unknown_run` (404), `run_deleted` (400) or a path that no file of a run can have (400). */
    assertTakesOfRun: async (runId: string, path: string): Promise<void> =>
      assertTakes(await spotOfRun(runId, filePath(path))),

    /** The file of a path below the root; `does_not_exist` (404). */
    file: async (path: string): Promise<StoredFile> => {
      const safe = filePath(path);
      return found(await spotOf(safe), safe);
    },

    /** The file of a path in a run; `unknown_run`, `does_not_exist` (404). */
    fileOfRun: async (runId: string, path: string): Promise<StoredFile> => {
      const safe = filePath(path);
      return found(await spotOfRun(runId, safe), safe);
    },

    /** The file of a path in a version, or the version's own where it is one file. */
    fileOfVersion: async (model: string, version: number, path: string): Promise<StoredFile> => {
      const safe = filePath(path);
      const [row] = await versionAt([model, version]);
      if (row === undefined) {
        throw doesNotExist(`Model Version (name=${model}, version=${version}) not found`);
      }
      const spot = await spotAt(row.location, safe);
      const below = spot === null ? null : await fileAt(spot);
      if (below !== null) return below;
      const isItself = nameOf(row.location) === safe;
      return found(isItself ? await spotAt(row.location, "") : null, safe);
    },

    /** The file of a path in a logged model. */
    fileOfModel: async (modelId: string, path: string): Promise<StoredFile> => {
      const safe = filePath(path);
      return found(await spotAt(await locationOf(modelId), safe), safe);
    },

    /**
     * Every file at an address, by its path below it; null where nothing of such an address is kept
     * here.
     */
    allAt: async (location: string): Promise<LocatedFile[] | null> => {
      const place = placeOf(location);
      if (place === null) return null;
      const spot = place.of === "run" ? place : await spotOf(place.path);
      const { path } = spot;
      const rows = await (spot.of === "run" ? allOfRun([spot.runId, path]) : allOfProxy([path]));
      const below = path === "" ? 0 : path.length + 1;
      return rows.map((row) => ({ ...row, path: row.path.slice(below) }));
    },

    /** The bytes of a file in pieces (see `Objects.read`). */
    read: objects.read,

    /** What is in a folder, in order of names; nothing where none is, or a file. */
    entries: async (path: string): Promise<Entry[]> => entriesAt(await spotOf(safePath(path))),

    /** What is in a folder of a run, and the address of the run's files. */
    entriesOfRun: async (runId: string, path: string) => {
      const safe = safePath(path);
      const spot = await spotOfRun(runId, safe);
      return { root: spot.root, path: safe, entries: await entriesAt(spot) };
    },

    /** What is in a folder of a logged model, and the address of its files. */
    entriesOfModel: async (modelId: string, path: string) => {
      const safe = safePath(path);
      const root = await locationOf(modelId);
      const spot = await spotAt(root, safe);
      return { root, path: safe, entries: spot === null ? [] : await entriesAt(spot) };
    },

    /**
     * Removes a file, or a folder with all that is in it; nothing there is no error. The files of
     * runs are removed run by run: a folder above those keeps them. Bytes that nothing names any
     * more go with the daily work.
     */
    remove: async (path: string): Promise<void> => {
      const safe = filePath(path);
      const [here, below] = await Promise.all([spotOf(safe), spotOf(`${safe}/artifacts`)]);
      const spot = here.of === "proxy" && below.of === "run" ? below : here;
      assertOpen(spot);
      if (spot.of === "run") await removeOfRun([spot.runId, spot.path]);
      else await removeOfProxy([spot.path]);
    },
  };
}

export type Files = ReturnType<typeof makeFiles>;

const noFile = (path: string): SluiceError =>
  doesNotExist(`No such artifact: '${path.slice(0, 300)}'`);
