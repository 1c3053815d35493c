/*
 * Aliases and how they move. A move is one transaction under the model's lock: compare, set, and
 * a row of history; a reader sees the champion before or the champion after, never none or two.
 */
import { and, asc, desc, eq } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Database, Orm } from "../store/database.ts";
import { aliases, aliasHistory, modelVersions } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { aliasName, modelName } from "./names.ts";
import { earlierChampions, rollbackReason } from "./rollback.ts";
import { lockModel, unknownVersion, versionOf } from "./version-rows.ts";

export const CHAMPION = "champion";

export interface Champion {
  readonly version: number;
  readonly digest: string;
  readonly since: Instant;
}

/** Where an alias points after a move; `changed` is false when it pointed there before. */
export interface Moved extends Champion {
  readonly name: string;
  readonly alias: string;
  readonly previous: number | null;
  readonly changed: boolean;
}

/** Who moves an alias and why; kept in the history. */
export interface Motive {
  readonly actor: string;
  readonly reason: string;
  /** That a gate which failed was overruled. */
  readonly forced?: boolean;
}

export interface PromoteRequest extends Motive {
  readonly name: string;
  readonly version: number;
  /** The champion that must be in place: undefined for any, null for none. */
  readonly expected?: number | null | undefined;
  /** Runs first in the transaction; its throwing (a lease that was lost) moves nothing. */
  readonly guard?: ((tx: Orm) => Promise<void>) | undefined;
}

export interface RollbackRequest {
  readonly name: string;
  readonly actor: string;
  /** The champion that must be in place; undefined for any. */
  readonly expected?: number | undefined;
}

/** Where an alias points, with what it takes to load that. */
export interface Pointer extends Champion {
  readonly name: string;
  readonly alias: string;
  readonly runId: string | null;
}

export type AliasRow = typeof aliases.$inferSelect;
export type HistoryRow = typeof aliasHistory.$inferSelect;
export type Promotion = ReturnType<typeof makePromotion>;

/**
 * The SQL of aliases. `onMoved` is called after each commit that moved one and is waited for; the
 * move stands even where it throws, so it must report its own failures.
 */
