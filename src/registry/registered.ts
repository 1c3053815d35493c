/*
 * Registered models as clients make, rename and delete them. What takes an alias away is a row of
 * its history, in the same transaction.
 */
import { and, desc, eq, ne } from "drizzle-orm";
import type { SluiceError } from "../errors.ts";
import type { Database, Orm } from "../store/database.ts";
import { isUniqueViolation } from "../store/pipeline-runs.ts";
import { aliases, aliasHistory, modelVersions, registeredModels } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { CHAMPION } from "./promotion.ts";
import { alreadyExists, badParameter, doesNotExist } from "./refusal.ts";
import { type RegisteredData, registeredData, type VersionData } from "./search/model-data.ts";
import { isServableName } from "./sources.ts";
import { lockModel, REMOVED } from "./version-rows.ts";

export type Pair = readonly [key: string, value: string];

/** Who takes a champion away, and what stands against it. */
export interface Leave {
  readonly actor: string;
  /** Thrown where `champion` would be taken away; null: this caller may. */
  readonly refusal: SluiceError | null;
}

export interface RegisteredDeps {
  readonly database: Database;
  readonly clock: { now(): Instant };
  /** Told after an alias moved or went; what it throws does not undo that. */
  readonly onMoved: (name: string) => Promise<void>;
}

/** The SQL of registered models. */
export function makeRegistered({ database, clock, onMoved }: RegisteredDeps) {
  const { orm } = database;
  const make = database.prepared<{ name: string }>(`
    with made as (
      insert into registered_models (name, description, creation_time, last_updated_time)
      values ($1::text, $2::text, $3::bigint, $3::bigint) on conflict do nothing returning name)
    , tagged as (
      insert into registered_model_tags (name, key, value)
      select name, key, value from made, unnest($4::text[], $5::text[]) as t (key, value))
    select name from made`);
  const describe = database.prepared<{ name: string }>(`
    update registered_models set description = coalesce($2::text, description),
      last_updated_time = $3::bigint
    where name = $1 returning name`);
  const tag = database.prepared<{ name: string }>(`
    with model as (select name from registered_models where name = $1)
    , tagged as (
      insert into registered_model_tags (name, key, value)
      select name, $2::text, $3::text from model
      on conflict (name, key) do update set value = excluded.value)
    select name from model`);
  const untag = database.prepared<{ name: string }>(`
    with model as (select name from registered_models where name = $1)
    , gone as (delete from registered_model_tags t using model
      where t.name = model.name and t.key = $2)
    select name from model`);

  /** A model with its tags, aliases and newest versions; `does_not_exist` (404). */
  async function registered(name: string): Promise<RegisteredData> {
    const [found] = await registeredData(database, [name]);
    if (found === undefined) throw noModel(name);
    return found;
  }

  const assertThere = (name: string, [row]: readonly object[]): void => {
    if (row === undefined) throw noModel(name);
  };

  return {
    registered,

    /** Makes a model without versions; `already_exists` (400). */
    makeModel: async (model: {
      name: string;
      description: string | null;
      tags: readonly Pair[];
    }): Promise<RegisteredData> => {
      const { name, description, tags } = model;
      const columns = [tags.map(([key]) => key), tags.map(([, value]) => value)];
      const [row] = await make([name, description, clock.now(), ...columns]);
      if (row === undefined) throw nameTaken(name);
      return registered(name);
    },

    /** Changes what is given of a model; undefined leaves it. */
    describeModel: async (name: string, text: string | undefined): Promise<RegisteredData> => {
      assertThere(name, await describe([name, text ?? null, clock.now()]));
      return registered(name);
    },

    tagModel: async (name: string, [key, value]: Pair): Promise<void> =>
      assertThere(name, await tag([name, key, value])),

    /** Removes a tag; one that is not there is no error. */
    untagModel: async (name: string, key: string): Promise<void> =>
      assertThere(name, await untag([name, key])),

    /** Gives a model with all that is of it another name; `already_exists` (400). */
    renameModel: async (name: string, to: string, leave: Leave): Promise<RegisteredData> => {
      const moved = await orm
        .transaction(async (tx) => {
          await lockThere(tx, name);
          const pointers = await aliasesOf(tx, name);
          if (pointers.some(({ alias }) => alias === CHAMPION)) {
            if (leave.refusal !== null) throw leave.refusal;
            if (!isServableName(to)) throw unservable(name, to);
          }
          if (name === to) return false;
          await tx
            .update(registeredModels)
            .set({ name: to, lastUpdatedTime: clock.now() })
            .where(eq(registeredModels.name, name));
          await tx.update(aliasHistory).set({ name: to }).where(eq(aliasHistory.name, name));
          return pointers.length > 0;
        })
        .catch((thrown) => {
          throw isUniqueViolation(thrown) ? nameTaken(to) : thrown;
        });
      if (moved) await Promise.all([onMoved(name), onMoved(to)]);
      return registered(to);
    },

    /** Deletes a model with its versions, tags and aliases; the history of these stays. */
    deleteModel: async (name: string, { actor, refusal }: Leave): Promise<void> => {
      const moved = await orm.transaction(async (tx) => {
        await lockThere(tx, name);
        const pointers = await aliasesOf(tx, name);
        const reason = "the model was deleted";
        await dropAliases(tx, pointers, { actor, refusal, reason, at: clock.now() });
        await tx.delete(registeredModels).where(eq(registeredModels.name, name));
        return pointers.length > 0;
      });
      if (moved) await onMoved(name);
    },

    /** The newest version of each stage, or of these stages. */
    latest: async (name: string, stages: readonly string[]): Promise<readonly VersionData[]> => {
      const { latest } = await registered(name);
      if (stages.length === 0) return latest;
      return latest.filter(({ row }) => stages.includes(row.currentStage));
    },

    /** The number of the newest version; null without any. */
    newest: async (name: string): Promise<number | null> => {
      await registered(name);
      const [row] = await orm
        .select({ version: modelVersions.version })
        .from(modelVersions)
        .where(and(eq(modelVersions.name, name), ne(modelVersions.currentStage, REMOVED)))
        .orderBy(desc(modelVersions.version))
        .limit(1);
      return row?.version ?? null;
    },
  };
}

