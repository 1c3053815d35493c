/*
 * Versions as clients register, describe, stage and delete them: rows of the same table, under the
 * same numbers, as those that are trained here.
 */
import { and, eq, ne } from "drizzle-orm";
import type { SluiceError } from "../errors.ts";
import { reasonOf } from "../errors.ts";
import type { Orm } from "../store/database.ts";
import {
  aliases,
  loggedModels,
  loggedModelTags,
  modelVersions,
  modelVersionTags,
  registeredModels,
} from "../store/schema.ts";
import { doesNotExist } from "./refusal.ts";
import { nextNumber } from "./register.ts";
import {
  dropAliases,
  type Leave,
  lockThere,
  type Pair,
  type RegisteredDeps,
} from "./registered.ts";
import { type VersionData, versionData } from "./search/model-data.ts";
import { IS_PROMPT } from "./search/prompts.ts";
import type { Servable, Served } from "./servable.ts";
import { assertPlain, checkedSource, sourceModel } from "./sources.ts";
import { REMOVED } from "./version-rows.ts";

export interface NewVersion {
  readonly name: string;
  readonly source: string;
  readonly runId: string | null;
  readonly modelId: string | null;
  readonly runLink: string | null;
  readonly description: string | null;
  readonly userId: string | null;
  readonly tags: readonly Pair[];
}

/** What a source says of where a version is from; null where it says nothing. */
interface Origin {
  readonly location: string | null;
  readonly runId: string | null;
  readonly modelId: string | null;
}

const NOWHERE: Origin = { location: null, runId: null, modelId: null };

/** Its value is written as clients write it, which compare the text. */
const VERSIONS = "mlflow.modelVersions";
const TAG_LENGTH = 8_000;

export type Stage = "None" | "Staging" | "Production" | "Archived";

