/*
 * What an operator does to models by hand, under the same gates as the pipelines.
 */
import { SluiceError } from "../errors.ts";
import { type VerifyReport, verifyMarket } from "../market/verify.ts";
import { isMarket, type ModelFile, marketModels } from "../models.ts";
import type { Gate } from "../registry/gates.ts";
import type { Moved } from "../registry/promotion.ts";
import { unknownVersion } from "../registry/version-rows.ts";
import { unknownModel } from "../serve/forecast.ts";
import { assertMarket, marketsOf } from "./control.ts";
import { judgeRun } from "./evaluate.ts";
import type { StepDeps } from "./steps.ts";
import { judgeTableRun } from "./table/evaluate.ts";
import type { TableStepDeps } from "./table/steps.ts";

export interface Operations {
  /**
   * Makes a version champion when it passes the gates now, or with `force` although it does not,
   * which the history keeps. `gate_failed` (422), `not_the_champion` (409), `unknown_version`.
   */
  promote(model: string, request: PromoteOrder): Promise<Moved>;
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
}

export function makeOperations({ models, steps, tableSteps }: OperationDeps): Operations {
  const { promotion, versions, candles, clock } = steps;

  function modelOf(name: string): ModelFile {
    const model = models.get(name);
    if (model === undefined) throw unknownModel(name, models);
    return model;
  }

  async function failedGates(model: ModelFile, version: number): Promise<Gate[]> {
    const found = await versions.version(model.name, version);
    if (found === null) throw unknownVersion(model.name, version);
    // A version without a run was not trained here: nothing is known of how it was judged.
    if (found.runId === null) return [];
    const trained = { runId: found.runId, version };
    const { gates } = isMarket(model)
      ? await judgeRun(model, trained, await steps.verify(model), steps)
      : await judgeTableRun(model, trained, tableSteps);
    await versions.recordGates(model.name, version, gates);
    return gates.filter((gate) => !gate.passed);
  }

  return {
    promote: async (name, { version, expected, force = false, actor }) => {
      const model = modelOf(name);
      const failed = await failedGates(model, version);
      if (failed.length > 0 && !force) throw gateFailed(name, version, failed);
      return promotion.promote({
        name,
        version,
        expected,
        actor,
        reason:
          failed.length === 0
            ? "passed the gates, promoted by hand"
            : `forced although gates failed: ${failed.map((gate) => gate.name).join(", ")}`,
        forced: failed.length > 0,
      });
    },
    rollback: async (name, request) => promotion.rollback({ name: modelOf(name).name, ...request }),
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
