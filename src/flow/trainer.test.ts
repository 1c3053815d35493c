import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pLimit from "p-limit";
import { SluiceError } from "../errors.ts";
import { walk } from "../feature/fixtures.ts";
import { type MarketFile, parseModel } from "../models.ts";
import { readFacts } from "../serve/artifact.ts";
import { marketExplainer } from "../serve/explain.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { openSession } from "../serve/session.ts";
import { sha256 } from "../store/objects.ts";
import { LONG_MS, until } from "../testing.ts";
import { UNIT_MS } from "../types.ts";
import { trainingIn } from "./fixtures.ts";
import { ARTIFACT_FILE, JOB_FILE, RESULT_FILE, type TrainingJob } from "./job.ts";
import { makeTrainer, type Train, type Trained, type TrainerDeps } from "./trainer.ts";

const MAIN = join(import.meta.dir, "../main.ts");
const SINCE = Date.parse("2025-07-01T00:00:00Z");

// Trainings have the last place at the processors: a busy machine takes a minute for a second's work.
setDefaultTimeout(300_000);

/** A model that is trained in a moment, or one that takes long. */
const modelOf = (rounds: number): MarketFile =>
  parseModel(
    "small.toml",
    `name = "small"
    kind = "market"
    [collect]
    market = "KRW-BTC"
    others = ["KRW-ETH"]
    since = "2025-07-01"
    [schedule]
    cron = "0 0 */4 * * *"
    [train]
    trainers = ["gbdt", "logistic"]
    [train.gbdt]
    rounds = ${rounds}
    row_share = 0.8
    ${rounds > 1_000 ? "leaves = 300\ndepth = 32\nmin_rows = 1" : ""}
    [evaluate]
    fold_candles = 120
    min_train_candles = 300
    candles = 240
    [promote]`,
  ) as MarketFile;

const COUNT = 800;
const jobOf = (rounds: number): TrainingJob => ({
  model: modelOf(rounds),
  slot: SINCE + COUNT * UNIT_MS,
  asOf: SINCE + COUNT * UNIT_MS + 10_000,
  candles: { "KRW-BTC": walk(COUNT, 3), "KRW-ETH": walk(COUNT, 4, "KRW-ETH") },
});
/** Takes minutes, so that whatever ends it, its own end does not. */
const LONG = jobOf(5_000);

let root: string;
let cacheFolder: string;
let workFolder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-trainer-"));
  cacheFolder = join(root, "cache");
  workFolder = join(root, "work");
});
afterAll(() => rm(root, { recursive: true, force: true }));

const trainer = (change: Partial<TrainerDeps> = {}): Train =>
  makeTrainer({
    workFolder,
    cacheFolder,
    memoryLimitBytes: 2_000_000_000,
    silenceLimitMs: 60_000,
    turns: pLimit(4),
    ...change,
  });

const never = new AbortController().signal;
const quiet = { signal: never, onProgress: () => {} };

