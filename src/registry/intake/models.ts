/*
 * Registered models, versions and aliases of another server. Numbers stay what they are; a number
 * that another version has here is not taken. Which version serves is not decided here: `champion`
 * moves by promotion alone.
 */
import { reasonOf } from "../../errors.ts";
import type { Database } from "../../store/database.ts";
import { bound, textsOf } from "../../store/text.ts";
import type { Instant } from "../../types.ts";
import { makeClientAliases } from "../client-aliases.ts";
import { lockThere } from "../registered.ts";
import type { Servable, Served } from "../servable.ts";
import { sourceModel } from "../sources.ts";
import { REMOVED } from "../version-rows.ts";
import { type GivenModel, type GivenVersion, ORIGIN, rowsText } from "./given.ts";

export interface TakenVersion {
  /** `taken` now or `known` from before; `other`: the number is another version's here. */
  readonly how: "taken" | "known" | "other";
  /** Why it cannot be served; null where it can. */
  readonly unservable: string | null;
}

interface Here {
  readonly origin: string | null;
  readonly digest: string | null;
  readonly status: string | null;
}

interface Home {
  readonly origin: string;
  readonly uri: string;
}

export interface ModelIntakeDeps {
  readonly database: Database;
  readonly clock: { now(): Instant };
  readonly servable: Pick<Servable, "find">;
}

const ACTOR = "import-mlflow";

