/*
 * The champion of each model, loaded, and what every alias names. When the champion moves, the new
 * version is loaded and tried beside the old one, the pointer is swapped, and the old one is
 * released when its calls have ended: a swap drops nothing.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { CHAMPION, type Pointer, type Promotion } from "../registry/promotion.ts";
import type { Objects } from "../store/objects.ts";
import type { Instant } from "../types.ts";
import { openVersion, tryOut } from "./foreign.ts";
import { makeHealth } from "./health.ts";
import { type Held, hold } from "./held.ts";
import type { Loaded } from "./loaded.ts";
import type { Runtime } from "./runtime.ts";

/** Which version something is. */
export interface Named {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
}

/** A loaded version: `asMarket` and `asTable` (loaded.ts) tell which kind it is. */
export type Served = Loaded & Named;

export type Champion = Served & {
  readonly since: Instant;
  readonly runId: string | null;
};

export interface Champions {
  /**
   * Works with the loaded champion, which is not released before the work has ended, whatever
   * replaces it meanwhile. Throws `not_ready` (503) or what keeps it from being loaded.
   */
  use<Result>(
    model: string,
    work: (champion: Champion) => Result | Promise<Result>,
  ): Result | Promise<Result>;
  /** The loaded champion or null, and what troubles the newest one; to look at, not to run. */
  state(model: string): { champion: Champion | null; trouble: SluiceError | null };
  /** What an alias named when they were last read, from memory; null when there is none. */
  pointer(model: string, alias: string): Pointer | null;
  /** The names of a model's aliases, as last read. */
  aliases(model: string): readonly string[];
  /** Every model that has a champion, whether or not a model file has its name. */
  names(): readonly string[];
  /** The digests that aliases name. */
  digests(): ReadonlySet<string>;
  /** Reads the aliases, and loads the champion that they name now: of one model, or of all. */
  refresh(model?: string): Promise<void>;
  /** When the aliases were last read, in real time; a replica's view is this old. */
  readAt(): number;
  stop(): Promise<void>;
}

export interface ChampionDeps {
  readonly runtime: Runtime;
  readonly objects: Pick<Objects, "get">;
  readonly promotion: Pick<Promotion, "pointers">;
  readonly log: Log;
  /** How long a replica may go on with an old alias when a notice was lost. */
  readonly pollMs?: number;
}

const POLL_MS = 1_000;

