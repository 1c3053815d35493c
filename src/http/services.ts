/*
 * What the routes stand on: the parts of other rooms that they call, and no more, so that a test
 * can stand in for them.
 */
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Control } from "../flow/control.ts";
import type { Finding } from "../flow/doctor/finding.ts";
import type { Operations } from "../flow/operations.ts";
import type { RetentionJob } from "../flow/retention.ts";
import type { Sizes } from "../flow/sizes.ts";
import type { Log } from "../log.ts";
import type { ModelFile } from "../models.ts";
import type { Mlflow } from "../registry/mlflow.ts";
import type { Promotion } from "../registry/promotion.ts";
import type { Tracking } from "../registry/tracking.ts";
import type { Versions } from "../registry/versions.ts";
import type { Champions } from "../serve/champions.ts";
import type { Forecaster } from "../serve/forecast.ts";
import type { Pool } from "../serve/pool.ts";
import type { Remember } from "../serve/remember.ts";
import type { ServedVersions } from "../serve/versions.ts";
import type { Backup, TakeOptions } from "../store/backup/take.ts";
import type { CandleStore } from "../store/candles.ts";
import type { Forecasts } from "../store/forecasts.ts";
import type { PipelineRuns } from "../store/pipeline-runs.ts";
import type { Tokens } from "../store/tokens.ts";
import type { Imports } from "../table/import.ts";
import type { Instant } from "../types.ts";

/** One thing that must hold, or is told, for the server to be ready. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Since when it is so, in real time. */
  readonly since?: Instant;
  /** How old what it tells of is, milliseconds; null: there is nothing yet. */
  readonly ageMs?: number | null;
  /** False: told, but no reason to send requests elsewhere (the exchange is away). */
  readonly blocking?: boolean;
}

export interface HttpServices {
  readonly config: Config;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  readonly models: ReadonlyMap<string, ModelFile>;
  readonly champions: Pick<Champions, "use" | "state" | "view" | "names">;
  /** Any version of a model, by number or alias. */
  readonly served: ServedVersions;
  readonly pool: Pick<Pool, "held" | "bytes">;
  /** Answers given again to the same rows; null where that is off. */
  readonly remember: Remember | null;
  readonly forecaster: Pick<Forecaster, "forecast">;
  readonly forecasts: Pick<Forecasts, "record" | "list">;
  readonly candles: Pick<CandleStore, "read" | "holesOf" | "newest" | "quarantined">;
  readonly tracking: Pick<Tracking, "run" | "runs" | "readPieces">;
  /** The same tables as the MLflow protocol sees them. */
  readonly mlflow: Mlflow;
  readonly versions: Pick<Versions, "version" | "versions" | "names" | "isRegistered">;
  readonly promotion: Pick<Promotion, "champion" | "aliases" | "history">;
  readonly runs: Pick<PipelineRuns, "run" | "list" | "stepsOf" | "paused">;
  readonly control: Control;
  readonly imports: Pick<Imports, "take" | "list">;
  readonly tokens: Tokens;
  readonly operations: Operations;
  readonly retention: Pick<RetentionJob, "totals">;
  /** What tables and artifacts take; null while that is not known. */
  sizes(): Promise<Sizes | null>;
  /** Checks of everything it stands on; takes a second or more. */
  doctor(): Promise<readonly Finding[]>;
  /** A backup of the rows of this moment and of what they name. */
  backup(options: TakeOptions): Promise<Backup>;
  readonly adminToken: string;
  /** Database, exchange and the like; each model's champion is looked at by /readyz itself. */
  checks(): readonly Check[] | Promise<readonly Check[]>;
}
