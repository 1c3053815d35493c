/*
 * The champion of each model, loaded, and what every alias names. When the champion moves, the new
 * version is loaded and tried beside the old one, the pointer is swapped, and the old one is
 * released when its calls have ended: a swap drops nothing.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { CHAMPION, type Pointer } from "../registry/promotion.ts";
import type { Objects } from "../store/objects.ts";
import type { Instant } from "../types.ts";
import { type AliasDeps, makeAliases, type View } from "./aliases.ts";
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
  /** What is answered is as old as this view. */
  view(): View;
  stop(): Promise<void>;
}

export interface ChampionDeps extends AliasDeps {
  readonly runtime: Runtime;
  readonly objects: Pick<Objects, "get">;
  /** How long a replica may go on with an old alias when a notice was lost. */
  readonly pollMs?: number;
}

const POLL_MS = 1_000;

export function makeChampions(deps: ChampionDeps): Champions {
  const { objects, runtime, log } = deps;
  const aliases = makeAliases(deps);
  const held = new Map<string, Held<Champion>>();
  const releases = new Set<Promise<void>>();
  const health = makeHealth<Champion>(tryOut);
  const troubles = new Map<string, SluiceError>();
  /** What of each model is being loaded, and was asked for last. */
  const loading = new Map<string, { readonly wanted: Pointer; readonly work: Promise<void> }>();
  let isStopped = false;

  const isLoaded = (model: string): boolean => {
    const wanted = aliases.pointer(model, CHAMPION);
    return wanted === null || isSame(held.get(model)?.thing, wanted);
  };

  /**
   * Loads the champion that is named now, unless it is there. What is still being loaded of an
   * earlier one is not waited for: its bytes may not come for long.
   */
  function bring(model: string): Promise<void> {
    const wanted = aliases.pointer(model, CHAMPION);
    if (wanted === null) dethrone(model);
    if (wanted === null || isLoaded(model)) {
      troubles.delete(model);
      return Promise.resolve();
    }
    const under = loading.get(model);
    if (isSame(under?.wanted, wanted)) return under!.work;
    const work = load(model, wanted)
      .catch((thrown) => {
        if (!isSame(aliases.pointer(model, CHAMPION), wanted)) return;
        const trouble = asTrouble(thrown);
        // Told once, not once a second.
        if (troubles.get(model)?.message !== trouble.message) {
          log.error("champion_not_loaded", { model, reason: reasonOf(thrown) });
        }
        troubles.set(model, trouble);
      })
      .finally(() => {
        if (loading.get(model)?.work === work) loading.delete(model);
      });
    loading.set(model, { wanted, work });
    return work;
  }

  async function load(model: string, wanted: Pointer): Promise<void> {
    const { version, digest, since, runId } = wanted;
    // Tried before anybody is served by it.
    const opened = await openVersion(runtime, await objects.get(digest));
    const isLate = isStopped || isLoaded(model);
    if (isLate || !isSame(aliases.pointer(model, CHAMPION), wanted)) {
      await opened.session.release();
      return;
    }
    swap(model, { ...opened, model, version, digest, since, runId });
    log.info("champion_loaded", { model, version, digest });
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

  /** Its alias was taken away: nothing serves under that name any more. */
  function dethrone(model: string): void {
    const former = held.get(model);
    if (former === undefined) return;
    const { version, digest } = former.thing;
    log.info("champion_left", { model, version, digest });
    held.delete(model);
    letGo(former);
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

  /** Models that have an alias, and those whose champion is still held. */
  const known = () => [...new Set([...aliases.models(), ...held.keys()])];

  const poll = setInterval(async () => {
    await aliases.look();
    if (!isStopped) for (const model of known()) void bring(model);
  }, deps.pollMs ?? POLL_MS);

  return {
    use: (model, work) => {
      const champion = held.get(model);
      if (champion !== undefined) return champion.use(work);
      return Promise.reject(
        troubles.get(model) ?? aliases.view().blind?.trouble ?? notReady(model),
      );
    },
    state: (model) => ({
      champion: held.get(model)?.thing ?? null,
      trouble: troubles.get(model) ?? aliases.view().blind?.trouble ?? null,
    }),
    pointer: aliases.pointer,
    aliases: aliases.of,
    names: aliases.names,
    digests: aliases.digests,
    refresh: async (model) => {
      await aliases.look();
      await Promise.all((model === undefined ? known() : [model]).map(bring));
    },
    view: aliases.view,
    stop: async () => {
      isStopped = true;
      clearInterval(poll);
      await Promise.all([aliases.settled(), ...[...loading.values()].map(({ work }) => work)]);
      await Promise.all([...[...held.values()].map((each) => each.release()), ...releases]);
      held.clear();
    },
  };
}

type Version = Pick<Pointer, "version" | "digest">;
const isSame = (one: Version | null | undefined, other: Version): boolean =>
  one?.version === other.version && one.digest === other.digest;

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
