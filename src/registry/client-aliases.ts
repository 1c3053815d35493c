/*
 * Aliases as clients move them. `champion` is none of these: it moves by promotion alone, under the
 * checks that every promotion has.
 */
import { and, eq, ne } from "drizzle-orm";
import { aliases, aliasHistory, modelVersions } from "../store/schema.ts";
import { isNumber, noVersion } from "./client-versions.ts";
import { badParameter } from "./refusal.ts";
import { dropAliases, type Leave, lockThere, type RegisteredDeps } from "./registered.ts";
import { REMOVED } from "./version-rows.ts";

/** The SQL of clients' aliases. */
export function makeClientAliases({ database, clock, onMoved }: RegisteredDeps) {
  const { orm } = database;

  return {
    /** Points an alias at a version, whether or not that can be served. */
    pointAlias: async (name: string, alias: string, version: number, actor: string) => {
      const moved = await orm.transaction(async (tx) => {
        await lockThere(tx, name);
        const found = isNumber(version)
          ? await tx
              .select({ version: modelVersions.version })
              .from(modelVersions)
              .where(
                and(
                  eq(modelVersions.name, name),
                  eq(modelVersions.version, version),
                  ne(modelVersions.currentStage, REMOVED),
                ),
              )
          : [];
        if (found.length === 0) throw noVersion(name, version);
        const here = and(eq(aliases.name, name), eq(aliases.alias, alias));
        const [before] = await tx.select().from(aliases).where(here);
        if (before?.version === version) return false;
        const since = clock.now();
        await tx
          .insert(aliases)
          .values({ name, alias, version, since })
          .onConflictDoUpdate({ target: [aliases.name, aliases.alias], set: { version, since } });
        await tx.insert(aliasHistory).values({
          ...{ name, alias, fromVersion: before?.version ?? null, toVersion: version, at: since },
          ...{ actor, reason: "set by a client" },
        });
        return true;
      });
      if (moved) await onMoved(name);
    },

    /** Takes an alias away; one that is not there is no error. */
    dropAlias: async (name: string, alias: string, leave: Leave): Promise<void> => {
      const moved = await orm.transaction(async (tx) => {
        await lockThere(tx, name);
        const pointers = await tx
          .select()
          .from(aliases)
          .where(and(eq(aliases.name, name), eq(aliases.alias, alias)));
        const reason = "taken away by a client";
        await dropAliases(tx, pointers, { ...leave, reason, at: clock.now() });
        return pointers.length > 0;
      });
      if (moved) await onMoved(name);
    },

    /** The version that an alias names; `invalid_parameter` (400) where there is no such alias. */
    aliased: async (name: string, alias: string): Promise<number> => {
      const [row] = await orm
        .select({ version: aliases.version })
        .from(aliases)
        .where(and(eq(aliases.name, name), eq(aliases.alias, alias)));
      if (row === undefined) throw noAlias(alias);
      return row.version;
    },
  };
}

export const noAlias = (alias: string) =>
  badParameter(`Registered model alias ${alias.slice(0, 300)} not found.`);
