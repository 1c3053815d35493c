/*
 * What passes between a table's training and whoever asked for it.
 */
import type { Difference } from "../../learn/interval.ts";
import type { Trial } from "../../learn/search.ts";
import type { TableFile } from "../../models.ts";
import type { ReportData, TableReportJson } from "../../report/table.ts";
import type { TableFacts } from "../../serve/table.ts";
import type { TableCheck } from "../../table/checks.ts";
import type { StoredPart } from "../../table/load.ts";
import type { InputContext } from "../inputs.ts";
import type { ChildJob } from "../job.ts";
import type { SentPlot } from "../run-files.ts";

/** The rows, one JSON array a line, in the order of the parts. */
export const ROWS_FILE = "rows.ndjson";
/** The artifact of the champion, where there is one. */
export const CHAMPION_FILE = "champion.onnx";

/** A part of the table without its rows, and how many they are. */
export type PartHead = Omit<StoredPart, "cells"> & { readonly rows: number };

export interface CheckJob extends ChildJob {
  readonly kind: "check";
  readonly model: TableFile;
  readonly parts: readonly PartHead[];
}

/** What a look at the rows found. */
export interface CheckResult {
  readonly digest: string;
  readonly rows: { readonly train: number; readonly test: number };
  readonly checks: readonly TableCheck[];
}

export interface TableJob extends ChildJob {
  readonly kind: "table";
  readonly model: TableFile;
  readonly parts: readonly PartHead[];
  /** What the checks said, for the report. */
  readonly checks: readonly TableCheck[];
  readonly data: ReportData | null;
  /** The version whose artifact lies in the folder, or null. */
  readonly champion: number | null;
}

/** What a table's training tells besides the artifact. */
export interface TableResult {
  /** Set when nothing was to be learned; the rest is then null. */
  readonly skip: { readonly reason: string; readonly detail: string } | null;
  readonly trained: Trained | null;
}

export interface Trained {
  readonly params: Readonly<Record<string, string | number>>;
  readonly facts: TableFacts;
  readonly rows: { readonly train: number; readonly validation: number; readonly test: number };
  /** Trainer against ONNX Runtime; differences of numbers above 1 are relative to them. */
  readonly parity: { readonly rows: number; readonly maxDifference: number };
  readonly judged: JudgedJson;
  /** Mean loss of the metric that versions are compared by, and what no column would give. */
  readonly loss: { readonly name: string; readonly value: number; readonly baseline: number };
  readonly report: TableReportJson;
  readonly trials: readonly Trial[];
  /** Validation loss by trainer, where rows chose between them. */
  readonly tried: Readonly<Record<string, number>>;
  /** The parts of the rows, with a digest of which rows they are. */
  readonly inputs: readonly {
    readonly context: InputContext;
    readonly rows: number;
    readonly digest: string;
  }[];
  readonly plots: readonly SentPlot[];
}

/** The answers on the rows that judge: kept by the run, for later comparisons. */
export interface JudgedJson {
  /** Indices of the rows in the table that the digest names. */
  readonly rows: readonly number[];
  readonly target: readonly number[];
  readonly width: number;
  readonly values: readonly number[];
  /** The champion's loss against this one's, on the same rows; null without a champion. */
  readonly champion: Comparison | null;
}

/** Challenger minus champion, a loss a row; no difference where it cannot be told, and why. */
export interface Comparison {
  readonly version: number;
  readonly difference: Difference | null;
  readonly reason: string | null;
}
