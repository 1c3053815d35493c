/*
 * Which version a request means (a number, the name of an alias, or none for the champion), and
 * work with it.
 */
import { SluiceError } from "../errors.ts";
import { CHAMPION } from "../registry/promotion.ts";
import { unknownVersion } from "../registry/version-rows.ts";
import type { Versions } from "../registry/versions.ts";
import { type Champions, notReady, type Served } from "./champions.ts";
import type { Pool } from "./pool.ts";

export type { Served } from "./champions.ts";

export interface ServedVersions {
  /**
   * Works with the version meant: with the champion's own session where it is that, so that a swap
   * takes nothing away, else with one that is loaded for it. `unknown_model` and `unknown_version`
   * (404), `not_ready` (503) where the model has no champion, or what keeps it from being loaded.
   */
  use<Result>(
    model: string,
    version: string | null,
    work: (served: Served) => Result | Promise<Result>,
  ): Result | Promise<Result>;
}

export interface ServedDeps {
  /** Names of models that are known without asking the registry. */
  readonly models: ReadonlyMap<string, unknown>;
  readonly champions: Pick<Champions, "use" | "state" | "pointer" | "aliases">;
  readonly pool: Pick<Pool, "use">;
  readonly versions: Pick<Versions, "version" | "isRegistered">;
  readonly now?: () => number;
}

/** What never changes of a version, and until when it is taken to be there still. */
interface Known {
  readonly digest: string;
  until: number;
}

/** How long a number that was found is not looked up again: as long as an alias may be old. */
const KNOWN_MS = 1_000;
const KNOWN_MOST = 1_000;

export function makeServed(deps: ServedDeps): ServedVersions {
  const { models, champions, pool, versions, now = Date.now } = deps;
  const known = new Map<string, Known>();

  /** The digest of a version, or null. With the registry away what was known stays so. */
  async function digestOf(model: string, version: number): Promise<string | null> {
    const key = `${model}@${version}`;
    const before = known.get(key);
    if (before !== undefined && before.until > now()) return before.digest;
    // Told once: those who ask meanwhile go on with what was known.
    if (before !== undefined) before.until = now() + KNOWN_MS;
    try {
      const found = await versions.version(model, version);
      known.delete(key);
      if (found === null) return null;
      if (known.size >= KNOWN_MOST) known.clear();
      known.set(key, { digest: found.digest, until: now() + KNOWN_MS });
      return found.digest;
    } catch (thrown) {
      if (before === undefined) throw thrown;
      return before.digest;
    }
  }

  async function assertModel(model: string): Promise<void> {
    if (models.has(model) || champions.aliases(model).length > 0) return;
    if (!(await versions.isRegistered(model))) throw unknownModel(model, models);
  }

  /** What another version than the loaded champion is. */
  async function find(model: string, wanted: string): Promise<{ version: number; digest: string }> {
    if (!isNumber(wanted)) {
      const { trouble } = champions.state(model);
      // Loading it once more would fail at the same, request by request.
      if (wanted === CHAMPION && trouble !== null && trouble.status >= 500) throw trouble;
      const pointer = champions.pointer(model, wanted);
      if (pointer !== null) return pointer;
      await assertModel(model);
      if (wanted === CHAMPION) throw champions.state(model).trouble ?? notReady(model);
      throw unknownAlias(model, wanted, champions.aliases(model));
    }
    const version = Number(wanted);
    const digest = await digestOf(model, version);
    if (digest !== null) return { version, digest };
    await assertModel(model);
    throw unknownVersion(model, version);
  }

  /** Whether the champion is meant, by whichever of its names. */
  function isChampion({ model, version }: Served, wanted: string | null): boolean {
    if (wanted === null || wanted === CHAMPION) return true;
    const number = isNumber(wanted) ? Number(wanted) : champions.pointer(model, wanted)?.version;
    return number === version;
  }

  async function elsewhere<Result>(
    model: string,
    wanted: string,
    work: (served: Served) => Result | Promise<Result>,
  ): Promise<Result> {
    const { version, digest } = await find(model, wanted);
    return pool.use(digest, async (loaded) => work({ ...loaded, model, version, digest }));
  }

  return {
    use: (model, wanted, work) => {
      const { champion } = champions.state(model);
      // Nothing is awaited in between: what is loaded now is what is used.
      if (champion !== null && isChampion(champion, wanted)) return champions.use(model, work);
      return elsewhere(model, wanted ?? CHAMPION, work);
    },
  };
}

const isNumber = (wanted: string): boolean => /^\d+$/.test(wanted);

function unknownAlias(model: string, alias: string, known: readonly string[]): SluiceError {
  return new SluiceError({
    code: "unknown_version",
    status: 404,
    detail: `Model ${model} has no alias ${JSON.stringify(alias)}.`,
    fix: `Give the number of a version${known.map((name) => `, or ${name}`).join("")}.`,
  });
}

/** A name that no model file has, and nothing is registered under. */
export const unknownModel = (name: string, models: ReadonlyMap<string, unknown>): SluiceError =>
  new SluiceError({
    code: "unknown_model",
    status: 404,
    detail: `There is no model "${name}".`,
    fix: `Models here: ${[...models.keys()].join(", ")}.`,
  });