/** The SQL of taking models in. */
export function makeModelIntake({ database, clock, servable }: ModelIntakeDeps) {
  const pointers = makeClientAliases({ database, clock, onMoved: async () => {} });
  const make = database.prepared<{ name: string }>(`
    with made as (
      insert into registered_models (name, description, creation_time, last_updated_time)
      select name, description, created, updated from json_to_recordset($1::text::json)
        as t (name text, description text, created bigint, updated bigint)
      on conflict do nothing returning name)
    , tagged as (
      insert into registered_model_tags (name, key, value)
      select $2::text, key, value from json_to_recordset($3::text::json) as t (key text, value text)
      where exists (select from made)
        or exists (select from registered_models m where m.name = $2::text)
      on conflict do nothing)
    select name from made`);
  const here = database.prepared<Here>(`
    select digest, status_message as status,
      (select value from model_version_tags t where t.name = v.name and t.version = v.version
        and t.key = '${ORIGIN}') as origin
    from model_versions v where name = $1 and version = $2::int`);
  const homes = database.prepared<Home>(`
    select t.value as origin, r.artifact_uri as uri from tags t join runs r using (run_id)
    where t.key = '${ORIGIN}' and t.run_id = any($1::text[])
    union all
    select t.value, l.artifact_uri from logged_model_tags t join logged_models l using (model_id)
    where t.key = '${ORIGIN}' and t.model_id = any($1::text[])`);
  const logged = database.prepared<{ location: string; runId: string | null }>(`
    select artifact_uri as location, source_run_id as "runId" from logged_models
    where model_id = $1`);
  const locationOf = database.prepared<{ location: string; runId: string | null }>(`
    select coalesce(storage_location, source) as location, run_id as "runId" from model_versions
    where name = $1 and version = $2::int and current_stage <> '${REMOVED}'`);
  const aliased = database.prepared<{ version: number }>(`
    select version from aliases where name = $1 and alias = $2`);

  /** The source, where it names files that were brought here by the address they have here. */
  async function rewritten({ source, runId, modelId }: GivenVersion): Promise<string> {
    if (/^(runs|models):/.test(source)) return source;
    const segments = source.split("/");
    const ids = segments.filter((_, at) => segments[at + 1] === "artifacts");
    const all = [...ids, ...[runId, modelId].filter((id) => id !== null)];
    for (const { origin, uri } of all.length === 0 ? [] : await homes([textsOf(all)])) {
      const root = origin.replace(/\/+$/, "");
      if (source === root || source.startsWith(`${root}/`)) return uri + source.slice(root.length);
    }
    return source;
  }

  /** Where its files are, where the source names another thing that has files. */
  async function storageOf(source: string) {
    const of = sourceModel(source);
    if (of === null) return null;
    const [row] = await ("modelId" in of
      ? logged([of.modelId])
      : locationOf([of.name, of.version]));
    return row ?? null;
  }

  async function insert(
    given: GivenVersion,
    facts: { source: string; storage: string | null; runId: string | null; modelId: string | null },
    served: Served | null,
    statusMessage: string | null,
  ): Promise<void> {
    const { name, version, description, userId, stage, runLink, status, created, updated } = given;
    const row = {
      ...{ name, version, description, userId, stage, runLink, status, created, updated },
      ...{ ...facts, statusMessage },
      ...{ digest: served?.digest ?? null, size: served?.size ?? null },
      signature: served === null ? null : JSON.stringify(served.signature),
    };
    const tags = [
      ...given.tags.filter(([key]) => key !== ORIGIN).map(([key, value]) => ({ key, value })),
      { key: ORIGIN, value: given.source },
    ];
    await database.orm.transaction(async (tx) => {
      await lockThere(tx, name);
      await database.rows(bound(INSERT, [rowsText([row])]), tx);
      await database.rows(bound(TAGS, [name, version, rowsText(tags)]), tx);
    });
  }

  return {
    /** Makes a model without versions, or adds tags to the one of its name; true: it was made. */
    takeModel: async (given: GivenModel): Promise<boolean> => {
      const { name, description, created, updated, tags } = given;
      const model = rowsText([{ name, description, created, updated }]);
      const pairs = rowsText(tags.map(([key, value]) => ({ key, value })));
      return (await make([model, name, pairs])).length > 0;
    },

    /** Registers a version under its number; where it can be served, it is tried now. */
    takeVersion: async (given: GivenVersion): Promise<TakenVersion> => {
      const [there] = await here([given.name, given.version]);
      if (there !== undefined) {
        const how = there.origin === given.source ? "known" : "other";
        const why = there.digest === null ? (there.status ?? "it was deleted") : null;
        return { how, unservable: why };
      }
      const source = await rewritten(given);
      const of = await storageOf(source);
      const model = sourceModel(source);
      const modelId = model !== null && "modelId" in model ? model.modelId : null;
      const facts = {
        ...{ source, storage: of?.location ?? null },
        runId: given.runId ?? of?.runId ?? null,
        modelId: given.modelId ?? modelId,
      };
      const isHere = given.status === "READY" && given.stage !== REMOVED;
      const found = isHere
        ? await servable
            .find(given.name, facts.storage ?? source)
            .catch((thrown) => reasonOf(thrown).slice(0, 500))
        : (given.statusMessage ?? given.status);
      const isServed = typeof found !== "string";
      await insert(given, facts, isServed ? found : null, isServed ? null : found);
      return { how: "taken", unservable: isServed ? null : found };
    },

    /** Points an alias at a version, unless it points elsewhere here: the version that it has. */
    takeAlias: async (name: string, alias: string, version: number): Promise<number> => {
      const [there] = await aliased([name, alias]);
      if (there !== undefined) return there.version;
      await pointers.pointAlias(name, alias, version, ACTOR);
      return version;
    },

    /** The version that an alias has here, or null. */
    aliased: async (name: string, alias: string): Promise<number | null> =>
      (await aliased([name, alias]))[0]?.version ?? null,
  };
}

const INSERT = `
  insert into model_versions (name, version, description, user_id, current_stage, source,
    storage_location, run_id, run_link, model_id, status, status_message, creation_time,
    last_updated_time, digest, size, signature)
  select name, version, description, "userId", stage, source, storage, "runId", "runLink",
    "modelId", status, "statusMessage", created, updated, digest, size, signature::jsonb
  from json_to_recordset($1::text::json) as t (name text, version int, description text,
    "userId" text, stage text, source text, storage text, "runId" text, "runLink" text,
    "modelId" text, status text, "statusMessage" text, created bigint, updated bigint,
    digest text, size bigint, signature text)
  on conflict do nothing`;

const TAGS = `
  insert into model_version_tags (name, version, key, value)
  select $1::text, $2::int, key, value
  from json_to_recordset($3::text::json) as t (key text, value text)
  on conflict do nothing`;
