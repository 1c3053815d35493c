/*
 * The registry: models, then their versions, then the aliases that point at those. `champion` is
 * not moved here: what may serve is for the gates to say.
 */
import { reasonOf } from "../../../errors.ts";
import type { GivenModel } from "../../../registry/intake/given.ts";
import { CHAMPION } from "../../../registry/promotion.ts";
import { REMOVED } from "../../../registry/version-rows.ts";
import { isOfRow, type Load } from "./load.ts";

/** A version that is champion there, to be promoted here. */
export interface Candidate {
  readonly model: string;
  readonly version: number;
}

/** Versions that are here, as they are told of, and why each cannot be served: null where it can. */
type Taken = ReadonlyMap<string, string | null>;

/** Carries the registry over; the champions of there that can be served. */
export async function carryRegistry(
  load: Load,
  told: (share: number, what: string) => void,
): Promise<Candidate[]> {
  told(0, "models");
  const models = await load.source.models();
  for (const model of models) {
    const made = await load.intake.models.takeModel(model);
    load.tally.count("models", made ? "brought" : "there");
  }
  const taken = await carryVersions(load, told);
  const candidates: Candidate[] = [];
  for (const model of models) candidates.push(...(await carryAliases(load, model, taken)));
  return candidates;
}

const nameOf = (model: string, version: number): string => `${model} version ${version}`;

async function carryVersions(
  { source, intake, tally, skipDeleted }: Load,
  told: (share: number, what: string) => void,
): Promise<Taken> {
  const taken = new Map<string, string | null>();
  // A version may be made of another, which must be there first.
  const versions = (await source.versions()).toSorted(
    (a, b) => a.created - b.created || a.version - b.version,
  );
  for (const [at, version] of versions.entries()) {
    const what = nameOf(version.name, version.version);
    told(at / versions.length, what);
    if (skipDeleted && version.stage === REMOVED) {
      tally.skip("versions", what, "it is deleted there");
      continue;
    }
    const made = await intake.models.takeVersion(version).catch((thrown) => {
      if (!isOfRow(thrown)) throw thrown;
      return reasonOf(thrown);
    });
    if (typeof made === "string") tally.skip("versions", what, made);
    else if (made.how === "other") {
      tally.skip("versions", what, "the number is another version's here, which stays");
      tally.differ(what, "it is another version here");
    } else {
      tally.count("versions", made.how === "taken" ? "brought" : "there");
      taken.set(what, made.unservable);
    }
  }
  return taken;
}

async function carryAliases(
  { intake, tally }: Load,
  { name, aliases }: GivenModel,
  taken: Taken,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const { alias, version } of aliases) {
    const what = `alias ${alias} of ${name}`;
    const unservable = taken.get(nameOf(name, version));
    if (unservable === undefined) {
      tally.skip("aliases", what, `version ${version} was not brought`);
      continue;
    }
    const here = await intake.models.aliased(name, alias);
    if (here !== null) {
      tally.count("aliases", here === version ? "there" : "skipped");
      if (here !== version) {
        tally.differ(what, `it points at version ${here} here, and at ${version} there`);
      }
    } else if (alias !== CHAMPION) {
      await intake.models.takeAlias(name, alias, version);
      tally.count("aliases", "brought");
    } else if (unservable === null) candidates.push({ model: name, version });
    else tally.skip("aliases", what, unservable);
  }
  return candidates;
}
