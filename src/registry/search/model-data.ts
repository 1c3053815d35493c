/*
 * Registered models and versions with all that belongs to them, however many they are.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { modelVersions, registeredModels } from "../../store/schema.ts";
import { REMOVED } from "../version-rows.ts";
import { textArray } from "./conditions.ts";
import { inChunks, inOrder, items, itemsIn, type KeyValue, pairs, pairsIn } from "./gather.ts";

export interface VersionId {
  readonly name: string;
  readonly version: number;
}

export interface VersionData {
  readonly row: typeof modelVersions.$inferSelect;
  readonly tags: readonly KeyValue[];
  readonly aliases: readonly string[];
}

export interface RegisteredData {
  readonly row: typeof registeredModels.$inferSelect;
  readonly tags: readonly KeyValue[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
  /** The newest version of each stage that has one. */
  readonly latest: readonly VersionData[];
}

const ofVersion = sql`t.name = model_versions.name and t.version = model_versions.version`;
const versionColumns = {
  row: modelVersions,
  tags: pairs(sql`model_version_tags t where ${ofVersion}`),
  aliases: items(sql`t.alias`, sql`aliases t where ${ofVersion}`, sql`t.alias collate "C"`),
};

/** The versions of these numbers, in their order; those that are removed too. */
export const versionData = (
  database: Database,
  ids: readonly VersionId[],
): Promise<VersionData[]> =>
  inChunks(ids, async (chunk) => {
    const wanted = chunk.map(({ name, version }) => ({ name, version }));
    const found = await database.orm
      .select(versionColumns)
      .from(modelVersions)
      .where(sql`(${modelVersions.name}, ${modelVersions.version}) in (
        select w.name, w.version
        from jsonb_to_recordset(${JSON.stringify(wanted)}::text::jsonb) as w(name text, version int))`);
    const all = found.map(({ row, tags, aliases }): VersionData => {
      return { row, tags: pairsIn(tags), aliases: itemsIn<string>(aliases) };
    });
    return inOrder(chunk.map(idOf), all, ({ row }) => idOf(row));
  });

const idOf = ({ name, version }: VersionId): string => `${version}/${name}`;

const modelColumns = {
  row: registeredModels,
  tags: pairs(sql`registered_model_tags t where t.name = registered_models.name`),
  aliases: items(
    sql`json_build_array(t.alias, t.version)`,
    sql`aliases t where t.name = registered_models.name`,
    sql`t.alias collate "C"`,
  ),
};

/** The models of these names, in their order. */
export const registeredData = (
  database: Database,
  names: readonly string[],
): Promise<RegisteredData[]> =>
  inChunks(names, async (chunk) => {
    const wanted = textArray(chunk);
    const found = await database.orm
      .select(modelColumns)
      .from(registeredModels)
      .where(sql`${registeredModels.name} = any(${wanted})`);
    const newest = await database.rows<VersionId>(sql`
      select name, max(version) as version from model_versions
      where name = any(${wanted}) and current_stage <> ${REMOVED}
      group by name, current_stage order by name, 2`);
    const versions = Map.groupBy(await versionData(database, newest), ({ row }) => row.name);
    const all = found.map(({ row, tags, aliases }): RegisteredData => {
      const pointers = itemsIn<readonly [string, number]>(aliases);
      return {
        row,
        tags: pairsIn(tags),
        aliases: pointers.map(([alias, version]) => ({ alias, version })),
        latest: versions.get(row.name) ?? [],
      };
    });
    return inOrder(chunk, all, ({ row }) => row.name);
  });