async function failureOf(work: Promise<unknown>): Promise<SluiceError> {
  const thrown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

/** The process that trains in the folder, once it is there. */
async function trainerIn(folder: string): Promise<number> {
  await until(() => trainingIn(folder).length > 0, LONG_MS, `a training in ${folder}`, 10);
  return trainingIn(folder)[0]!;
}

const none = (folder: string) =>
  until(() => trainingIn(folder).length === 0, LONG_MS, `no training in ${folder}`, 20);

describe("a training that succeeds", () => {
  const progress: [number, string][] = [];
  let trained: Trained;
  let priority: string | undefined;
  beforeAll(async () => {
    const work = trainer()(jobOf(15), {
      name: "first",
      signal: never,
      onProgress: (share, text) => void progress.push([share, text]),
    });
    const pid = await trainerIn(join(workFolder, "first"));
    priority = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[16];
    trained = await work;
  });

  test("gives an artifact that can be served, and that says what it is", async () => {
    const { artifact, result } = trained;
    const facts = readFacts(artifact);
    expect(facts).toMatchObject({ model: "small", market: "KRW-BTC" });
    expect(facts.last_slot).toBe(SINCE + (COUNT - 1) * UNIT_MS);
    expect(facts).toEqual(result.facts!);
    const runtime = await loadRuntime(cacheFolder);
    const session = await openSession(runtime, artifact, facts.features.length);
    const rows = 3;
    const answer = await session.run(new Float32Array(rows * facts.features.length), rows);
    expect(answer.probability).toHaveLength(rows);
    for (const p of answer.probability) expect(p > 0 && p < 1).toBe(true);
    const [explained] = marketExplainer(artifact, facts.features)(
      new Float32Array(facts.features.length),
      1,
    );
    const added = Object.values(explained!.contributions);
    expect(added).toHaveLength(facts.features.length);
    const margin = added.reduce((sum, one) => sum + one, explained!.base);
    expect(1 / (1 + Math.exp(-margin))).toBeCloseTo(answer.probability[0]!, 6);
    const [low, middle, high] = answer.quantiles;
    expect(low!).toBeLessThanOrEqual(middle!);
    expect(middle!).toBeLessThanOrEqual(high!);
    await session.release();
  });

  test("tells what it learned from and how it was judged", () => {
    const { result } = trained;
    expect(result.skip).toBeNull();
    expect(result.dataset).toMatchObject({ lastSlot: SINCE + (COUNT - 1) * UNIT_MS });
    expect(result.dataset!.rows).toBeGreaterThan(600);
    expect(result.parity.rows).toBe(result.dataset!.rows);
    expect(result.parity.maxDifference).toBeLessThanOrEqual(1e-5);
    expect(result.leaks).toEqual([]);
    expect(result.report!.metrics["rows"]).toBeGreaterThan(120);
    expect(result.outOfFold!.slots).toHaveLength(result.report!.metrics["rows"]!);
    expect(result.report!.summary).not.toStartWith("Better");
    expect(result.summary).toBe(result.report!.summary);
  });

  test("tells how far it is, and takes the last place at the processor", () => {
    expect(progress.length).toBeGreaterThan(3);
    const shares = progress.map(([share]) => share);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    for (const share of shares) expect(share >= 0 && share <= 1).toBe(true);
    for (const [, text] of progress) expect(text).not.toBe("");
    expect(Number(priority)).toBe(19);
  });

  test("leaves nothing in its work folder", async () => {
    expect(await readdir(workFolder)).toEqual([]);
  });

  test("again gives the same bytes and figures, whatever a kill has left in its folder", async () => {
    await mkdir(join(workFolder, "again"), { recursive: true });
    await writeFile(join(workFolder, "again", RESULT_FILE), "{");
    const again = await trainer()(jobOf(15), { name: "again", ...quiet });
    expect(sha256(again.artifact)).toBe(sha256(trained.artifact));
    expect(JSON.stringify(again.result)).toBe(JSON.stringify(trained.result));
  });

  test("in another zone, language and folder gives the same bytes and figures", async () => {
    const folder = join(root, "elsewhere");
    await mkdir(folder);
    await writeFile(
      join(folder, JOB_FILE),
      JSON.stringify({ kind: "market", ...jobOf(15), cacheFolder }),
    );
    const child = Bun.spawn([process.execPath, MAIN, "train-child", folder, String(process.pid)], {
      env: { PATH: process.env["PATH"] ?? "", TZ: "Asia/Kathmandu", LC_ALL: "tr_TR.UTF-8" },
      stdout: "ignore",
    });
    expect(await child.exited).toBe(0);
    expect(sha256(await readFile(join(folder, ARTIFACT_FILE)))).toBe(sha256(trained.artifact));
    const result = await readFile(join(folder, RESULT_FILE), "utf8");
    expect(result).toBe(JSON.stringify(trained.result));
  });
});

describe("nothing to be learned", () => {
  test("T5: constant closes are skipped, with the reason, and nothing is made", async () => {
    const job = jobOf(15);
    const flat = Object.fromEntries(
      Object.entries(job.candles).map(([market, list]) => [
        market,
        list.map((c) => ({ ...c, open: 100, high: 101, low: 99, close: 100 })),
      ]),
    );
    const { result } = await trainer()({ ...job, candles: flat }, { name: "flat", ...quiet });
    expect(result.skip?.reason).toBe("single_class");
    expect(result.skip?.detail).toMatch(/All \d+ candles did not go up/);
    expect(result.report).toBeNull();
    expect(result.facts).toBeNull();
  });

  test("too few candles are skipped, saying how many are needed", async () => {
    const job = jobOf(15);
    const few = { ...job, candles: { ...job.candles, "KRW-BTC": walk(350, 3) } };
    const { result } = await trainer()(few, { name: "few", ...quiet });
    expect(result.skip?.reason).toBe("too_few_candles");
    expect(result.skip?.detail).toContain("421 are needed");
  });
});

describe("a training that is ended", () => {
  // Each in a folder of its own, all at once: what takes time is the waiting.
  test.concurrent("by its deadline is told as stopped, with the cause, and leaves no process", async () => {
    const folder = join(workFolder, "late");
    const signal = AbortSignal.timeout(1_500);
    const error = await failureOf(trainer()(LONG, { name: "late", signal, onProgress: () => {} }));
    expect(error.code).toBe("training_stopped");
    expect(error.message).toMatch(/timed out|timeout/i);
    expect(error.retryAfter).toBeNull();
    expect(existsSync(folder)).toBe(false);
    await none(folder);
  });

  test.concurrent("before it began", async () => {
    const signal = AbortSignal.abort(new Error("the process is stopping"));
    const error = await failureOf(trainer()(LONG, { name: "no", signal, onProgress: () => {} }));
    expect(error.code).toBe("training_stopped");
    expect(error.message).toContain("the process is stopping");
    await none(join(workFolder, "no"));
  });

  test.concurrent("by its bound on memory says how much it used", async () => {
    const small = trainer({ memoryLimitBytes: 20_000_000 });
    const error = await failureOf(small(LONG, { name: "big", ...quiet }));
    expect(error.code).toBe("training_memory");
    expect(error.message).toMatch(/used \d+ MB/);
    await none(join(workFolder, "big"));
  });

  test.concurrent("by its silence says how long it said nothing", async () => {
    const strict = trainer({ silenceLimitMs: 5 });
    const error = await failureOf(strict(LONG, { name: "silent", ...quiet }));
    expect(error.code).toBe("training_silent");
    expect(error.message).toContain("0.005 s");
  });

  test.concurrent("by the system is told as dead, with its exit code", async () => {
    const folder = join(workFolder, "killed");
    const work = failureOf(trainer()(LONG, { name: "killed", ...quiet }));
    const pid = await trainerIn(folder);
    process.kill(pid, "SIGKILL");
    const error = await work;
    expect(error.code).toBe("training_died");
    expect(error.message).toContain("137");
    expect(error.fix).not.toBe("");
    expect(existsSync(folder)).toBe(false);
  });

  test.concurrent("by an error of its own passes the error on", async () => {
    const job = jobOf(15);
    const btc = job.candles["KRW-BTC"]!;
    const doubled = { ...job.candles, "KRW-BTC": [...btc.slice(0, 400), ...btc.slice(399)] };
    const error = await failureOf(
      trainer()({ ...job, candles: doubled }, { name: "bad", ...quiet }),
    );
    expect(error.code).not.toBe("training_died");
    expect(error.code).toMatch(/^[a-z_]+$/);
    expect(error.message).not.toBe("");
    expect(error.fix).not.toBe("");
  });

  test.concurrent("by a death before it could ask to be told of it does not begin", async () => {
    const folder = join(root, "left");
    await mkdir(folder);
    await writeFile(
      join(folder, JOB_FILE),
      JSON.stringify({ kind: "market", ...LONG, cacheFolder }),
    );
    const gone = Bun.spawn(["true"]);
    await gone.exited;
    const child = Bun.spawn([process.execPath, MAIN, "train-child", folder, String(gone.pid)], {
      stdout: "ignore",
    });
    expect(await child.exited).toBe(1);
    expect(await readdir(folder)).toEqual([JOB_FILE]);
  });

  test.concurrent("by the death of who asked for it does not go on alone", async () => {
    const folder = join(root, "orphan");
    const script = `
      const { makeTrainer } = await import(${JSON.stringify(join(import.meta.dir, "trainer.ts"))});
      const job = JSON.parse(await Bun.file(${JSON.stringify(join(root, "long.json"))}).text());
      await makeTrainer({
        workFolder: ${JSON.stringify(folder)}, cacheFolder: ${JSON.stringify(cacheFolder)},
        memoryLimitBytes: 2e9, silenceLimitMs: 60_000, turns: (work) => work(),
      })(job, { name: "x", signal: new AbortController().signal, onProgress() {} });`;
    // Many short folds: between two of them the child looks whether anybody still waits for it.
    const { train, evaluate, ...rest } = jobOf(400).model;
    const model = { ...rest, train, evaluate: { ...evaluate, fold_candles: 6, candles: 3_000 } };
    await writeFile(join(root, "long.json"), JSON.stringify({ ...LONG, model }));
    const parent = Bun.spawn([process.execPath, "-e", script], { stdout: "ignore" });
    const pid = await trainerIn(folder);
    await Bun.sleep(1_200);
    expect(trainingIn(folder)).toEqual([pid]);
    parent.kill("SIGKILL");
    await parent.exited;
    try {
      await none(folder);
    } finally {
      if (trainingIn(folder).includes(pid)) process.kill(pid, "SIGKILL");
    }
  });
});
