/*
 * The forms of answers, as the document promises them and the tests hold them to.
 */
import * as v from "valibot";
import { answer, anything, listOf, nullable, real, simulated, text, time, whole } from "./forms.ts";
import { plainPredictions } from "./plain-answers.ts";

export const problemAnswer = v.pipe(
  v.looseObject({
    type: text,
    title: text,
    status: whole,
    detail: text,
    code: text,
    fix: text,
    faults: v.optional(v.array(v.strictObject({ path: text, message: text }))),
    request_id: text,
    trace_id: v.optional(text),
    simulated,
  }),
  v.metadata({ ref: "Problem" }),
);

export const healthAnswer = answer({ status: v.literal("alive") });

const check = v.strictObject({
  name: text,
  ok: v.boolean(),
  detail: text,
  since: v.optional(time),
  /** Of `aliases`: how old this replica's view of them is; null before the first reading. */
  age_seconds: v.optional(nullable(real)),
  blocking: v.optional(v.boolean()),
});
export const readyAnswer = answer({ status: v.literal("ready"), checks: v.array(check) });

const model = {
  name: text,
  /** `registered`: without a model file, from outside or from one that is gone. */
  kind: v.picklist(["market", "table", "registered"]),
  description: text,
  /** Null for all but markets. */
  market: nullable(text),
  champion: nullable(v.strictObject({ version: whole, digest: text, since: time })),
  challenger: nullable(v.strictObject({ version: whole, since: time })),
  /** What keeps the champion from being loaded, or null. */
  trouble: nullable(v.strictObject({ code: text, detail: text })),
  metrics: v.record(v.string(), nullable(real)),
  signature: nullable(anything),
  /** Null for a table that is trained when asked for. */
  schedule: nullable(v.strictObject({ cron: text, next: nullable(time), paused: v.boolean() })),
  last_run: nullable(
    v.strictObject({
      id: text,
      slot: time,
      status: text,
      reason: nullable(text),
      ended_at: nullable(time),
    }),
  ),
  live: v.strictObject({
    n: whole,
    hit_rate: nullable(real),
    log_loss: nullable(real),
    baselines: v.record(v.string(), nullable(real)),
  }),
};
export const modelAnswer = answer(model);
export const modelsAnswer = listOf(v.strictObject(model));

const quantiles = v.strictObject({ p10: real, p50: real, p90: real });
const made = v.strictObject({ name: text, version: whole, digest: text });

/** Where it was asked for: what is said of a row of which nothing is known, and what each adds. */
const explanation = {
  base: v.optional(nullable(real)),
  contributions: v.optional(nullable(v.record(v.string(), real))),
};

const marketPrediction = v.strictObject({
  id: text,
  label: v.picklist(["up", "not_up"]),
  probability: real,
  quantiles,
  ...explanation,
});

/** A class has a probability, a number a value; the rest where it was asked for or must be told. */
const explained = {
  ...explanation,
  warnings: v.optional(v.array(text)),
};
const classPrediction = v.strictObject({
  id: text,
  label: text,
  probability: real,
  probabilities: v.optional(v.record(v.string(), real)),
  ...explained,
});
const valuePrediction = v.strictObject({
  id: text,
  value: real,
  /** By name, such as p10: where the model file asks for them. */
  quantiles: v.optional(v.record(v.string(), real)),
  ...explained,
});

export const predictAnswer = answer({
  model: made,
  predictions: v.array(
    v.union([marketPrediction, classPrediction, valuePrediction, ...plainPredictions]),
  ),
});

const forecast = {
  id: text,
  model: made,
  market: text,
  made_at: time,
  last_closed: nullable(v.strictObject({ start: time, close: real })),
  target: v.strictObject({ start: time, close: time }),
  up: nullable(real),
  quantiles: nullable(quantiles),
  skill: v.strictObject({ log_loss: real, baseline_log_loss: real, better: v.boolean() }),
  abstain: nullable(v.strictObject({ reason: text, detail: text })),
};
export const forecastAnswer = answer({ ...forecast, ...explanation });
export const forecastsAnswer = listOf(
  v.strictObject({
    ...forecast,
    inputs_digest: text,
    outcome: nullable(
      v.strictObject({
        direction: v.picklist(["up", "down", "unchanged", "no_candle"]),
        return: nullable(real),
        at: nullable(time),
      }),
    ),
  }),
);

