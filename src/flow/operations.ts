/*
 * What an operator does to models by hand, under the same gates as the pipelines.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { type VerifyReport, verifyMarket } from "../market/verify.ts";
import { isMarket, type ModelFile, marketModels } from "../models.ts";
import { type Foreign, type ForeignFile, isForeign } from "../registry/foreign.ts";
import type { Gate } from "../registry/gates.ts";
import type { Moved } from "../registry/promotion.ts";
import { unknownVersion, type Version } from "../registry/version-rows.ts";
import { unknownModel } from "../serve/versions.ts";
import { assertMarket, marketsOf } from "./control.ts";
import { judgeRun } from "./evaluate.ts";
import type { StepDeps } from "./steps.ts";
import { judgeTableRun } from "./table/evaluate.ts";
import type { TableStepDeps } from "./table/steps.ts";

export interface Operations {
  /**
   * Makes a version champion when it passes the gates now, or with `force` although it does not,
   * which the history keeps. `gate_failed` (422), `not_the_champion` and `not_servable` (409),
   * `unknown_version` (404).
   */
  promote(model: string, request: PromoteOrder): Promise<Moved>;
  /** Registers an ONNX file as a version; `onnx_refused`, `artifact_corrupt` (422). */
  register(file: ForeignFile): Promise<Foreign>;
  /** Makes the champion before the current one champion again. */
  rollback(model: string, request: { actor: string; expected?: number }): Promise<Moved>;
  /** The state of a market's stored candles, or of all markets (null). */
  verify(market: string | null): Promise<VerifyReport[]>;
}

export interface PromoteOrder {
  readonly version: number;
  /** The champion that must be in place; null for none, absent for any. */
  readonly expected?: number | null;
  readonly force?: boolean;
  /** Who asks: kept in the history. */
  readonly actor: string;
}

export interface OperationDeps {
  readonly models: ReadonlyMap<string, ModelFile>;
  readonly steps: StepDeps;
  readonly tableSteps: TableStepDeps;
  readonly register: (file: ForeignFile) => Promise<Foreign>;
  /** Loads a version and tries it, as it lies in the store; throws when it cannot be served. */
  readonly tryVersion: (version: Version) => Promise<void>;
  /** Looks again for what can be served of a version that a client registered (`not_servable`). */
  readonly makeServable: (name: string, version: number) => Promise<void>;
}

export function makeOperations(deps: OperationDeps): Operations {
  const { models, steps, tableSteps } = deps;
  const { promotion, versions, tracking, candles, clock } = steps;

  async function assertModel(name: string): Promise<void> {
    if (models.has(name) || (await versions.isRegistered(name))) return;
    throw unknownModel(name, models);
  }

  /** What a version must pass now; for one from outside, and one without a model file, serving. */
  async function gatesOf(found: Version): Promise<readonly Gate[]> {
    const model = models.get(found.name);
    const run = found.runId === null ? null : await tracking.run(found.runId);
    // What a client says of where a version is from is no training that could be judged.
    const isJudged = model !== undefined && run !== null && found.trained && !isForeign(run);
    if (!isJudged) return [await serves(found, deps)];
    const trained = { runId: run.runId, version: found.version };
    const { gates } = isMarket(model)
      ? await judgeRun(model, trained, await steps.verify(model), steps)
      : await judgeTableRun(model, trained, tableSteps);
    return gates;
  }

  return {
    promote: async (name, { version, expected, force = false, actor }) => {
      await assertModel(name);
      await deps.makeServable(name, version);
      const found = await versions.version(name, version);
      if (found === null) throw unknownVersion(name, version);
      const gates = await gatesOf(found);
      await versions.recordGates(name, version, gates);
      const failed = gates.filter((gate) => !gate.passed);
      if (failed.length > 0 && !force) throw gateFailed(name, version, failed);
      return promotion.promote({
        name,
        version,
        expected,
        actor,
        reason:
          failed.length === 0
            ? passedReason(gates)
            : `forced although gates failed: ${failed.map((gate) => gate.name).join(", ")}`,
        forced: failed.length > 0,
      });
    },
    register: deps.register,
    rollback: async (name, request) => {
      await assertModel(name);
      return promotion.rollback({ name, ...request });
    },
    verify: async (market) => {
      if (market !== null) assertMarket(market, models);
      const now = clock.now();
      return Promise.all(
        (market === null ? marketsOf(models) : [market]).map((name) =>
          verifyMarket(candles, name, { since: sinceOf(name, models), now }),
        ),
      );
    },
  };
}

/** Whether it can be served: all that can be asked of a version that was not trained here. */
async function serves(found: Version, { tryVersion }: OperationDeps): Promise<Gate> {
  const fault = await tryVersion(found).then(
    () => null,
    (thrown) => reasonOf(thrown),
  );
  return {
    name: "serves",
    passed: fault === null,
    detail:
      fault === null
        ? "The stored file loads, has the registered inputs and outputs, and answers."
        : `The stored file cannot be served: ${fault}`,
    value: fault === null ? "serves" : "refused",
    accepted: "serves",
  };
}

/** What the history keeps: also that nobody here knows how a version was made. */
const passedReason = (gates: readonly Gate[]): string =>
  gates.some(({ name }) => name === "serves")
    ? "it loads and answers under its signature; gates of data and training could not be " +
      "judged; promoted by hand"
    : "passed the gates, promoted by hand";

/** The earliest instant from which any model wants the market's candles. */
export const sinceOf = (market: string, models: ReadonlyMap<string, ModelFile>): number =>
  Math.min(
    ...marketModels(models)
      .filter(({ collect }) => collect.market === market || collect.others.includes(market))
      .map(({ collect }) => collect.since),
  );

const gateFailed = (model: string, version: number, failed: readonly Gate[]): SluiceError =>
  new SluiceError({
    code: "gate_failed",
    status: 422,
    detail: `Version ${version} of ${model} does not pass: ${failed
      .map((gate) => `${gate.name} (${gate.detail})`)
      .join(" ")}`,
    fix: 'Promote a version that passes, or repeat with "force": true, which the history keeps.',
    faults: failed.map((gate) => ({ path: gate.name, message: gate.detail })),
  });
