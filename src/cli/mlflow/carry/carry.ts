/*
 * From a source into the intake: experiments with their runs, then the logged models of each, then
 * the registry. Where it was is asked of what is here: a run or model that bears the mark of what
 * the source says of it now is whole, and all else is done again, which changes nothing where it is
 * there already.
 */
import type { Intake } from "../../../registry/intake/intake.ts";
import type { Source } from "../source.ts";
import { sizeText, type Tally } from "../tally.ts";
import { carryExperiment } from "./experiment.ts";
import { makeFileCarrier } from "./files.ts";
import type { Load } from "./load.ts";
import { carryLogged } from "./logged.ts";
import { type Candidate, carryRegistry } from "./registry.ts";
import { carryRuns } from "./runs.ts";

export type { Candidate };

export interface CarryOptions {
  /** Leaves out what is deleted there; else it comes and is deleted here too. */
  readonly skipDeleted?: boolean;
  /** Where it is, for a bar. */
  readonly onProgress?: (key: string, share: number, text: string) => void;
}

/** Which share of all is done when the runs are, and when the logged models are. */
const [RUNS, LOGGED] = [0.9, 0.98];

/** Carries everything over; the versions that are champions there and can be served here. */
export async function carry(
  source: Source,
  intake: Intake,
  tally: Tally,
  { skipDeleted = false, onProgress = () => {} }: CarryOptions = {},
): Promise<Candidate[]> {
  let [bytes, share, name]: [number, number, string] = [0, 0, ""];
  const told = (now: number, what: string) => {
    [share, name] = [now, what];
    onProgress("import", share, `${name} · ${whereOf(tally, bytes)}`);
  };
  const carryFiles = makeFileCarrier(source, intake, tally, (many) => {
    bytes += many;
    told(share, name);
  });
  const load: Load = { source, intake, tally, skipDeleted, carryFiles };

  const there = await source.experiments();
  const wanted = there.filter((one) => !skipDeleted || one.stage === "active");
  for (const one of there.filter((one) => !wanted.includes(one))) {
    tally.skip("experiments", `experiment ${one.name}`, "it is deleted there");
  }
  /** Those of there that are here, by the number that they have here. */
  const taken = new Map<string, (typeof wanted)[number]>();
  for (const [at, experiment] of wanted.entries()) {
    const begun = (of: number) => told(RUNS * ((at + of) / wanted.length), experiment.name);
    begun(0);
    const id = await carryExperiment(load, experiment);
    if (id === null) continue;
    taken.set(id, experiment);
    await carryRuns(load, { here: id, there: experiment.id }, begun);
  }
  // Behind all runs, since some sources tell of a deleted model only where a run names it.
  for (const [at, [id, { id: there, name }]] of [...taken].entries()) {
    told(RUNS + (LOGGED - RUNS) * (at / taken.size), name);
    await carryLogged(load, { here: id, there });
  }
  return carryRegistry(load, (of, what) => told(LOGGED + (1 - LOGGED) * of, what));
}

function whereOf(tally: Tally, bytes: number): string {
  const runs = tally.of("runs", "brought") + tally.of("runs", "there");
  const points = tally.of("points", "brought");
  const many = points < 1e6 ? `${points}` : `${(points / 1e6).toFixed(1)} M`;
  const files = `${tally.of("files", "brought")} files (${sizeText(bytes)})`;
  return `${runs} runs, ${many} points, ${files}`;
}
