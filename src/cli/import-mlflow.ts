/*
 * `sluice import-mlflow`: everything of a tracking server into the stores, and its champions through
 * the gates. The stores are written to directly, so that a data folder which a server holds is
 * refused (exit code 3); beside a Postgres others may serve meanwhile.
 */
import { type Config, readConfig } from "../config.ts";
import { reasonOf, SluiceError } from "../errors.ts";
import { readModels } from "../models.ts";
import { makeIntake } from "../registry/intake/intake.ts";
import type { Check } from "../registry/register.ts";
import { migrate } from "../store/migrate.ts";
import type { MovedAnswer } from "./answers.ts";
import type { Io, JsonOption } from "./io.ts";
import { type Candidate, carry } from "./mlflow/carry/carry.ts";
import { openSource } from "./mlflow/open.ts";
import { makeTally, reportText, type Tally } from "./mlflow/tally.ts";
import { makeProgress } from "./progress.ts";
import { withSession } from "./session.ts";
import { objectsOf, withDatabase } from "./stores.ts";

export interface ImportMlflowOptions extends JsonOption {
  readonly from: string;
  readonly artifacts?: string;
  readonly skipDeleted?: boolean;
}

/** Brings everything over and prints a report; exit code 1 where something is to be tried again. */
export async function importMlflow(io: Io, options: ImportMlflowOptions): Promise<number> {
  const { from, artifacts, skipDeleted = false, json } = options;
  const config = readConfig(io.environment, io.terminal);
  const source = await openSource(io, config, from, artifacts);
  const progress = makeProgress(io.errors, { lines: true });
  const tally = makeTally(source.name);
  try {
    const candidates = await withDatabase(config, async (database) => {
      await migrate(database);
      const objects = objectsOf(config);
      const intake = makeIntake({
        ...{ database, objects, clock: { now: Date.now }, check: checkOf(config) },
      });
      const onProgress = progress.update;
      return carry(source, intake, tally, { skipDeleted, onProgress });
    });
    for (const { what, why } of source.left) tally.leave(what, why);
    tally.hidden(source.unseen?.() ?? []);
    // The gates are those of the program itself, which needs the folder that is free again now.
    if (candidates.length > 0) await promote(io, candidates, tally);
  } finally {
    progress.done();
    await source.close();
  }
  const report = tally.report();
  await io.print(json ? JSON.stringify(report) : reportText(report));
  return report.failed.length === 0 ? 0 : 1;
}

/** Loads and tries what is to be served, as a server would. */
function checkOf(config: Config): Check {
  const models = readModels(config.modelsFolder);
  return async (bytes, _, name) => {
    const { tryVersion } = await import("../serve/foreign.ts");
    const { loadRuntime } = await import("../serve/runtime.ts");
    await tryVersion(await loadRuntime(config.data), bytes, models.get(name));
  };
}

/** Promotes as an administrator would; what is refused is told with its reason. */
async function promote(io: Io, candidates: readonly Candidate[], tally: Tally): Promise<void> {
  const waiting = [...candidates];
  try {
    await withSession(io, async ({ call }) => {
      for (; waiting[0] !== undefined; waiting.shift()) {
        const { model, version } = waiting[0];
        const path = `/admin/models/${encodeURIComponent(model)}/promote`;
        try {
          await call<MovedAnswer>("POST", path, { version, expected: null });
          tally.count("aliases", "brought");
          tally.promoted(model, version);
        } catch (thrown) {
          const isRefusal = thrown instanceof SluiceError && thrown.status < 500;
          const note = isRefusal ? tally.skip : tally.fail;
          note("aliases", `alias champion of ${model}`, reasonOf(thrown));
        }
      }
    });
  } catch (thrown) {
    // All else is here, and is to be told of.
    for (const { model } of waiting) {
      tally.fail("aliases", `alias champion of ${model}`, reasonOf(thrown));
    }
  }
}
