/*
 * From a source into the intake: experiments, then what is in each, then the registry. Where it was
 * is asked of what is here: a run or model that bears the mark of what the source says of it now is
 * whole, and all else is done again, which changes nothing where it is there already.
 */
import { reasonOf } from "../../errors.ts";
import type { GivenExperiment, GivenRun } from "../../registry/intake/given.ts";
import type { Intake } from "../../registry/intake/intake.ts";
import { RUN_ID } from "../../registry/names.ts";
import { CHAMPION } from "../../registry/promotion.ts";
import { REMOVED } from "../../registry/version-rows.ts";
import { codeOf } from "../../store/conflict.ts";
import { sha256 } from "../../store/objects.ts";
import { makeFileCarrier, type Wanted } from "./carry-files.ts";
import { carryPoints } from "./carry-points.ts";
import type { Source } from "./source.ts";
import { sizeText, type Tally } from "./tally.ts";

export interface CarryOptions {
  /** Leaves out what is deleted there; else it comes and is deleted here too. */
  readonly skipDeleted?: boolean;
  /** Where it is, for a bar. */
  readonly onProgress?: (key: string, share: number, text: string) => void;
}

/** A version that is champion there, to be promoted here. */
export interface Candidate {
  readonly model: string;
  readonly version: number;
}

/** Runs whose rows are written and whose files are looked at together. */
const GROUP = 100;
/** Runs that may still log: their files are looked at each time. */
const LIVE: ReadonlySet<string> = new Set(["RUNNING", "SCHEDULED"]);

