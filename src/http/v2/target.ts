/*
 * Which version a request means: a number, the name of an alias, or none for the champion.
 */
import { SluiceError } from "../../errors.ts";
import { CHAMPION } from "../../registry/promotion.ts";
import { unknownVersion } from "../../registry/version-rows.ts";
import type { Plain } from "../../serve/plain.ts";
import { modelOf } from "../models.ts";
import type { HttpServices } from "../services.ts";

type Parts = Pick<HttpServices, "models" | "champions" | "promotion" | "versions" | "pool">;

type Work<Result> = (model: Plain, version: number) => Promise<Result>;

/**
 * Works with the version meant: with the champion's own session where it is that, so that a swap
 * takes nothing away, else with one that is loaded for it. `unknown_model` and `unknown_version`
 * (404), `not_ready` (503) where the model has no champion.
 */
export async function withVersion<Result>(
  services: Parts,
  model: string,
  version: string | null,
  work: Work<Result>,
): Promise<Result> {
  const { name } = modelOf(model, services);
  const { champions, pool } = services;
  const wanted = await wantedOf(services, name, version);
  const loaded = champions.state(name).champion;
  // Nothing is awaited in between: what is loaded now is what is used.
  if (loaded !== null && (wanted === null || loaded.version === wanted)) {
    return champions.use(name, (champion) => work(champion.plain, champion.version));
  }
  const found = await (wanted === null
    ? registered(services, name)
    : services.versions.version(name, wanted));
  if (found === null) throw unknownVersion(name, wanted ?? 0);
  return pool.use(found.digest, (plain) => work(plain, found.version));
}

/** The number of the version meant; null for the champion. */
async function wantedOf(
  services: Parts,
  name: string,
  version: string | null,
): Promise<number | null> {
  if (version === null || version === CHAMPION) return null;
  return /^\d+$/.test(version) ? Number(version) : numberOfAlias(services, name, version);
}

/** The champion of the registry where none is loaded here. */
async function registered({ champions, promotion }: Parts, model: string) {
  const champion = await promotion.champion(model);
  if (champion !== null) return champion;
  throw champions.state(model).trouble ?? notReady(model);
}

async function numberOfAlias({ promotion }: Parts, model: string, alias: string): Promise<number> {
  const rows = await promotion.aliases(model);
  const found = rows.find((row) => row.alias === alias);
  if (found !== undefined) return found.version;
  const known = rows.map((row) => row.alias);
  throw new SluiceError({
    code: "unknown_version",
    status: 404,
    detail: `Model ${model} has no alias ${JSON.stringify(alias)}.`,
    fix: `Give the number of a version${known.map((name) => `, or ${name}`).join("")}.`,
  });
}

const notReady = (model: string): SluiceError =>
  new SluiceError({
    code: "not_ready",
    status: 503,
    detail: `Model ${model} has no champion yet.`,
    fix: "Wait until its first training has ended, or name a version.",
    retryAfter: 5,
  });
