/*
 * Every check there is, one after the other, each with what it found and what to do. Nothing is
 * changed but for one small object, which is removed again.
 */
import type { Config } from "../../config.ts";
import type { ModelFile } from "../../models.ts";
import { marketModels } from "../../models.ts";
import type { Pointer } from "../../registry/promotion.ts";
import type { Database } from "../../store/database.ts";
import type { Objects } from "../../store/objects.ts";
import type { Instant } from "../../types.ts";
import { databaseFindings } from "./database.ts";
import { bytesText, type Finding, found, ok } from "./finding.ts";
import { hostFindings } from "./host.ts";
import { artifactFindings, exchangeFindings, objectsFinding, redisFinding } from "./stores.ts";

/** What the checks look at. */
export interface Patient {
  readonly config: Config;
  readonly models: ReadonlyMap<string, ModelFile>;
  /** The open database, or what was found instead of one. */
  readonly database: Database | readonly Finding[];
  /** Null: the data folder is not there yet. */
  readonly objects: Objects | null;
  readonly pointers: () => Promise<readonly Pointer[]>;
  readonly artifactSizes: () => Promise<{ files: number; bytes: number }>;
  readonly serverTime: () => Promise<Instant>;
  /** Who holds the embedded database's folder, in words. */
  readonly holder: string;
}

/** Everything that is to be told, in the order in which one thing stands on another. */
export async function examine(patient: Patient): Promise<readonly Finding[]> {
  const { config, models, database, objects } = patient;
  const findings: Finding[] = [configurationFinding(config, models)];
  findings.push(...(await hostFindings(config)));
  if (config.databaseUrl === null) findings.push(ok("embedded lock", patient.holder));
  const ofDatabase = isFindings(database) ? database : await databaseFindings(database);
  findings.push(...ofDatabase);
  if (config.redisUrl !== null) findings.push(...(await redisFinding(config.redisUrl)));
  const ofObjects = objects === null ? [] : await objectsFinding(objects, config);
  findings.push(...ofObjects);
  const standing = [...ofDatabase.slice(0, 1), ...ofObjects].every(
    ({ state }) => state !== "failed",
  );
  if (!isFindings(database) && objects !== null && standing) {
    findings.push(...(await artifactFindings(patient.pointers, objects)));
    findings.push(...(await found("artifact sizes", "See the database.", () => sizes(patient))));
  }
  if (marketModels(models).length > 0) {
    findings.push(...(await exchangeFindings(config, patient.serverTime)));
  }
  return findings;
}

const isFindings = (database: Patient["database"]): database is readonly Finding[] =>
  Array.isArray(database);

const configurationFinding = (config: Config, models: ReadonlyMap<string, ModelFile>): Finding => {
  const { databaseUrl, s3, redisUrl } = config;
  const parts = [
    `${models.size} models (${[...models.keys()].join(", ")})`,
    databaseUrl === null ? "embedded database" : "Postgres",
    s3 === null ? "objects in a folder" : "S3",
    redisUrl === null ? "no Redis" : "Redis",
    `role ${config.role}`,
  ];
  return ok("configuration", parts.join("; "));
};

async function sizes({ artifactSizes }: Patient): Promise<Finding> {
  const { files, bytes } = await artifactSizes();
  return ok("artifact sizes", `${bytesText(bytes)} in ${files} files`);
}