export function makeChampions(deps: ChampionDeps): Champions {
  const { promotion, objects, runtime, log } = deps;
  const held = new Map<string, Held<Champion>>();
  const releases = new Set<Promise<void>>();
  const health = makeHealth<Champion>(tryOut);
  const troubles = new Map<string, SluiceError>();
  const loading = new Map<string, Promise<void>>();
  /** By model, then by alias. */
  let view: ReadonlyMap<string, ReadonlyMap<string, Pointer>> = new Map();
  let digests: ReadonlySet<string> = new Set();
  /** What kept the aliases from being read the last time. */
  let blind: SluiceError | null = null;
  let readAt = 0;
  let isStopped = false;
  let reading: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  /** Reads where every alias points; never throws. */
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

  async function read(): Promise<void> {
    try {
      const rows = await promotion.pointers();
      const models = Map.groupBy(rows, (row) => row.name);
      view = new Map(
        [...models].map(([name, own]) => [name, new Map(own.map((row) => [row.alias, row]))]),
      );
      digests = new Set(rows.map((row) => row.digest));
      readAt = Date.now();
      blind = null;
    } catch (thrown) {
      const trouble = asTrouble(thrown);
      if (blind?.message !== trouble.message) {
        log.error("aliases_not_read", { reason: reasonOf(thrown) });
      }
      blind = trouble;
    }
  }

  const championOf = (model: string): Pointer | null => view.get(model)?.get(CHAMPION) ?? null;

  const isLoaded = (model: string): boolean => {
    const wanted = championOf(model);
    const there = held.get(model)?.thing;
    return wanted === null || (there?.version === wanted.version && there.digest === wanted.digest);
  };

  /** Loads the champion that is named now, unless it is there; one load of a model at a time. */
  function bring(model: string): Promise<void> {
    const under = loading.get(model);
    if (under !== undefined) return under;
    if (isLoaded(model)) {
      troubles.delete(model);
      return Promise.resolve();
    }
    const work = load(model)
      .catch((thrown) => {
        const trouble = asTrouble(thrown);
        // Told once, not once a second.
        if (troubles.get(model)?.message !== trouble.message) {
          log.error("champion_not_loaded", { model, reason: reasonOf(thrown) });
        }
        troubles.set(model, trouble);
      })
      .finally(() => loading.delete(model));
    loading.set(model, work);
    return work;
  }

  /** The same, where a load under way may have failed at what was named before. */
  async function anew(model: string): Promise<void> {
    await loading.get(model);
    await bring(model);
  }

  async function load(model: string): Promise<void> {
    for (;;) {
      const wanted = championOf(model);
      if (wanted === null || isLoaded(model)) break;
      // Tried before anybody is served by it.
      const opened = await openVersion(runtime, await objects.get(wanted.digest));
      const { version, digest, since, runId } = wanted;
      swap(model, { ...opened, model, version, digest, since, runId });
      log.info("champion_loaded", { model, version, digest });
      // It may have moved again meanwhile.
    }
    troubles.delete(model);
  }

  /** From here on the new one serves; the old one ends with its calls, which nobody waits for. */
  function swap(model: string, champion: Champion): void {
    const before = held.get(model);
    held.set(
      model,
      hold(
        champion,
        ({ session }) => session.release(),
        (thrown) => health.watch(champion, thrown, (trouble) => drop(model, champion, trouble)),
      ),
    );
    if (before !== undefined) letGo(before);
  }

  function letGo(champion: Held<Champion>): void {
    const release = champion.release().finally(() => releases.delete(release));
    releases.add(release);
  }

  /** A champion that answers nothing any more is let go of, and loaded anew. */
  function drop(model: string, champion: Champion, trouble: SluiceError): void {
    const failing = held.get(model);
    if (failing?.thing !== champion || isStopped) return;
    const { version, digest } = champion;
    log.error("champion_failing", { model, version, digest, reason: trouble.message });
    troubles.set(model, trouble);
    held.delete(model);
    letGo(failing);
    void bring(model);
  }

  const poll = setInterval(async () => {
    await look();
    if (!isStopped) for (const model of view.keys()) void bring(model);
  }, deps.pollMs ?? POLL_MS);

  return {
    use: (model, work) => {
      const champion = held.get(model);
      if (champion !== undefined) return champion.use(work);
      return Promise.reject(troubles.get(model) ?? blind ?? notReady(model));
    },
    state: (model) => ({
      champion: held.get(model)?.thing ?? null,
      trouble: troubles.get(model) ?? blind,
    }),
    pointer: (model, alias) => view.get(model)?.get(alias) ?? null,
    aliases: (model) => [...(view.get(model)?.keys() ?? [])],
    names: () => [...view].flatMap(([name, aliases]) => (aliases.has(CHAMPION) ? name : [])),
    digests: () => digests,
    refresh: async (model) => {
      await look();
      await Promise.all(model === undefined ? [...view.keys()].map(anew) : [anew(model)]);
    },
    readAt: () => readAt,
    stop: async () => {
      isStopped = true;
      clearInterval(poll);
      await Promise.all([reading, ...loading.values()]);
      await Promise.all([...[...held.values()].map((each) => each.release()), ...releases]);
      held.clear();
    },
  };
}

/** What is the server's own trouble is 503: the load is tried again every second. */
function asTrouble(thrown: unknown): SluiceError {
  const known = thrown instanceof SluiceError ? thrown : null;
  if (known !== null && known.status < 500) return known;
  return new SluiceError({
    code: known?.code ?? "champion_not_loaded",
    status: 503,
    detail: known?.message ?? `The champion could not be loaded: ${reasonOf(thrown)}.`,
    fix: known?.fix ?? "See the log; the load is tried again every second.",
    retryAfter: known?.retryAfter ?? 1,
    cause: thrown,
  });
}

/** A model that nothing was promoted of yet. */
export const notReady = (model: string): SluiceError =>
  new SluiceError({
    code: "not_ready",
    status: 503,
    detail: `Model ${model} has no champion yet.`,
    fix: "Wait until its first training has ended, or name a version: /readyz tells of each model.",
    retryAfter: 5,
  });
