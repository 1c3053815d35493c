/*
 * Registered models and their versions.
 */
import { and, asc, eq, ne } from "drizzle-orm";
import * as v from "valibot";
import type { Database } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import { aliases, modelVersions, registeredModels } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import type { Gate } from "./gates.ts";
import { modelName } from "./names.ts";
import { keysIn, type Page, type PageRequest, pageLimit, pageOf } from "./page.ts";
import { type Check, makeRegister } from "./register.ts";
import { makeRetention } from "./retention.ts";
import { isServableName } from "./sources.ts";
import { makeSweep } from "./sweep.ts";
import {
  REMOVED,
  unknownVersion,
  type Version,
  versionOf,
  versionOfRun,
  versionsBelow,
} from "./version-rows.ts";

export interface RegisteredModel {
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** Number of the newest version, or null when none is left. */
  readonly latest: number | null;
  /** Version by alias. */
  readonly aliases: Readonly<Record<string, number>>;
}

export type Versions = ReturnType<typeof makeVersions>;

const versionKeys = v.strictTuple([
  v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 31 - 1)),
]);

/** The registry: registering, reading and letting go of versions. `check` loads and smoke-tests. */
export function makeVersions(deps: {
  readonly database: Database;
  readonly objects: Objects;
  readonly clock: { now(): Instant };
  readonly check: Check;
}) {
  const { orm } = deps.database;
  const sweep = makeSweep(deps);

  /** One version, or null when there is none that can be served. */
  const version = async (name: string, number: number): Promise<Version | null> =>
    versionOf(orm, modelName(name), number);

  /** The version that a run was registered as, or null. */
  const ofRun = (name: string, runId: string): Promise<Version | null> =>
    versionOfRun(orm, modelName(name), runId);

  /** Versions newest first; `bad_token` or `bad_limit` (422). Of a model without any: none. */
  async function list(name: string, request: PageRequest): Promise<Page<Version>> {
    const limit = pageLimit(request.limit);
    const keys = keysIn(request.before, versionKeys);
    const rows = await versionsBelow(orm, modelName(name), keys?.[0] ?? null, limit + 1);
    return pageOf(rows, limit, (row) => [row.version]);
  }

  /** Puts the results of gates before those of earlier tries; `unknown_version` (404). */
  async function recordGates(name: string, number: number, gates: readonly Gate[]): Promise<void> {
    const at = new Date(deps.clock.now()).toISOString();
    await orm.transaction(async (tx) => {
      if ((await versionOf(tx, modelName(name), number)) === null) {
        throw unknownVersion(name, number);
      }
      const here = and(eq(modelVersions.name, name), eq(modelVersions.version, number));
      const rows = await tx
        .select({ gates: modelVersions.gates })
        .from(modelVersions)
        .where(here)
        .for("no key update");
      const added = gates.map((gate) => ({ ...gate, at }));
      await tx
        .update(modelVersions)
        .set({ gates: [...added, ...(rows[0]?.gates ?? [])] })
        .where(here);
    });
  }

  /** Whether a model of that name is registered, by a training or from outside. */
  async function isRegistered(name: string): Promise<boolean> {
    const rows = await orm
      .select({ name: registeredModels.name })
      .from(registeredModels)
      .where(eq(registeredModels.name, modelName(name)));
    return rows.length > 0;
  }

  /** The names of registered models, in order, but for those that no address here can have. */
  async function names(): Promise<string[]> {
    const rows = await orm
      .select({ name: registeredModels.name })
      .from(registeredModels)
      .orderBy(asc(registeredModels.name));
    return rows.flatMap(({ name }) => (isServableName(name) ? name : []));
  }

  /** Every registered model, by name. */
  async function models(): Promise<RegisteredModel[]> {
    const rows = await orm.select().from(registeredModels).orderBy(asc(registeredModels.name));
    const numbers = await orm
      .select({ name: modelVersions.name, version: modelVersions.version })
      .from(modelVersions)
      .where(ne(modelVersions.currentStage, REMOVED));
    const pointers = await orm.select().from(aliases).orderBy(asc(aliases.alias));
    const latest = new Map<string, number>();
    for (const row of numbers) {
      latest.set(row.name, Math.max(row.version, latest.get(row.name) ?? 0));
    }
    return rows.map((row) => ({
      name: row.name,
      description: row.description,
      createdAt: row.creationTime,
      updatedAt: row.lastUpdatedTime,
      latest: latest.get(row.name) ?? null,
      aliases: Object.fromEntries(
        pointers.filter((p) => p.name === row.name).map((p) => [p.alias, p.version]),
      ),
    }));
  }

  return {
    ...makeRegister(deps),
    ...makeRetention({ ...deps, sweep }),
    sweepOrphans: sweep.sweepOrphans,
    version,
    ofRun,
    versions: list,
    recordGates,
    isRegistered,
    names,
    models,
  };
}
