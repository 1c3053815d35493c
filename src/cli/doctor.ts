/*
 * `sluice doctor`: what is wrong with an installation, and what to do. It works while no server
 * can start, so it opens what it looks at by itself; only an embedded database that a server holds
 * is looked at by that server.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Config, readConfig } from "../config.ts";
import { reasonOf } from "../errors.ts";
import { examine, type Patient } from "../flow/doctor/examine.ts";
import { type Finding, failed, failedBy, warning } from "../flow/doctor/finding.ts";
import { databasePath, lockPath, objectsPath } from "../folder.ts";
import { makeClient } from "../market/client.ts";
import { makeLimiter } from "../market/limiter.ts";
import { readModels } from "../models.ts";
import { makePromotion } from "../registry/promotion.ts";
import { makeTrainings } from "../registry/trainings.ts";
import { type Database, openEmbedded, openPostgres } from "../store/database.ts";
import { type Holder, lockHolder, takeLock } from "../store/lock.ts";
import { folderObjects, s3Objects } from "../store/objects.ts";
import type { DoctorAnswer } from "./answers.ts";
import { send } from "./client.ts";
import { tokenOf } from "./connect.ts";
import { renderTable } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";

/** Prints every finding; the exit code is 1 when a check failed. */
export async function doctor(io: Io, { json }: JsonOption): Promise<number> {
  const config = readConfig(io.environment, io.terminal);
  const models = readModels(config.modelsFolder);
  const holder = config.databaseUrl === null ? lockHolder(lockPath(config)) : null;
  const findings =
    holder === null ? await lookedAtHere(config, models) : await told(config, models, holder);
  await io.print(json ? JSON.stringify({ items: findings, next: null }) : textOf(findings));
  return findings.some(({ state }) => state === "failed") ? 1 : 0;
}

type Models = Patient["models"];

/** What the server that holds the folder finds; where it does not say, what can be seen from here. */
async function told(config: Config, models: Models, holder: Holder) {
  const held = `process ${holder.pid}`;
  if (holder.url !== null) {
    try {
      const route = { url: holder.url, token: await tokenOf(config) };
      const { items } = await send<DoctorAnswer>(route, "GET", "/admin/doctor");
      return items;
    } catch (thrown) {
      const fix = `See its log; if it hangs, end it: kill ${holder.pid}`;
      const finding = failed(
        "database",
        `held by ${held}, which listens on ${holder.url} but did not tell: ${reasonOf(thrown)}`,
        fix,
      );
      return examine(patientOf(config, models, [finding], `${held} holds it`));
    }
  }
  const fix = "Wait for it, then look again.";
  const finding = warning("database", `held by ${held}, which starts or does a command`, fix);
  return examine(patientOf(config, models, [finding], `${held} holds it`));
}

async function lookedAtHere(config: Config, models: Models): Promise<readonly Finding[]> {
  const nobody = "nobody holds it";
  if (config.databaseUrl !== null) return examineOver(openPostgres(config.databaseUrl));
  if (!existsSync(join(databasePath(config), "PG_VERSION"))) {
    const start = "Start Sluice: `sluice serve`.";
    const none = warning("database", "is not there yet; the first start makes it", start);
    return examine(patientOf(config, models, [none], nobody));
  }
  const lock = takeLock(lockPath(config));
  try {
    return await examineOver(await openEmbedded(databasePath(config)));
  } catch (thrown) {
    const fix = "Restore a backup of the data folder.";
    const finding = failedBy("database", thrown, fix);
    return examine(patientOf(config, models, [finding], nobody));
  } finally {
    lock.release();
  }

  async function examineOver(database: Database): Promise<readonly Finding[]> {
    try {
      return await examine(patientOf(config, models, database, nobody));
    } finally {
      await database.close();
    }
  }
}

function patientOf(
  config: Config,
  models: Models,
  database: Patient["database"],
  holder: string,
): Patient {
  const stored =
    config.s3 === null
      ? folderObjects(objectsPath(config))
      : s3Objects(config.s3, objectsPath(config));
  const clock = { now: Date.now };
  const open = "orm" in database ? database : null;
  return {
    ...{ config, models, database, holder },
    objects: config.s3 === null && !existsSync(config.data) ? null : stored,
    pointers: async () =>
      open === null ? [] : makePromotion({ database: open, clock }).pointers(),
    artifactSizes: async () =>
      open === null ? { files: 0, bytes: 0 } : makeTrainings(open).artifactSizes(),
    serverTime: () => makeClient({ url: config.upbitUrl, limiter: makeLimiter() }).serverTime(),
  };
}

function textOf(findings: readonly Finding[]): string {
  const left = (title: string) => ({ title });
  const rows = findings.flatMap(({ check, state, found, fix }) => [
    [state, check, found],
    ...(fix === null ? [] : [["", "", `> ${fix}`]]),
  ]);
  const count = (state: Finding["state"]) => findings.filter((one) => one.state === state).length;
  const sum = `${count("ok")} ok, ${count("warning")} to look at, ${count("failed")} failed`;
  return `${renderTable([left("state"), left("check"), left("found")], rows)}\n\n${sum}`;
}
