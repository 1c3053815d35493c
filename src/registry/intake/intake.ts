/*
 * The intake: what another tracking server has becomes rows and objects here. All of it may be done
 * again; what is there already stays as it is.
 */
import type { Database } from "../../store/database.ts";
import type { Objects } from "../../store/objects.ts";
import type { Instant } from "../../types.ts";
import { makeFiles } from "../files.ts";
import type { Check } from "../register.ts";
import { makeServable } from "../servable.ts";
import { makeExperimentIntake } from "./experiments.ts";
import { makeFileIntake } from "./files.ts";
import { makeLoggedIntake } from "./logged.ts";
import { makeModelIntake } from "./models.ts";
import { makeRunIntake } from "./runs.ts";

export interface IntakeDeps {
  readonly database: Database;
  readonly objects: Objects;
  readonly clock: { now(): Instant };
  /** Loads and tries what is to be served. */
  readonly check: Check;
}

export type Intake = ReturnType<typeof makeIntake>;

/** Everything that takes in, by what it is about. */
export function makeIntake(deps: IntakeDeps) {
  const servable = makeServable({ ...deps, files: makeFiles(deps) });
  return {
    takeExperiment: makeExperimentIntake(deps),
    runs: makeRunIntake(deps),
    logged: makeLoggedIntake(deps),
    files: makeFileIntake(deps),
    models: makeModelIntake({ ...deps, servable }),
  };
}