/** The SQL of clients' versions. */
export function makeClientVersions(
  deps: RegisteredDeps & { readonly servable: Pick<Servable, "find"> },
) {
  const { database, clock, onMoved, servable } = deps;
  const { orm } = database;
  const tag = database.prepared<{ version: number }>(`
    with found as (select name, version from model_versions
      where name = $1 and version = $2::int and current_stage <> '${REMOVED}')
    , tagged as (
      insert into model_version_tags (name, version, key, value)
      select name, version, $3::text, $4::text from found
      on conflict (name, version, key) do update set value = excluded.value)
    select version from found`);
  const untag = database.prepared<{ version: number }>(`
    with found as (select name, version from model_versions
      where name = $1 and version = $2::int and current_stage <> '${REMOVED}')
    , gone as (delete from model_version_tags t using found
      where t.name = found.name and t.version = found.version and t.key = $3)
    select version from found`);

  const isThere = (name: string, version: number) =>
    and(
      eq(modelVersions.name, name),
      eq(modelVersions.version, version),
      ne(modelVersions.currentStage, REMOVED),
    );

  /** A version with its tags and aliases; `does_not_exist` (404), also for one that was deleted. */
  async function version(name: string, number: number): Promise<VersionData> {
    const [found] = isNumber(number)
      ? await versionData(database, [{ name, version: number }])
      : [];
    if (found === undefined || found.row.currentStage === REMOVED) throw noVersion(name, number);
    return found;
  }

  /** Where the files of a source are, and the run and logged model that it is of. */
  async function resolved(source: string): Promise<Origin> {
    const of = sourceModel(checkedSource(source));
    if (of === null) return NOWHERE;
    if ("modelId" in of) {
      const [model] = await orm
        .select()
        .from(loggedModels)
        .where(
          and(eq(loggedModels.modelId, of.modelId), eq(loggedModels.lifecycleStage, "active")),
        );
      if (model === undefined) throw noLogged(of.modelId);
      return { location: model.artifactUri, runId: model.sourceRunId, modelId: of.modelId };
    }
    const { row } = await version(of.name, of.version);
    const location = row.storageLocation ?? row.source;
    return { location, runId: row.runId, modelId: row.modelId };
  }

  async function insert(
    tx: Orm,
    { name, source, runId, modelId, runLink, description, userId, tags }: NewVersion,
    storageLocation: string | null,
    served: Served | { readonly statusMessage: string },
  ): Promise<number> {
    await lockThere(tx, name);
    const number = await nextNumber(tx, name);
    const now = clock.now();
    await tx.insert(modelVersions).values({
      ...{ name, version: number, source, storageLocation, runId, modelId, runLink },
      ...{ description, userId, status: "READY", creationTime: now, lastUpdatedTime: now },
      ...served,
    });
    if (tags.length > 0) {
      const rows = tags.map(([key, value]) => ({ name, version: number, key, value }));
      await tx.insert(modelVersionTags).values(rows);
    }
    if (modelId !== null) await tell(tx, modelId, name, number);
    await touch(tx, name);
    return number;
  }

  /** Notes at a logged model which versions it is, in the tag that clients read. */
  async function tell(tx: Orm, modelId: string, name: string, version: number): Promise<void> {
    const [model] = await tx
      .select({ modelId: loggedModels.modelId })
      .from(loggedModels)
      .where(eq(loggedModels.modelId, modelId))
      .for("update");
    if (model === undefined) return;
    // Registered again and again, it tells of the first.
    const isTag = and(eq(loggedModelTags.modelId, modelId), eq(loggedModelTags.key, VERSIONS));
    const [tag] = await tx.select().from(loggedModelTags).where(isTag);
    const entry = `{"name": ${JSON.stringify(name)}, "version": ${version}}`;
    const before = /^\[(.+)\]$/s.exec(tag?.value ?? "")?.[1];
    const value = `[${before === undefined ? "" : `${before}, `}${entry}]`;
    if (value.length > TAG_LENGTH) return;
    if (tag === undefined) {
      await tx.insert(loggedModelTags).values({ modelId, key: VERSIONS, value });
    } else await tx.update(loggedModelTags).set({ value }).where(isTag);
  }

  const touch = async (tx: Orm, name: string): Promise<void> => {
    await tx
      .update(registeredModels)
      .set({ lastUpdatedTime: clock.now() })
      .where(eq(registeredModels.name, name));
  };

  return {
    version,

    /**
     * Registers the next version. Where one ONNX file is among its files and can be served, it is
     * tried now; else the status message says why nothing can be served of it. Throws
     * `does_not_exist` (404) and `invalid_parameter` (400).
     */
    makeVersion: async (wanted: NewVersion): Promise<VersionData> => {
      const isPrompt = wanted.tags.some(([key, value]) => key === IS_PROMPT && value === "true");
      // Clients have to name a source of a prompt as well; it stands for nothing.
      if (isPrompt) assertPlain(wanted.source);
      const { location, runId, modelId } = isPrompt ? NOWHERE : await resolved(wanted.source);
      const served = isPrompt
        ? { statusMessage: "It is a prompt: a text, of which nothing can be served." }
        : await servable.find(wanted.name, location ?? wanted.source).catch((thrown) => ({
            statusMessage: reasonOf(thrown).slice(0, 500),
          }));
      const of = { runId: wanted.runId ?? runId, modelId: wanted.modelId ?? modelId };
      const made = { ...wanted, ...of };
      const number = await orm.transaction((tx) => insert(tx, made, location, served));
      return version(wanted.name, number);
    },

    /** Changes the description; undefined leaves it. */
    describeVersion: async (name: string, number: number, text: string | undefined) => {
      const rows = isNumber(number)
        ? await orm
            .update(modelVersions)
            .set({
              ...(text === undefined ? {} : { description: text }),
              lastUpdatedTime: clock.now(),
            })
            .where(isThere(name, number))
            .returning({ version: modelVersions.version })
        : [];
      if (rows.length === 0) throw noVersion(name, number);
      return version(name, number);
    },

    /** Moves a version to a stage; with `archive`, those that were there go to Archived. */
    stageVersion: async (name: string, number: number, stage: Stage, archive: boolean) => {
      await orm.transaction(async (tx) => {
        await lockThere(tx, name);
        const moved = { currentStage: stage, lastUpdatedTime: clock.now() };
        const rows = isNumber(number)
          ? await tx
              .update(modelVersions)
              .set(moved)
              .where(isThere(name, number))
              .returning({ version: modelVersions.version })
          : [];
        if (rows.length === 0) throw noVersion(name, number);
        if (archive) {
          await tx
            .update(modelVersions)
            .set({ ...moved, currentStage: "Archived" })
            .where(
              and(
                eq(modelVersions.name, name),
                ne(modelVersions.version, number),
                eq(modelVersions.currentStage, stage),
              ),
            );
        }
        await touch(tx, name);
      });
      return version(name, number);
    },

    tagVersion: async (name: string, number: number, [key, value]: Pair): Promise<void> => {
      const rows = isNumber(number) ? await tag([name, number, key, value]) : [];
      if (rows.length === 0) throw noVersion(name, number);
    },

    /** Removes a tag; one that is not there is no error. */
    untagVersion: async (name: string, number: number, key: string): Promise<void> => {
      const rows = isNumber(number) ? await untag([name, number, key]) : [];
      if (rows.length === 0) throw noVersion(name, number);
    },

    /**
     * Deletes a version with its aliases and tags. Its number is never given again; its bytes are
     * left to a sweep.
     */
    deleteVersion: async (name: string, number: number, leave: Leave): Promise<void> => {
      const moved = await orm.transaction(async (tx) => {
        await lockThere(tx, name);
        if (!isNumber(number)) throw noVersion(name, number);
        const at = clock.now();
        const rows = await tx
          .update(modelVersions)
          .set({
            ...{ currentStage: REMOVED, digest: null, trained: false, lastUpdatedTime: at },
            statusMessage: `Deleted by ${leave.actor}.`,
          })
          .where(isThere(name, number))
          .returning({ version: modelVersions.version });
        if (rows.length === 0) throw noVersion(name, number);
        const pointers = await tx
          .select()
          .from(aliases)
          .where(and(eq(aliases.name, name), eq(aliases.version, number)));
        await dropAliases(tx, pointers, { ...leave, reason: "the version was deleted", at });
        await tx
          .delete(modelVersionTags)
          .where(and(eq(modelVersionTags.name, name), eq(modelVersionTags.version, number)));
        await touch(tx, name);
        return pointers.length > 0;
      });
      if (moved) await onMoved(name);
    },
  };
}

/** What the column holds. */
export const isNumber = (version: number): boolean =>
  Number.isInteger(version) && version >= 1 && version <= 2 ** 31 - 1;

export const noVersion = (name: string, version: number): SluiceError =>
  doesNotExist(`Model Version (name=${name.slice(0, 300)}, version=${version}) not found`);

export const noLogged = (id: string): SluiceError =>
  doesNotExist(`Logged model with ID '${id.slice(0, 300)}' not found.`);
