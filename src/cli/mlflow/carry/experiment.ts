/*
 * An experiment: made here, or joined with the one of its name.
 */
import type { GivenExperiment } from "../../../registry/intake/given.ts";
import type { Load } from "./load.ts";

/** Carries one over without what is in it; its number here, or null where nothing of it comes. */
export async function carryExperiment(
  { intake, tally }: Load,
  experiment: GivenExperiment,
): Promise<string | null> {
  const { name, stage } = experiment;
  const what = `experiment ${name}`;
  const { id, how, stage: here, clashes } = await intake.takeExperiment(experiment);
  if (here === "deleted" && stage === "active") {
    tally.skip("experiments", what, "one of its name is deleted here: restore it, or rename it");
    return null;
  }
  tally.count("experiments", how === "made" ? "brought" : "there");
  if (how === "merged") tally.merge(name);
  if (here !== stage) tally.differ(what, `it is ${here} here, and ${stage} there`);
  for (const key of clashes) tally.differ(what, `the tag ${key} has another value`);
  return id;
}
