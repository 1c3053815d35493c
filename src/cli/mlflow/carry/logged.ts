/*
 * Logged models of an experiment, with their files.
 */
import type { GivenLogged } from "../../../registry/intake/given.ts";
import { type Load, markOf, type Place } from "./load.ts";

/** Carries all logged models of an experiment over. */
export async function carryLogged(load: Load, { here, there }: Place): Promise<void> {
  for await (const given of load.source.logged(there)) {
    const models = given.filter(({ stage }) => !load.skipDeleted || stage === "active");
    load.tally.count("logged_models", "skipped", given.length - models.length);
    await carrySome(load, here, models);
  }
}

async function carrySome(
  { source, intake, tally, carryFiles }: Load,
  experimentId: string,
  models: readonly GivenLogged[],
): Promise<void> {
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