export function makePromotion({
  database,
  clock,
  onMoved,
}: {
  readonly database: Database;
  readonly clock: { now(): Instant };
  readonly onMoved?: (name: string, alias: string, version: number) => void | Promise<void>;
}) {
  const { orm } = database;

  /** The version that serves, or null when the model has none. */
  async function champion(name: string): Promise<Champion | null> {
    const rows = await orm
      .select({
        version: aliases.version,
        digest: modelVersions.digest,
        since: aliases.since,
      })
      .from(aliases)
      .innerJoin(
        modelVersions,
        and(eq(modelVersions.name, aliases.name), eq(modelVersions.version, aliases.version)),
      )
      .where(and(eq(aliases.name, modelName(name)), eq(aliases.alias, CHAMPION)));
    const row = rows[0];
    return row === undefined ? null : { ...row, digest: row.digest! };
  }

  /** Every alias of every model. */
  async function pointers(): Promise<Pointer[]> {
    const rows = await orm
      .select({
        name: aliases.name,
        alias: aliases.alias,
        version: aliases.version,
        digest: modelVersions.digest,
        since: aliases.since,
        runId: modelVersions.runId,
      })
      .from(aliases)
      .innerJoin(
        modelVersions,
        and(eq(modelVersions.name, aliases.name), eq(modelVersions.version, aliases.version)),
      )
      .orderBy(asc(aliases.name), asc(aliases.alias));
    return rows.flatMap(({ digest, ...row }) => (digest === null ? [] : { ...row, digest }));
  }

  /** All aliases of a model, by name. */
  const aliasesOf = async (name: string): Promise<AliasRow[]> =>
    orm
      .select()
      .from(aliases)
      .where(eq(aliases.name, modelName(name)))
      .orderBy(asc(aliases.alias));

  /**
   * Makes the version champion; one that is champion already stays it, without a row of history.
   * `unknown_version` (404), `not_the_champion` (409) where another than `expected` is in place.
   */
  const promote = ({ name, version, expected, guard, ...motive }: PromoteRequest) =>
    inOneMove(name, (tx) => move(tx, { name, alias: CHAMPION, version, expected, motive }), guard);

  /** Points an alias at a version, whatever it pointed at; `bad_alias` (422). */
  const setAlias = (name: string, alias: string, version: number, actor: string, reason: string) =>
    inOneMove(name, (tx) =>
      move(tx, { name, alias: aliasName(alias), version, motive: { actor, reason } }),
    );

  /**
   * Makes the champion before the current one champion again; twice goes further back (see
   * `rollback.ts`). `nothing_to_roll_back_to` and `not_the_champion` (409).
   */
  const rollback = ({ name, actor, expected }: RollbackRequest): Promise<Moved> =>
    inOneMove(name, async (tx) => {
      const current = (await pointer(tx, name, CHAMPION))?.version ?? null;
      if (expected !== undefined && current !== expected) {
        throw notTheChampion(name, expected, current);
      }
      const version = current === null ? null : await servableBefore(tx, name);
      if (current === null || version === null) throw nothingBefore(name, current);
      const motive = { actor, reason: rollbackReason(current) };
      return move(tx, { name, alias: CHAMPION, version, motive });
    });

  /** Every move of the model's aliases, or of one, newest first. */
  const history = async (name: string, alias?: string): Promise<HistoryRow[]> =>
    orm
      .select()
      .from(aliasHistory)
      .where(
        and(
          eq(aliasHistory.name, modelName(name)),
          alias === undefined ? undefined : eq(aliasHistory.alias, aliasName(alias)),
        ),
      )
      .orderBy(desc(aliasHistory.id));

  async function inOneMove(
    name: string,
    work: (tx: Orm) => Promise<Moved>,
    guard?: (tx: Orm) => Promise<void>,
  ): Promise<Moved> {
    modelName(name);
    const moved = await orm.transaction(async (tx) => {
      // Before the model's lock, as when registering: locks taken in one order cannot deadlock.
      await guard?.(tx);
      await lockModel(tx, name);
      return work(tx);
    });
    if (moved.changed) await tell(moved);
    return moved;
  }

  async function tell({ name, alias, version }: Moved): Promise<void> {
    try {
      await onMoved?.(name, alias, version);
    } catch {
      // Who is not told finds out by looking: a move that is committed has not failed.
    }
  }

  /** Compares and sets under the lock. */
  async function move(
    tx: Orm,
    wanted: {
      name: string;
      alias: string;
      version: number;
      expected?: number | null | undefined;
      motive: Motive;
    },
  ): Promise<Moved> {
    const { name, alias, version, expected, motive } = wanted;
    const target = await versionOf(tx, name, version);
    if (target === null) throw unknownVersion(name, version);
    const before = await pointer(tx, name, alias);
    const previous = before?.version ?? null;
    const moved = { name, alias, version, digest: target.digest, previous };
    if (expected !== undefined && previous !== expected) {
      throw notTheChampion(name, expected, previous);
    }
    if (before !== null && previous === version) {
      return { ...moved, since: before.since, changed: false };
    }
    const since = clock.now();
    await point(tx, { name, alias, version, since });
    await tx.insert(aliasHistory).values({
      name,
      alias,
      fromVersion: previous,
      toVersion: version,
      at: since,
      actor: motive.actor,
      reason: motive.reason,
      forced: motive.forced ?? false,
    });
    return { ...moved, since, changed: true };
  }

  return { champion, pointers, aliases: aliasesOf, promote, setAlias, rollback, history };
}

async function pointer(tx: Orm, name: string, alias: string): Promise<AliasRow | null> {
  const rows = await tx
    .select()
    .from(aliases)
    .where(and(eq(aliases.name, name), eq(aliases.alias, alias)));
  return rows[0] ?? null;
}

async function point(tx: Orm, row: AliasRow): Promise<void> {
  await tx
    .insert(aliases)
    .values(row)
    .onConflictDoUpdate({
      target: [aliases.name, aliases.alias],
      set: { version: row.version, since: row.since },
    });
}

/** The nearest earlier champion that can still be served: a removed version is passed over. */
async function servableBefore(tx: Orm, name: string): Promise<number | null> {
  const moves = await tx
    .select()
    .from(aliasHistory)
    .where(and(eq(aliasHistory.name, name), eq(aliasHistory.alias, CHAMPION)))
    .orderBy(asc(aliasHistory.id));
  for (const version of earlierChampions(moves)) {
    if ((await versionOf(tx, name, version)) !== null) return version;
  }
  return null;
}

const championIs = (name: string, current: number | null): string =>
  current === null ? `model ${name} has no champion` : `the champion of ${name} is ${current}`;

const notTheChampion = (name: string, expected: number | null, current: number | null) =>
  new SluiceError({
    code: "not_the_champion",
    status: 409,
    detail:
      `${expected === null ? "No champion" : `Version ${expected}`} was expected, but ` +
      `${championIs(name, current)}.`,
    fix: "Look at the model again, then repeat with the champion of now as expected.",
  });

const nothingBefore = (name: string, current: number | null) =>
  new SluiceError({
    code: "nothing_to_roll_back_to",
    status: 409,
    detail: `There is no earlier champion to go back to: ${championIs(name, current)}.`,
    fix: "Promote a version by its number instead.",
  });
