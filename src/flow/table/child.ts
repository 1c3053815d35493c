/*
 * A table's work in the child: the look at its rows before learning, and the training itself.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { prepareKernels } from "../../kernels.ts";
import { isSingleClass } from "../../learn/sample.ts";
import { type Answers, lossesOf, meanLoss } from "../../learn/table/answers.ts";
import { framed } from "../../learn/table/split.ts";
import { type Judged, type TableFit, trainTable } from "../../learn/table/train.ts";
import type { Frame } from "../../learn/types.ts";
import { featureColumns } from "../../models/table-columns.ts";
import type { TableFile } from "../../models.ts";
import { modelMetadata } from "../../onnx/read.ts";
import { encodeTableModel } from "../../onnx/table.ts";
import { tablePlots } from "../../report/plots.ts";
import { asTable, openArtifact } from "../../serve/loaded.ts";
import { loadRuntime } from "../../serve/runtime.ts";
import {
  openTableSession,
  type TableFacts,
  type TableSession,
  tableMetadata,
} from "../../serve/table.ts";
import { checkTable } from "../../table/checks.ts";
import type { TableRows } from "../../table/rows.ts";
import { digestOfRows } from "../inputs.ts";
import { sendPlots } from "../run-files.ts";
import type { OnProgress } from "../trainer.ts";
import { answersOn, type ChampionOn, compared, strangerTo } from "./compare.ts";
import {
  CHAMPION_FILE,
  type CheckJob,
  type CheckResult,
  type Comparison,
  type TableJob,
  type TableResult,
} from "./job.ts";
import { paramsOf, recipeOf } from "./recipe.ts";
import { reportOf } from "./report.ts";
import { rowsSent } from "./rows.ts";

const INPUTS = [
  ["training", "train"],
  ["validation", "validation"],
  ["test", "test"],
] as const;
const PARITY_ROWS = 2_000;
const NOTHING = new Uint8Array();

/** The checks of the rows. */
export async function checkRows(
  { model, parts }: CheckJob,
  folder: string,
  onProgress: OnProgress,
): Promise<{ result: CheckResult; artifact: Uint8Array }> {
  onProgress(0.1, "reading the rows");
  const table = await rowsSent(folder, model, parts);
  onProgress(0.5, "checking the rows");
  const test = table.part.reduce((sum, part) => sum + part, 0);
  return {
    artifact: NOTHING,
    result: {
      digest: table.digest,
      rows: { train: table.part.length - test, test },
      checks: checkTable(table, model.checks),
    },
  };
}

/** The training: rows in; model, artifact, parity check, comparison and report out. */
export async function trainRows(
  job: TableJob,
  folder: string,
  cacheFolder: string,
  onProgress: OnProgress,
): Promise<{ result: TableResult; artifact: Uint8Array }> {
  const { model } = job;
  onProgress(0, "reading the rows");
  const table = await rowsSent(folder, model, job.parts);
  const learned = table.target.filter((_, row) => table.part[row] === 0);
  if (isSingleClass(learned)) return { result: skipped(learned, table), artifact: NOTHING };

  await prepareKernels(learned.length);
  const until = performance.now() + model.search.seconds * 1_000;
  const { fit, judged } = trainTable(table, table.part, recipeOf(model, table.classes.length), {
    onProgress: (share, text) => onProgress(0.1 + 0.7 * share, text),
    isOver: () => performance.now() > until,
  });
  const facts = factsOf(model, table, fit);
  const { quantiles } = fit;
  const parts = { task: facts.task, model: fit.model, calibration: facts.calibration, quantiles };
  const artifact = encodeTableModel(parts, {
    ...tableMetadata(facts),
    ...modelMetadata(fit.model),
  });
  onProgress(0.82, "comparing the artifact with the trainer");
  const runtime = await loadRuntime(cacheFolder);
  const session = await openTableSession(runtime, artifact, facts);
  const parity = await parityOf(session, judged).finally(session.release);
  onProgress(0.86, "answering as the champion does");
  const champion = await championOn(job, folder, runtime, judged.sample.frame);
  onProgress(0.9, "putting the report together");
  const report = reportOf(job, table, fit, judged, facts, champion);
  const { metric } = model.promote;
  const loss = (answers: Answers) =>
    meanLoss(lossesOf(metric, answers, judged.sample.target, facts.threshold), null);
  return {
    artifact,
    result: {
      skip: null,
      trained: {
        params: paramsOf(model, fit),
        facts,
        rows: fit.rows,
        parity,
        judged: {
          rows: [...judged.rows],
          target: [...judged.sample.target],
          width: judged.answers.width,
          values: [...judged.answers.values],
          champion: comparisonOf(model, judged, facts, champion),
        },
        loss: { name: metric, value: loss(judged.answers), baseline: loss(judged.baseline) },
        report,
        trials: fit.trials,
        tried: fit.tried,
        inputs: INPUTS.map(([context, part]) => ({
          context,
          rows: fit.split[part].length,
          digest: digestOfRows(table.digest, fit.split[part]),
        })),
        plots: sendPlots(tablePlots(report)),
      },
    },
  };
}