const versionOfModel = {
  version: whole,
  digest: text,
  size: whole,
  signature: anything,
  run: nullable(text),
  created_at: time,
  aliases: v.array(text),
  gates: v.array(anything),
};
export const versionsAnswer = listOf(v.strictObject(versionOfModel));
/** `unchanged`: a version had these bytes already. */
export const registeredAnswer = answer({
  model: text,
  unchanged: v.boolean(),
  ...versionOfModel,
});

export const historyAnswer = listOf(
  v.strictObject({
    alias: text,
    from: nullable(whole),
    to: nullable(whole),
    at: time,
    actor: text,
    reason: text,
    forced: v.boolean(),
  }),
);

export const candlesAnswer = answer({
  market: text,
  items: v.array(
    v.strictObject({
      start: time,
      open: real,
      high: real,
      low: real,
      close: real,
      volume: real,
      turnover: real,
    }),
  ),
  holes: v.array(
    v.strictObject({ start: time, state: v.picklist(["unknown", "confirmed_empty"]) }),
  ),
  next: nullable(text),
});

const run = {
  id: text,
  name: text,
  model: nullable(text),
  version: nullable(whole),
  experiment: whole,
  status: text,
  message: nullable(text),
  started_at: time,
  ended_at: nullable(time),
  pipeline_run: nullable(text),
  params: v.record(v.string(), text),
  metrics: v.record(v.string(), nullable(real)),
  tags: v.record(v.string(), text),
};
export const runsAnswer = listOf(v.strictObject(run));
export const runAnswer = answer({
  ...run,
  datasets: v.array(
    v.strictObject({
      name: text,
      digest: text,
      context: nullable(text),
      first_slot: nullable(time),
      last_slot: nullable(time),
      as_of: nullable(time),
      stale_at: nullable(time),
      stale_reason: nullable(text),
    }),
  ),
  artifacts: v.array(v.strictObject({ path: text, size: whole, digest: text, created_at: time })),
});

const pipelineRun = {
  id: text,
  pipeline: text,
  slot: time,
  kind: v.picklist(["slot", "retrain", "backfill"]),
  status: v.picklist(["queued", "running", "succeeded", "failed", "skipped", "crashed"]),
  attempts: whole,
  created_at: time,
  started_at: nullable(time),
  ended_at: nullable(time),
  reason: nullable(text),
  detail: nullable(text),
};
export const pipelineRunsAnswer = listOf(v.strictObject(pipelineRun));
export const pipelineRunAnswer = answer({
  ...pipelineRun,
  options: anything,
  steps: v.array(
    v.strictObject({
      step: text,
      status: v.picklist(["waiting", "running", "succeeded", "failed", "skipped", "crashed"]),
      attempts: whole,
      started_at: nullable(time),
      ended_at: nullable(time),
      /** Real time: the clock that stamps may stand still in a replay. */
      elapsed_ms: nullable(whole),
      result: nullable(anything),
      log: v.array(text),
    }),
  ),
});

export const idAnswer = answer({ id: text });
export const retrainAnswer = answer({ run: text });
export const pausedAnswer = answer({ pipeline: text, paused: v.boolean() });

export const movedAnswer = answer({
  model: text,
  alias: text,
  version: whole,
  digest: text,
  since: time,
  previous: nullable(whole),
  changed: v.boolean(),
});

const verdict = v.picklist(["pass", "warn", "fail"]);
export const verifyAnswer = listOf(
  v.strictObject({
    market: text,
    verdict,
    from: time,
    to: time,
    checks: v.array(
      v.strictObject({
        name: text,
        verdict,
        detail: text,
        value: nullable(v.union([real, text])),
        accepted: text,
      }),
    ),
  }),
);

export const doctorAnswer = listOf(
  v.strictObject({
    check: text,
    state: v.picklist(["ok", "warning", "failed"]),
    found: text,
    fix: nullable(text),
  }),
);

export const quarantineAnswer = listOf(
  v.strictObject({
    id: whole,
    market: text,
    start: nullable(time),
    reason: text,
    detail: text,
    raw: text,
    seen: whole,
    first_seen_at: time,
    last_seen_at: time,
  }),
);

const token = {
  name: text,
  scopes: v.array(v.picklist(["read", "predict", "track", "admin"])),
};
export const tokensAnswer = listOf(
  v.strictObject({ ...token, created_at: time, revoked_at: nullable(time) }),
);
export const tokenAnswer = answer({
  ...token,
  token: v.pipe(text, v.description("Shown this once and never again.")),
});
export const revokedAnswer = answer({ name: text, revoked: v.literal(true) });
