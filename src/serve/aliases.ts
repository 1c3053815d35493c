/*
 * Where every alias points, as this replica saw it last. It is read once a second and when a notice
 * tells of a move, and knows how old it is.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { inTime, noAnswer } from "../late.ts";
import type { Log } from "../log.ts";
import { CHAMPION, type Pointer, type Promotion } from "../registry/promotion.ts";
import type { Instant } from "../types.ts";

/** How a replica sees the aliases. */
export interface View {
  /** How long ago the newest reading that was answered was begun, milliseconds; null: none was. */
  readonly ageMs: number | null;
  /** Why they cannot be read, and since when (real time); null while they can. */
  readonly blind: { readonly trouble: SluiceError; readonly since: Instant } | null;
}

export interface Aliases {
  /** Reads them. Never throws: what was seen stays, and `view` tells of the trouble. */
  look(): Promise<void>;
  view(): View;
  /** What an alias named; null when there is none. */
  pointer(model: string, alias: string): Pointer | null;
  /** The names of a model's aliases. */
  of(model: string): readonly string[];
  /** Every model that has an alias. */
  models(): readonly string[];
  /** Every model that has a champion. */
  names(): readonly string[];
  /** The digests that aliases name. */
  digests(): ReadonlySet<string>;
  /** Resolves when no reading is under way. */
  settled(): Promise<void>;
}

export interface AliasDeps {
  readonly promotion: Pick<Promotion, "pointers">;
  readonly log: Log;
  /** How long a reading may take before that is told, and another one begun. */
  readonly readMs?: number;
}

const READ_MS = 2_000;

export function makeAliases({ promotion, log, readMs = READ_MS }: AliasDeps): Aliases {
  /** By model, then by alias. */
  let seen: ReadonlyMap<string, ReadonlyMap<string, Pointer>> = new Map();
  let digests: ReadonlySet<string> = new Set();
  let blind: View["blind"] = null;
  /** When the reading that was seen was begun, by a clock that never goes back. */
  let seenAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  function look(): Promise<void> {
    if (reading === null) {
      reading = read().finally(() => {
        reading = null;
      });
      return reading;
    }
    // What is being read may be older than the move that this caller knows of.
    next ??= reading.then(() => {
      next = null;
      return look();
    });
    return next;
  }

  /**
   * Ends at its deadline, since a connection may be dead without a word and the next reading has
   * another. An answer that comes later still counts, or a slow database would never be seen.
   */
  async function read(): Promise<void> {
    const begun = performance.now();
    const answered = promotion.pointers().then((rows) => see(rows, begun));
    try {
      await inTime(answered, readMs, noAnswer(readMs));
    } catch (thrown) {
      answered.catch(() => {});
      const trouble = notRead(thrown);
      // Told once, not once a second.
      if (blind?.trouble.message !== trouble.message) {
        log.error("aliases_not_read", { reason: reasonOf(thrown) });
      }
      blind = { trouble, since: blind?.since ?? Date.now() };
    }
  }

  function see(rows: readonly Pointer[], begun: number): void {
    if (begun < seenAt) return;
    const models = Map.groupBy(rows, (row) => row.name);
    seen = new Map(
      [...models].map(([name, own]) => [name, new Map(own.map((row) => [row.alias, row]))]),
    );
    digests = new Set(rows.map((row) => row.digest));
    seenAt = begun;
    blind = null;
  }

  return {
    look,
    view: () => ({
      ageMs: Number.isFinite(seenAt) ? performance.now() - seenAt : null,
      blind,
    }),
    pointer: (model, alias) => seen.get(model)?.get(alias) ?? null,
    of: (model) => [...(seen.get(model)?.keys() ?? [])],
    models: () => [...seen.keys()],
    names: () => [...seen].flatMap(([name, aliases]) => (aliases.has(CHAMPION) ? name : [])),
    digests: () => digests,
    settled: async () => void (await reading),
  };
}

const notRead = (thrown: unknown): SluiceError =>
  new SluiceError({
    code: "database_unreachable",
    status: 503,
    detail: `The aliases cannot be read: ${reasonOf(thrown)}.`,
    fix: "Check the database that DATABASE_URL names; they are read again every second.",
    retryAfter: 1,
    cause: thrown,
  });
