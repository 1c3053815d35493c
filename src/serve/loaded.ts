/*
 * Bytes of a version -> something that answers, whichever kind of model it is.
 */
import { SluiceError } from "../errors.ts";
import { type Explainer, explainerOf } from "../learn/shap.ts";
import type { TableModel } from "../learn/table/answers.ts";
import { readMetadata } from "../onnx/metadata.ts";
import { type ArtifactFacts, assertSameFeatures, KEY, readFacts } from "./artifact.ts";
import { type MarketExplainer, marketExplainer } from "./explain.ts";
import { type Plain, plainOf } from "./plain.ts";
import type { Runtime } from "./runtime.ts";
import { type Inference, openSession, type Session, unusable } from "./session.ts";
import {
  missingRow,
  openTableSession,
  readTableFacts,
  type TableFacts,
  type TableSession,
} from "./table.ts";
import { byTrees } from "./tensors.ts";

export interface LoadedMarket {
  readonly kind: "market";
  readonly facts: ArtifactFacts;
  readonly session: Session;
  /** The same session, asked by tensors. */
  readonly plain: Plain;
  /** What explains its answers, read out of the bytes at the first call; `not_explainable`. */
  readonly explain: MarketExplainer;
}

export interface LoadedTable {
  readonly kind: "table";
  readonly facts: TableFacts;
  readonly session: TableSession;
  /** The same session, asked by tensors. */
  readonly plain: Plain;
  /** What explains its answers, one an output; read out of the bytes at the first call. */
  explainers(): readonly Explainer[];
}

/** A model of which nothing is known but the tensors that go in and come out (foreign.ts). */
export interface LoadedPlain {
  readonly kind: "plain";
  readonly session: { readonly inference: Inference; release(): Promise<void> };
  readonly plain: Plain;
  /** Why a file that says that it was made here is not taken as that; null of others. */
  readonly trouble: SluiceError | null;
}

/** Made here, and what it takes and means is known. */
export type Made = LoadedMarket | LoadedTable;

export type Loaded = Made | LoadedPlain;

/**
 * Loads bytes made here, of either kind, and tries them with a row in which everything is missing.
 * Throws `artifact_unusable`, `artifact_corrupt`, `feature_mismatch` or `non_finite_output`.
 */
export async function openArtifact(runtime: Runtime, bytes: Uint8Array): Promise<Made> {
  const loaded = isTable(bytes)
    ? await openTable(runtime, bytes)
    : await openMarket(runtime, bytes);
  try {
    if (loaded.kind === "table") await loaded.session.run(missingRow(loaded.facts));
    else await loaded.session.run(new Float32Array(loaded.facts.features.length), 1);
  } catch (thrown) {
    await loaded.session.release();
    throw thrown;
  }
  return loaded;
}

async function openMarket(runtime: Runtime, bytes: Uint8Array): Promise<LoadedMarket> {
  const facts = readFacts(bytes);
  assertSameFeatures(facts);
  const session = await openSession(runtime, bytes, facts.features.length);
  let explainer: MarketExplainer | null = null;
  return {
    kind: "market",
    facts,
    session,
    plain: plainOf(runtime, session.inference, bytes),
    explain: (features, rows) => {
      explainer ??= marketExplainer(bytes, facts.features);
      return explainer(features, rows);
    },
  };
}

async function openTable(runtime: Runtime, bytes: Uint8Array): Promise<LoadedTable> {
  const facts = readTableFacts(bytes);
  const session = await openTableSession(runtime, bytes, facts);
  const plain = plainOf(runtime, session.inference, bytes);
  let explainers: readonly Explainer[] | null = null;
  return {
    kind: "table",
    facts,
    session,
    plain: session.trees === null ? plain : byTrees(plain, facts, session.trees),
    explainers: () => {
      explainers ??= explainersOf(session.model);
      return explainers;
    },
  };
}

/** One a class where there are several, else one. */
function explainersOf(model: TableModel | null): Explainer[] {
  if (model === null) throw unusable("it holds no model that can be explained");
  return (model.kind === "softmax" ? model.models : [model]).map(explainerOf);
}

function isTable(bytes: Uint8Array): boolean {
  try {
    return JSON.parse(readMetadata(bytes).metadata[KEY] ?? "{}").kind === "table";
  } catch {
    return false; // said in full by the reading of market facts
  }
}

/** The model as a market's, or `artifact_unusable`: a file may have changed its kind. */
export function asMarket<L extends Loaded>(loaded: L): L & LoadedMarket {
  if (loaded.kind === "market") return loaded as L & LoadedMarket;
  throw strange(loaded);
}

/** The model as a table's, or `artifact_unusable`. */
export function asTable<L extends Loaded>(loaded: L): L & LoadedTable {
  if (loaded.kind === "table") return loaded as L & LoadedTable;
  throw strange(loaded);
}

/** What it is, where something else was wanted. */
function strange(loaded: Loaded): SluiceError {
  if (loaded.kind === "table") {
    return unusable(`it was trained on a table (${loaded.facts.target}), not on candles`);
  }
  if (loaded.kind === "market") {
    return unusable(`it was trained on candles (${loaded.facts.market}), not on a table`);
  }
  return loaded.trouble ?? tensorsOnly("it was not made here");
}

/** A version of which nothing is known but its tensors was asked for more. */
export const tensorsOnly = (reason: string): SluiceError =>
  new SluiceError({
    code: "tensors_only",
    status: 422,
    detail: `The version takes tensors only: ${reason}.`,
    fix: "Ask POST /v2/models/{model}/infer, the Open Inference Protocol.",
  });
