/*
 * The champion of each model, loaded. When the alias moves, the new version is loaded and tried
 * beside the old one, the pointer is swapped, and the old one is released when its calls have
 * ended: a swap drops nothing.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Promotion } from "../registry/promotion.ts";
import type { Versions } from "../registry/versions.ts";
import type { Objects } from "../store/objects.ts";
import type { Instant } from "../types.ts";
import { type Loaded, openArtifact } from "./loaded.ts";
import type { Runtime } from "./runtime.ts";

/** A loaded champion: `asMarket` and `asTable` (loaded.ts) tell which kind it is. */
export type Champion = Loaded & {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  readonly since: Instant;
  readonly runId: string | null;
};

export interface Champions {
  /**
   * Works with the loaded champion, which is not released before the work has ended, whatever
   * replaces it meanwhile. Throws `not_ready` (503) or what keeps it from being loaded.
   */
  use<Result>(model: string, work: (champion: Champion) => Promise<Result>): Promise<Result>;
  /** The loaded champion or null, and what troubles the newest one; to look at, not to run. */
  state(model: string): { champion: Champion | null; trouble: SluiceError | null };
  /** Makes the loaded version the one that the alias names now. */
  refresh(model: string): Promise<void>;
  /** When the aliases were last read, in real time; a replica's view is this old. */
  readAt(): number;
  stop(): Promise<void>;
}

export interface ChampionDeps {
  readonly models: readonly string[];
  readonly runtime: Runtime;
  readonly objects: Objects;
  readonly versions: Versions;
  readonly promotion: Promotion;
  readonly log: Log;
}

/** How long a replica may go on with an old alias when a notice was lost. */
const POLL_MS = 1_000;

export function makeChampions(deps: ChampionDeps): Champions {
  const { promotion, versions, objects, runtime, log } = deps;
  const loaded = new Map<string, Champion>();
  const users = new Map<Champion, Set<Promise<unknown>>>();
  const troubles = new Map<string, SluiceError>();
  const refreshing = new Map<string, Promise<void>>();
  let readAt = 0;

  async function load(model: string): Promise<void> {
    const alias = await promotion.champion(model);
    readAt = Date.now();
    const current = loaded.get(model);
    if (alias === null) return;
    if (
      current !== undefined &&
      current.digest === alias.digest &&
      current.version === alias.version
    ) {
      troubles.delete(model);
      return;
    }
    // Tried before anybody is served by it.
    const opened = await openArtifact(runtime, await objects.get(alias.digest));
    const { version, digest, since } = alias;
    const runId = (await versions.version(model, version))?.runId ?? null;
    loaded.set(model, { ...opened, model, version, digest, since, runId });
    troubles.delete(model);
    log.info("champion_loaded", { model, version, digest });
    if (current !== undefined) await release(current);
  }

  /** Waits for those who work with a champion that has been replaced, and frees it. */
  async function release(champion: Champion): Promise<void> {
    while ((users.get(champion)?.size ?? 0) > 0) await Promise.allSettled(users.get(champion)!);
    users.delete(champion);
    await champion.session.release();
  }

  async function use<Result>(
    model: string,
    work: (champion: Champion) => Promise<Result>,
  ): Promise<Result> {
    const champion = loaded.get(model);
    if (champion === undefined) throw troubles.get(model) ?? notReady(model);
    const busy = users.get(champion) ?? new Set();
    users.set(champion, busy);
    const result = work(champion);
    busy.add(result);
    return result.finally(() => busy.delete(result));
  }

  const refresh = (model: string): Promise<void> => {
    const running = refreshing.get(model);
    if (running !== undefined) return running;
    const work = load(model)
      .catch((thrown) => {
        const known = troubles.get(model);
        if (known?.message !== reasonOf(thrown)) {
          log.error("champion_not_loaded", { model, reason: reasonOf(thrown) });
        }
        troubles.set(model, asTrouble(thrown));
      })
      .finally(() => refreshing.delete(model));
    refreshing.set(model, work);
    return work;
  };

  const poll = setInterval(() => {
    for (const model of deps.models) void refresh(model);
  }, POLL_MS);

  return {
    refresh,
    readAt: () => readAt,
    state: (model) => ({
      champion: loaded.get(model) ?? null,
      trouble: troubles.get(model) ?? null,
    }),
    use,
    stop: async () => {
      clearInterval(poll);
      await Promise.all(refreshing.values());
      await Promise.all([...loaded.values()].map(release));
      loaded.clear();
    },
  };
}

const asTrouble = (thrown: unknown): SluiceError =>
  thrown instanceof SluiceError
    ? thrown
    : new SluiceError({
        code: "champion_not_loaded",
        status: 503,
        detail: `The champion could not be loaded: ${reasonOf(thrown)}.`,
        fix: "See the log; the load is tried again every second.",
        retryAfter: 1,
        cause: thrown,
      });

const notReady = (model: string): SluiceError =>
  new SluiceError({
    code: "not_ready",
    status: 503,
    detail: `Model ${model} has no champion yet.`,
    fix: "Wait until /readyz answers 200: the first training has not ended.",
    retryAfter: 5,
  });