const skipped = (learned: Float64Array, { classes }: TableRows): TableResult => ({
  skip: {
    reason: "single_class",
    detail: `All ${learned.length} rows to learn from have ${classes[learned[0] ?? 0] ?? learned[0]}.`,
  },
  trained: null,
});

function factsOf(
  model: TableFile,
  { frame, classes, digest }: TableRows,
  fit: TableFit,
): TableFacts {
  const { table } = model;
  const learned = featureColumns(table);
  const isLearned = new Set([...learned.map(({ name }) => name), table.target.column]);
  const levels = new Map(
    frame.columns.map((column) => [column.name, column.kind === "category" ? column.levels : []]),
  );
  return {
    kind: "table",
    model: model.name,
    task: table.target.kind,
    target: table.target.column,
    columns: learned.map((column) =>
      column.type === "number" ? column : { ...column, seen: [...(levels.get(column.name) ?? [])] },
    ),
    ignored: table.columns.map(({ name }) => name).filter((name) => !isLearned.has(name)),
    form: {
      delimiter: table.delimiter,
      quote: table.quote,
      trim: table.trim,
      decimal: table.decimal,
      missing: table.missing,
    },
    unseen: table.unseen,
    classes: [...classes],
    quantiles: [...(fit.quantiles?.levels ?? [])],
    threshold: fit.threshold,
    calibration: fit.reading.calibration,
    trainer: fit.trainer,
    dataset_digest: digest,
  };
}

/** The artifact in ONNX Runtime against the model itself, on rows that judge. */
async function parityOf(
  session: TableSession,
  { sample, answers, quantiles }: Judged,
): Promise<{ rows: number; maxDifference: number }> {
  const rows = Math.min(PARITY_ROWS, sample.frame.rows);
  const first = Int32Array.from({ length: rows }, (_, row) => row);
  const frame = framed(sample.frame, first);
  // By the runtime, and as it will be served where that is another way.
  const apart = [await session.run(frame), await session.answer(frame)].flatMap((found) => [
    farthest(found.values, answers.values),
    quantiles === null ? 0 : farthest(found.quantiles, quantiles.values),
  ]);
  return { rows, maxDifference: Math.max(...apart) };
}

/** The largest difference; of numbers above 1 it is relative, and infinite where one is NaN. */
function farthest(found: Float32Array, wanted: Float64Array): number {
  let most = 0;
  for (const [i, value] of found.entries()) {
    const apart = Math.abs(value - wanted[i]!) / Math.max(1, Math.abs(wanted[i]!));
    most = Math.max(most, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
  }
  return most;
}

async function championOn(
  { champion, model }: TableJob,
  folder: string,
  runtime: Awaited<ReturnType<typeof loadRuntime>>,
  frame: Frame,
): Promise<ChampionOn | null> {
  if (champion === null) return null;
  try {
    const bytes = await readFile(join(folder, CHAMPION_FILE));
    const loaded = asTable(await openArtifact(runtime, bytes));
    const values = await answersOn(loaded, frame);
    await loaded.session.release();
    return { version: champion, facts: loaded.facts, values };
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return {
      version: champion,
      reason: `the champion of ${model.name} does not answer: ${reason}`,
    };
  }
}

function comparisonOf(
  model: TableFile,
  { sample, answers }: Judged,
  facts: TableFacts,
  champion: ChampionOn | null,
): Comparison | null {
  if (champion === null) return null;
  const { version } = champion;
  if ("reason" in champion) return { version, difference: null, reason: champion.reason };
  const stranger = strangerTo(facts, champion.facts);
  if (stranger !== null) return { version, difference: null, reason: stranger };
  const { metric } = model.promote;
  return compared({ target: sample.target, ...answers, facts, metric }, champion);
}
