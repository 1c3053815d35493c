/*
 * What passes between a training and whoever asked for it: the job, the result, and the files of
 * the work folder that carry them.
 */
import type { Leak } from "../feature/leak.ts";
import type { MarketReport } from "../learn/report.ts";
import type { MarketFile } from "../models.ts";
import type { MarketReportJson } from "../report/market.ts";
import type { ArtifactFacts } from "../serve/artifact.ts";
import type { Candle, Instant } from "../types.ts";
import type { SentPlot } from "./run-files.ts";

export const JOB_FILE = "job.json";
export const RESULT_FILE = "result.json";
export const ARTIFACT_FILE = "model.onnx";

/** What every job says first: which kind of work it is. */
export interface ChildJob {
  readonly kind: "market" | "table" | "check" | "try";
}

/** What the child writes when it fails by a known error. */
export interface ChildFailure {
  readonly error: {
    readonly code: string;
    readonly status: number;
    readonly detail: string;
    readonly fix: string;
  };
}

/** What a training is given. Candles are those known at `asOf`, oldest first, by market. */
export interface TrainingJob {
  readonly model: MarketFile;
  /** The slot of the run: the newest label is that of the candle before it. */
  readonly slot: Instant;
  readonly asOf: Instant;
  readonly candles: Readonly<Record<string, readonly Candle[]>>;
}

/** What a training tells besides the artifact. */
export interface TrainingResult {
  /** Set when nothing was to be learned; everything below it is then empty. */
  readonly skip: { readonly reason: string; readonly detail: string } | null;
  readonly summary: string;
  readonly params: Readonly<Record<string, string | number>>;
  readonly report: MarketReport | null;
  readonly outOfFold: OutOfFoldJson | null;
  readonly importance: readonly { name: string; gain: number; share: number; splits: number }[];
  readonly leaks: readonly Leak[];
  readonly parity: { readonly rows: number; readonly maxDifference: number };
  readonly facts: ArtifactFacts | null;
  readonly dataset: {
    readonly digest: string;
    readonly rows: number;
    readonly firstSlot: number;
    readonly lastSlot: number;
    readonly dropped: Readonly<Record<string, number>>;
  } | null;
  /** The report of the walk-forward answers, without run and time, which the child does not know. */
  readonly evaluation: MarketReportJson | null;
  readonly plots: readonly SentPlot[];
}

/** Out-of-fold answers as the artifact `out_of_fold.json` of a run keeps them. */
export interface OutOfFoldJson {
  readonly slots: readonly number[];
  readonly up: readonly number[];
  readonly probability: readonly number[];
}
