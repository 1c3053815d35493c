/*
 * Runs of an experiment, in groups: their rows, then their points, then their files, then the mark
 * that all of it is here.
 */
import { reasonOf } from "../../../errors.ts";
import type { GivenRun } from "../../../registry/intake/given.ts";
import type { KnownRun } from "../../../registry/intake/runs.ts";
import { RUN_ID } from "../../../registry/names.ts";
import type { Wanted } from "./files.ts";
import { isOfRow, type Load, markOf, type Place } from "./load.ts";
import { carryPoints } from "./points.ts";

/** Runs whose rows are written and whose files are looked at together. */
const GROUP = 100;
/** Runs that may still log: their files are looked at each time. */
const LIVE: ReadonlySet<string> = new Set(["RUNNING", "SCHEDULED"]);

/** Carries all runs of an experiment over; `told`: which share of them is done. */
export async function carryRuns(
  load: Load,
  place: Place,
  told: (share: number) => void,
): Promise<void> {
  let before = 0;
  for await (const { runs, share } of ahead(load.source.runs(place.there))) {
    const some = runs.filter((run) => !load.skipDeleted || run.stage === "active");
    load.tally.count("runs", "skipped", runs.length - some.length);
    for (let from = 0; from < some.length; from += GROUP) {
      await carryGroup(load, place.here, some.slice(from, from + GROUP));
      told(before + (share - before) * Math.min(1, (from + GROUP) / some.length));
    }
    before = share;
  }
}

/** The same items, each asked for while the one before is still looked at. */
async function* ahead<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]();
  for (let next = iterator.next(); ; ) {
    const { value, done } = await next;
    if (done === true) return;
    next = iterator.next();
    // Nobody may be there any more when it fails.
    next.catch(() => {});
    yield value;
  }
}

async function carryGroup(
  load: Load,
  experimentId: string,
  given: readonly GivenRun[],
): Promise<void> {
  const { source, intake, tally, carryFiles } = load;
  const known = new Map(
    (await intake.runs.known(given.map(({ id }) => id))).map((run) => [run.id, run]),
  );
  const marks = new Map(given.map((run) => [run.id, markOf(run, source.root)]));
  const { changed, live } = sorted(load, experimentId, given, known, marks);
  const taken = await takeRuns(load, experimentId, changed);
  const holders: Wanted[] = [...taken, ...live].map(({ id, uri }) => ({
    ...{ of: "run", id, uri },
    again: (known.get(id)?.mark ?? null) !== null && !live.some((run) => run.id === id),
  }));
  const areNew = !taken.some(({ id }) => known.has(id));
  const [points, files] = await Promise.allSettled([
    carryPoints(source, intake, tally, taken, areNew),
    carryFiles(holders),
  ]);
  if (points.status === "rejected") throw points.reason;
  if (files.status === "rejected") throw files.reason;
  const unfinished = files.value;
  const whole = taken.filter(({ id }) => !unfinished.has(id));
  await intake.runs.mark(new Map(whole.map(({ id }) => [id, marks.get(id)!])));
  tally.count("runs", "brought", whole.length);
  for (const { id } of taken.filter(({ id }) => unfinished.has(id))) {
    tally.fail("runs", `run ${id}`, "not all of its files came");
  }
}

/** Those that are not here as they are there, and those that are and may still log. */
function sorted(
  { tally }: Load,
  experimentId: string,
  given: readonly GivenRun[],
  known: ReadonlyMap<string, KnownRun>,
  marks: ReadonlyMap<string, string>,
): { readonly changed: GivenRun[]; readonly live: GivenRun[] } {
  const [changed, live]: [GivenRun[], GivenRun[]] = [[], []];
  for (const run of given) {
    const here = known.get(run.id);
    if (!RUN_ID.test(run.id)) {
      tally.skip("runs", `run ${run.id}`, "no run here can have such an id");
    } else if (
      here !== undefined &&
      (here.origin !== run.uri || here.experimentId !== experimentId)
    ) {
      tally.skip("runs", `run ${run.id}`, "there is another of that id here, which stays");
    } else if (here === undefined || here.mark !== marks.get(run.id)) changed.push(run);
    else {
      tally.count("runs", "there");
      if (LIVE.has(run.status)) live.push(run);
    }
  }
  return { changed, live };
}

/** Takes rows together; where one of them cannot be held, the others alone. */
async function takeRuns(
  load: Load,
  experimentId: string,
  runs: readonly GivenRun[],
): Promise<readonly GivenRun[]> {
  if (runs.length === 0) return runs;
  const { intake, tally } = load;
  try {
    for (const { id, key } of await intake.runs.take(experimentId, runs)) {
      tally.differ(`run ${id}`, `the param ${key} has another value`);
    }
  } catch (thrown) {
    if (!isOfRow(thrown)) throw thrown;
    if (runs.length > 1) {
      const taken: GivenRun[] = [];
      for (const run of runs) taken.push(...(await takeRuns(load, experimentId, [run])));
      return taken;
    }
    tally.skip("runs", `run ${runs[0]!.id}`, `the database cannot hold it: ${reasonOf(thrown)}`);
    return [];
  }
  for (const { params, datasets, inputModels, outputModels } of runs) {
    tally.count("params", "brought", params.length);
    tally.count("inputs", "brought", datasets.length + inputModels.length + outputModels.length);
  }
  return runs;
}
