/*
 * The steps of a table's pipeline: check -> train -> evaluate -> promote. Each can be repeated after
 * a crash: what it made before is found again, not made twice.
 */
import { SluiceError } from "../../errors.ts";
import type { TableFile } from "../../models.ts";
import type { Promotion } from "../../registry/promotion.ts";
import type { Tracking } from "../../registry/tracking.ts";
import type { Versions } from "../../registry/versions.ts";
import type { FileReport, ReportData } from "../../report/table.ts";
import type { Champions } from "../../serve/champions.ts";
import type { Orm } from "../../store/database.ts";
import type { Objects } from "../../store/objects.ts";
import type { PipelineRuns } from "../../store/pipeline-runs.ts";
import type { TableCheck } from "../../table/checks.ts";
import type { Imports } from "../../table/import.ts";
import type { Instant } from "../../types.ts";
import type { PipelineStep, StepContext, StepOutcome } from "../pipeline.ts";
import { promote } from "../promote.ts";
import { recordedBefore } from "../record.ts";
import { runJob, type TrainerDeps } from "../trainer.ts";
import { judgeTableRun } from "./evaluate.ts";
import {
  CHAMPION_FILE,
  type CheckJob,
  type CheckResult,
  type PartHead,
  type TableJob,
  type TableResult,
} from "./job.ts";
import { recordTable } from "./record.ts";
import { rowsToSend } from "./rows.ts";

export interface TableStepDeps {
  readonly clock: { now(): Instant };
  readonly imports: Pick<Imports, "parts" | "load" | "list">;
  readonly trainer: TrainerDeps;
  readonly objects: Objects;
  readonly tracking: Tracking;
  readonly versions: Versions;
  readonly promotion: Promotion;
  readonly champions: Champions;
  readonly runs: PipelineRuns;
}

export const TABLE_STEP_NAMES: readonly string[] = ["check", "train", "evaluate", "promote"];

const MINUTE = 60_000;

/** The steps of one table's pipeline. */
export function tableStepsOf(model: TableFile, deps: TableStepDeps): PipelineStep[] {
  // What a search may take comes on top of what a training takes.
  const training = 30 * MINUTE + model.search.seconds * 1_000;
  return [
    { name: "check", deadlineMs: 10 * MINUTE, run: (context) => check(model, deps, context) },
    { name: "train", deadlineMs: training, run: (context) => train(model, deps, context) },
    { name: "evaluate", deadlineMs: 5 * MINUTE, run: (context) => evaluate(model, deps, context) },
    { name: "promote", deadlineMs: MINUTE, run: (context) => promote(model.name, deps, context) },
  ];
}

async function check(
  model: TableFile,
  deps: TableStepDeps,
  context: StepContext,
): Promise<StepOutcome> {
  const parts = await deps.imports.parts(model).catch((thrown: unknown) => {
    // A schedule came due before there were rows: nothing is wrong, and another try changes nothing.
    if (thrown instanceof SluiceError && thrown.code === "not_imported") return thrown;
    throw thrown;
  });
  if (parts instanceof SluiceError) {
    return { skip: { reason: parts.code, detail: `${parts.message} ${parts.fix}` } };
  }
  const { heads, files } = rowsToSend(parts);
  const job: CheckJob = { kind: "check", model, parts: heads };
  const { result } = await runJob<CheckResult>(job, files, deps.trainer, optionsOf(context));
  const { rows, checks } = result;
  await context.say(`${rows.train} rows to learn from, ${rows.test} to be tested on.`);
  for (const { name, verdict, detail } of checks) {
    if (verdict === "warn" || verdict === "fail") {
      await context.say(`${verdict === "fail" ? "FAILED" : "warning"} ${name}: ${detail}`);
    }
  }
  const failed = checks.filter(({ verdict }) => verdict === "fail");
  // Nothing is wrong with such rows but that nothing can be learned from them.
  const [single] = failed.filter(({ name }) => name === "one_class");
  if (single !== undefined) return { skip: { reason: "single_class", detail: single.detail } };
  if (failed.length > 0) throw checksFailed(model, failed);
  return { ...result };
}

async function train(
  model: TableFile,
  deps: TableStepDeps,
  context: StepContext,
): Promise<StepOutcome> {
  const { run, say } = context;
  // A crash may have come between the version and the end of this step.
  const made = await recordedBefore(model.name, run.id, deps);
  if (made !== null) return made;
  // The exchange's time may not be known yet, and a table does not need it.
  const now = () => deps.clock.now() || Date.now();
  const startedAt = now();
  const { heads, files } = rowsToSend(await deps.imports.parts(model));
  const checks = (context.results["check"]?.["checks"] ?? []) as TableCheck[];
  const held = await deps.promotion.champion(model.name);
  const job: TableJob = {
    kind: "table",
    model,
    parts: heads,
    checks,
    data: await dataOf(model, heads, deps),
    champion: held?.version ?? null,
  };
  const champion = held === null ? {} : { [CHAMPION_FILE]: await deps.objects.get(held.digest) };
  const all = { ...files, ...champion };
  const { result, artifact } = await runJob<TableResult>(
    job,
    all,
    deps.trainer,
    optionsOf(context),
  );
  if (result.trained === null) {
    return { skip: result.skip ?? { reason: "nothing_learned", detail: "Nothing was learned." } };
  }
  const guard = (tx: Orm) => deps.runs.assertHeld(tx, context.lease);
  const { runId, version } = await recordTable(
    {
      model,
      trained: result.trained,
      artifact,
      parts: heads,
      checks,
      pipelineRunId: run.id,
      startedAt,
      at: now(),
      guard,
    },
    deps,
  );
  await say(`Version ${version.version} stands: ${result.trained.report.summary}`);
  return { runId, version: version.version, digest: version.digest };
}

/** The data reports of the imports in force. */
async function dataOf(
  { name }: TableFile,
  heads: readonly PartHead[],
  { imports }: TableStepDeps,
): Promise<ReportData> {
  const standing = (await imports.list(name, MOST_IMPORTS, null)).filter(
    ({ replacedAt }) => replacedAt === null,
  );
  return {
    counts: Object.fromEntries(heads.map(({ file, rows }) => [file, rows])),
    faults: [],
    files: standing.map(({ file, report }) => ({ ...(report as unknown as FileReport), file })),
  };
}

const MOST_IMPORTS = 100;

async function evaluate(model: TableFile, deps: TableStepDeps, context: StepContext) {
  const trained = context.results["train"] as { version: number; runId: string };
  const { passed, gates, champion } = await judgeTableRun(model, trained, deps);
  await deps.versions.recordGates(model.name, trained.version, gates);
  for (const gate of gates) {
    await context.say(`${gate.passed ? "passed" : "FAILED"} ${gate.name}: ${gate.detail}`);
  }
  return { passed, gates, champion };
}

const optionsOf = ({ run, signal, progress }: StepContext) => ({
  name: run.id,
  signal,
  onProgress: progress,
});

const checksFailed = ({ name }: TableFile, failed: readonly TableCheck[]): SluiceError =>
  new SluiceError({
    code: "table_checks_failed",
    status: 422,
    detail: failed.map((one) => `${one.name}: ${one.detail}`).join(" "),
    fix: `Mend the rows and import them again, or let [checks] of ${name}.toml only warn of it.`,
    faults: failed.map((one) => ({ path: one.name, message: one.detail })),
  });