/** Carries everything over; the versions that are champions there and can be served here. */
export async function carry(
  source: Source,
  intake: Intake,
  tally: Tally,
  { skipDeleted = false, onProgress = () => {} }: CarryOptions = {},
): Promise<Candidate[]> {
  let [bytes, share, name]: [number, number, string] = [0, 0, ""];
  const tell = () => onProgress("import", share, `${name} · ${whereOf(tally, bytes)}`);
  const carryFiles = makeFileCarrier(source, intake, tally, (many) => {
    bytes += many;
    tell();
  });

  const experiments = await source.experiments();
  const wanted = experiments.filter((one) => !skipDeleted || one.stage === "active");
  for (const one of experiments.filter((one) => !wanted.includes(one))) {
    tally.skip("experiments", `experiment ${one.name}`, "it is deleted there");
  }
  const told = (at: number, of: number) => {
    // Models are still to come: nothing is done before those.
    share = 0.98 * ((at + of) / Math.max(1, wanted.length));
    name = wanted[at]?.name ?? "";
    tell();
  };
  for (const [at, experiment] of wanted.entries()) {
    told(at, 0);
    const id = await carryExperiment(experiment);
    if (id === null) continue;
    for await (const models of source.logged(experiment.id)) await carryLogged(id, models);
    let before = 0;
    for await (const { runs, share: page } of source.runs(experiment.id)) {
      const some = runs.filter((run) => !skipDeleted || run.stage === "active");
      tally.count("runs", "skipped", runs.length - some.length);
      for (let from = 0; from < some.length; from += GROUP) {
        await carryRuns(id, some.slice(from, from + GROUP));
        told(at, before + (page - before) * Math.min(1, (from + GROUP) / some.length));
      }
      before = page;
    }
  }
  [share, name] = [0.98, "models"];
  tell();
  return carryModels();

  async function carryExperiment(experiment: GivenExperiment): Promise<string | null> {
    const { name, stage } = experiment;
    const { id, how, stage: here, clashes } = await intake.takeExperiment(experiment);
    if (here === "deleted" && stage === "active") {
      const what = `experiment ${name}`;
      tally.skip("experiments", what, "one of its name is deleted here: restore it, or rename it");
      return null;
    }
    tally.count("experiments", how === "made" ? "brought" : "there");
    if (how === "merged") tally.merge(name);
    if (here !== stage)
      tally.differ(`experiment ${name}`, `it is ${here} here, and ${stage} there`);
    for (const key of clashes)
      tally.differ(`experiment ${name}`, `the tag ${key} has another value`);
    return id;
  }

  async function carryRuns(experimentId: string, given: readonly GivenRun[]): Promise<void> {
    const runs = given.filter((run) => {
      if (RUN_ID.test(run.id)) return true;
      tally.skip("runs", `run ${run.id}`, "no run here can have such an id");
      return false;
    });
    const known = new Map(
      (await intake.runs.known(runs.map(({ id }) => id))).map((r) => [r.id, r]),
    );
    const marks = new Map(runs.map((run) => [run.id, markOf(run, source.root)]));
    const [changed, live]: [GivenRun[], GivenRun[]] = [[], []];
    for (const run of runs) {
      const here = known.get(run.id);
      if (here !== undefined && (here.origin !== run.uri || here.experimentId !== experimentId)) {
        tally.skip("runs", `run ${run.id}`, "there is another of that id here, which stays");
      } else if (here === undefined || here.mark !== marks.get(run.id)) changed.push(run);
      else {
        tally.count("runs", "there");
        if (LIVE.has(run.status)) live.push(run);
      }
    }
    const taken = await takeRuns(experimentId, changed);
    await carryPoints(source, intake, tally, taken, !taken.some(({ id }) => known.has(id)));
    const holders: Wanted[] = [...taken, ...live].map(({ id, uri }) => ({
      ...{ of: "run", id, uri },
      again: (known.get(id)?.mark ?? null) !== null && !live.some((run) => run.id === id),
    }));
    const unfinished = await carryFiles(holders);
    const whole = taken.filter(({ id }) => !unfinished.has(id));
    await intake.runs.mark(new Map(whole.map(({ id }) => [id, marks.get(id)!])));
    tally.count("runs", "brought", whole.length);
    for (const { id } of taken.filter(({ id }) => unfinished.has(id))) {
      tally.fail("runs", `run ${id}`, "not all of its files came");
    }
  }

  /** Takes runs together; where one of them cannot be held, the others alone. */
  async function takeRuns(
    experimentId: string,
    runs: readonly GivenRun[],
  ): Promise<readonly GivenRun[]> {
    if (runs.length === 0) return runs;
    try {
      for (const { id, key } of await intake.runs.take(experimentId, runs)) {
        tally.differ(`run ${id}`, `the param ${key} has another value`);
      }
    } catch (thrown) {
      if (!isOfRow(thrown)) throw thrown;
      if (runs.length > 1) {
        const taken: GivenRun[] = [];
        for (const run of runs) taken.push(...(await takeRuns(experimentId, [run])));
        return taken;
      }
      tally.skip("runs", `run ${runs[0]!.id}`, `the database cannot hold it: ${reasonOf(thrown)}`);
      return [];
    }
    tally.count(
      "params",
      "brought",
      sum(runs, ({ params }) => params.length),
    );
    const inputs = (run: GivenRun) =>
      run.datasets.length + run.inputModels.length + run.outputModels.length;
    tally.count("inputs", "brought", sum(runs, inputs));
    return runs;
  }

  async function carryLogged(
    experimentId: string,
    given: Parameters<Intake["logged"]["take"]>[1],
  ): Promise<void> {
    const models = given.filter(({ stage }) => !skipDeleted || stage === "active");
    tally.count("logged_models", "skipped", given.length - models.length);
    const here = await intake.logged.known(models.map(({ id }) => id));
    const known = new Map(here.map((model) => [model.id, model]));
    const changed = models.filter((model) => {
      const there = known.get(model.id);
      if (there !== undefined && there.origin !== model.uri) {
        const why = "there is another of that id here, which stays";
        tally.skip("logged_models", `logged model ${model.id}`, why);
        return false;
      }
      if (there?.mark !== markOf(model, source.root)) return true;
      tally.count("logged_models", "there");
      return false;
    });
    if (changed.length === 0) return;
    await intake.logged.take(experimentId, changed);
    const unfinished = await carryFiles(
      changed.map(({ id, uri }) => {
        const again = (known.get(id)?.mark ?? null) !== null;
        return { of: "model", id, uri, again };
      }),
    );
    for (const model of changed) {
      if (unfinished.has(model.id)) {
        tally.fail("logged_models", `logged model ${model.id}`, "not all of its files came");
      } else {
        await intake.logged.mark(model.id, markOf(model, source.root));
        tally.count("logged_models", "brought");
      }
    }
  }

  async function carryModels(): Promise<Candidate[]> {
    const models = await source.models();
    for (const model of models) {
      const made = await intake.models.takeModel(model);
      tally.count("models", made ? "brought" : "there");
    }
    const unservable = new Map<string, string | null>();
    const taken = new Set<string>();
    // A version may be made of another, which must be there first.
    const versions = (await source.versions()).toSorted(
      (a, b) => a.created - b.created || a.version - b.version,
    );
    for (const [at, version] of versions.entries()) {
      const what = `${version.name} version ${version.version}`;
      onProgress("import", 0.98 + 0.02 * (at / versions.length), what);
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
        unservable.set(what, made.unservable);
        taken.add(what);
      }
    }
    return carryAliases(models, taken, unservable);
  }

  async function carryAliases(
    models: Awaited<ReturnType<Source["models"]>>,
    taken: ReadonlySet<string>,
    unservable: ReadonlyMap<string, string | null>,
  ): Promise<Candidate[]> {
    const candidates: Candidate[] = [];
    for (const { name, aliases } of models) {
      for (const { alias, version } of aliases) {
        const what = `alias ${alias} of ${name}`;
        const version_ = `${name} version ${version}`;
        if (!taken.has(version_)) {
          tally.skip("aliases", what, `version ${version} was not brought`);
          continue;
        }
        const here = await intake.models.aliased(name, alias);
        if (here !== null) {
          tally.count("aliases", here === version ? "there" : "skipped");
          if (here !== version) {
            tally.differ(what, `it points at version ${here} here, and at ${version} there`);
          }
          continue;
        }
        if (alias !== CHAMPION) {
          await intake.models.takeAlias(name, alias, version);
          tally.count("aliases", "brought");
          continue;
        }
        const why = unservable.get(version_) ?? null;
        if (why === null) candidates.push({ model: name, version });
        else tally.skip("aliases", what, why);
      }
    }
    return candidates;
  }
}

/**
 * A digest of what the source says of a thing, the same for the same, whatever its order; another
 * where its files are looked for elsewhere.
 */
function markOf(thing: object, root: string): string {
  const sorted = JSON.stringify([thing, root], (_, value) => {
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    return Array.isArray(value)
      ? value.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      : value;
  });
  return sha256(sorted).slice(0, 32);
}

/** What the database says of a row that it cannot hold: too long, out of range, of a wrong form. */
const isOfRow = (thrown: unknown): boolean => {
  const code = codeOf(thrown);
  return /^(22|23|54)/.test(code) || code === "does_not_exist" || code === "invalid_parameter";
};

const sum = (runs: readonly GivenRun[], of: (run: GivenRun) => number): number =>
  runs.reduce((total, run) => total + of(run), 0);

function whereOf(tally: Tally, bytes: number): string {
  const runs = tally.of("runs", "brought") + tally.of("runs", "there");
  const points = tally.of("points", "brought");
  const many = points < 1e6 ? `${points}` : `${(points / 1e6).toFixed(1)} M`;
  const files = `${tally.of("files", "brought")} files (${sizeText(bytes)})`;
  return `${runs} runs, ${many} points, ${files}`;
}