/** Locks a model for the rest of the transaction; `does_not_exist` (404). */
export async function lockThere(tx: Orm, name: string): Promise<void> {
  await lockModel(tx, name);
  const rows = await tx
    .select({ name: registeredModels.name })
    .from(registeredModels)
    .where(eq(registeredModels.name, name));
  if (rows.length === 0) throw noModel(name);
}

type AliasRow = typeof aliases.$inferSelect;

const aliasesOf = (tx: Orm, name: string): Promise<AliasRow[]> =>
  tx.select().from(aliases).where(eq(aliases.name, name));

/** Takes these aliases away, each with a row of history. The model is locked. */
export async function dropAliases(
  tx: Orm,
  pointers: readonly AliasRow[],
  { actor, refusal, reason, at }: Leave & { readonly reason: string; readonly at: Instant },
): Promise<void> {
  for (const { name, alias, version } of pointers) {
    if (alias === CHAMPION && refusal !== null) throw refusal;
    await tx.delete(aliases).where(and(eq(aliases.name, name), eq(aliases.alias, alias)));
    await tx
      .insert(aliasHistory)
      .values({ name, alias, fromVersion: version, toVersion: null, at, actor, reason });
  }
}

export const noModel = (name: string): SluiceError =>
  doesNotExist(`Registered Model with name=${name.slice(0, 300)} not found`);

const nameTaken = (name: string): SluiceError =>
  alreadyExists(`Registered Model (name=${name}) already exists.`);

const unservable = (name: string, to: string): SluiceError =>
  badParameter(
    `${name} has a champion, which could not be served as '${to}': names in the addresses of ` +
      "predictions have small letters, digits, _ and -, at most 63.",
  );
