/*
 * Every call of the MLflow protocol that is answered here.
 */
import { aliasRpcs } from "./aliases.ts";
import { artifactRpcs } from "./artifacts.ts";
import { experimentRpcs } from "./experiments.ts";
import { historyRpcs } from "./histories.ts";
import { inputRpcs } from "./inputs.ts";
import { loggedRpcs } from "./logged.ts";
import { loggingRpcs } from "./logging.ts";
import { probeRpcs } from "./probes.ts";
import { registeredRpcs } from "./registered.ts";
import type { Rpc } from "./route.ts";
import { runRpcs } from "./runs.ts";
import { searchRpcs } from "./search.ts";
import { uploadRpcs } from "./uploads.ts";
import { versionRpcs } from "./versions.ts";

export const rpcs: readonly Rpc[] = [
  ...probeRpcs,
  ...experimentRpcs,
  ...runRpcs,
  ...loggingRpcs,
  ...inputRpcs,
  ...historyRpcs,
  ...searchRpcs,
  ...registeredRpcs,
  ...versionRpcs,
  ...aliasRpcs,
  ...loggedRpcs,
  ...artifactRpcs,
  ...uploadRpcs,
];
