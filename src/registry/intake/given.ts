/*
 * What another tracking server has, as it is given to the intake: ids, times, states and numbers are
 * those of there. Times are milliseconds since 1970.
 */
import type { Whole } from "../../store/whole.ts";
import type { Instant } from "../../types.ts";
import type { DatasetFacts } from "../datasets.ts";
import type { LoggedStatus } from "../logged.ts";
import type { Pair } from "../registered.ts";
import type { RunInfo } from "../run-life.ts";

export type Stage = "active" | "deleted";

export interface GivenExperiment {
  readonly id: string;
  readonly name: string;
  /** Where its files are there. */
  readonly location: string;
  readonly stage: Stage;
  readonly created: Instant;
  readonly updated: Instant;
  readonly tags: readonly Pair[];
}

export interface GivenPoint {
  readonly runId: string;
  readonly key: string;
  /** NaN and the infinities too. */
  readonly value: number;
  readonly timestamp: Whole;
  readonly step: Whole;
}

export interface GivenDataset extends DatasetFacts {
  readonly tags: readonly Pair[];
}

export interface GivenRun {
  readonly id: string;
  readonly name: string;
  readonly userId: string;
  readonly status: RunInfo["status"];
  readonly started: Whole;
  readonly ended: Whole | null;
  readonly stage: Stage;
  /** Where its files are there. */
  readonly uri: string;
  readonly params: readonly Pair[];
  readonly tags: readonly Pair[];
  /** The latest point of each metric. */
  readonly latest: readonly GivenPoint[];
  readonly datasets: readonly GivenDataset[];
  readonly inputModels: readonly string[];
  readonly outputModels: readonly { readonly id: string; readonly step: Whole }[];
}

export interface GivenLoggedMetric extends GivenPoint {
  /** Empty where it was logged of no dataset. */
  readonly datasetName: string;
  readonly datasetDigest: string;
}

export interface GivenLogged {
  readonly id: string;
  readonly name: string;
  readonly modelType: string | null;
  readonly sourceRunId: string | null;
  readonly uri: string;
  readonly status: LoggedStatus;
  readonly statusMessage: string | null;
  readonly stage: Stage;
  readonly created: Instant;
  readonly updated: Instant;
  readonly params: readonly Pair[];
  readonly tags: readonly Pair[];
  readonly metrics: readonly GivenLoggedMetric[];
}

export interface GivenModel {
  readonly name: string;
  readonly description: string | null;
  readonly created: Instant;
  readonly updated: Instant;
  readonly tags: readonly Pair[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
}

export interface GivenVersion {
  readonly name: string;
  readonly version: number;
  readonly description: string | null;
  readonly userId: string | null;
  /** `Deleted_Internal` for one that was deleted: its number is never given again. */
  readonly stage: string;
  readonly source: string;
  readonly runId: string | null;
  readonly runLink: string | null;
  readonly modelId: string | null;
  readonly status: "PENDING_REGISTRATION" | "FAILED_REGISTRATION" | "READY";
  readonly statusMessage: string | null;
  readonly created: Instant;
  readonly updated: Instant;
  readonly tags: readonly Pair[];
}

/** The tag that keeps where the files of a thing were before it was brought here. */
export const ORIGIN = "sluice.imported_from";
/** The tag of what is here whole, set last: a digest of what the other server said of it. */
export const MARK = "sluice.imported";

/** Text without what the database cannot hold. */
export const held = (text: string): string => text.replaceAll("\0", "").toWellFormed();

/** Rows as the text of a JSON array, which one statement turns into rows again. */
export const rowsText = (rows: readonly object[]): string =>
  JSON.stringify(rows, (_, value) =>
    typeof value === "string" ? held(value) : typeof value === "bigint" ? String(value) : value,
  );
