/*
 * The story of a backup that is taken while a pipeline run is in the middle of its training: what
 * is restored takes the run up again and makes the same version of it; nothing of it is half there.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../src/store/objects.ts";
import { until } from "../src/testing.ts";
import { iso, UNIT_MS } from "../src/types.ts";
import {
  askForecast,
  askModel,
  askPipelineRun,
  askPipelineRuns,
  askRuns,
  askVersions,
  openSlot,
  type PipelineRun,
} from "./ask.ts";
import { run, type Served } from "./served.ts";
import { hasServices, openStores, type StoreName, stores } from "./stores.ts";
import { openStory, SMALL, type Story } from "./story.ts";

const WAIT_MS = 600_000;
const closing: (() => Promise<unknown>)[] = [];
const told = [...stores()];
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

/** The newest run of the model's pipeline, once it fits. */
async function newestRun(app: Served, slot: string, status: string): Promise<PipelineRun> {
  let found: PipelineRun | undefined;
  const look = async () => {
    found = (await askPipelineRuns(app, "btc")).items.find(
      (one) => one.slot === slot && one.status === status,
    );
    return found !== undefined;
  };
  await until(look, WAIT_MS, `the run of ${slot} is ${status}`, 10);
  return found!;
}

/** The training process of the story, stopped where it is. */
async function heldTraining(story: Story): Promise<{ resume(): void }> {
  const work = join(story.env["SLUICE_DATA"]!, "work");
  let child = 0;
  const isThere = () => {
    child = Number(readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && trains(pid)) ?? 0);
    return child > 0;
  };
  const trains = (pid: string): boolean => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words.includes("train-child") && words.some((word) => word.startsWith(work));
    } catch {
      return false;
    }
  };
  await until(isThere, WAIT_MS, "a training is under way", 1);
  process.kill(child, "SIGSTOP");
  return { resume: () => process.kill(child, "SIGCONT") };
}

/** Variables of empty stores of the other kind, or of the same where there is no server. */
async function otherKind(store: StoreName, story: Story): Promise<Record<string, string>> {
  const other = await openStores(store === "services" || !hasServices ? "embedded" : "services");
  closing.push(other.close);
  const services = ["DATABASE_URL", "REDIS_URL", "S3_ENDPOINT", "S3_BUCKET"];
  const secrets = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];
  const none = Object.fromEntries([...services, ...secrets].map((name) => [name, ""]));
  return { SLUICE_DATA: join(story.folder, "other"), ...none, ...other.env };
}

/** What a run has left: its steps, its version with the bytes as they are served, no open ends. */
async function outcomeOf(app: Served, id: string) {
  const { steps, status } = await askPipelineRun(app, "btc", id);
  const trainings = (await askRuns(app)).items;
  expect(trainings.filter((one) => one.status === "RUNNING")).toEqual([]);
  const made = trainings.filter((one) => one.pipeline_run === id && one.version !== null);
  expect(made).toHaveLength(1);
  const { items } = await askVersions(app, "btc");
  const version = items.find((one) => one.run === made[0]!.id)!;
  for (const { run: training, digest } of items) {
    const answer = await app.fetch(`/v1/runs/${training}/artifacts/model.onnx`);
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(digest);
  }
  const { champion } = await askModel(app, "btc");
  const { id: _, made_at: __, ...forecast } = await askForecast(app, "btc");
  return {
    status,
    steps: steps.map(({ step, status: state }) => [step, state]),
    version: [version.version, version.digest],
    champion: champion!.version,
    forecast,
  };
}

// From one kind into the other; tests/backup.test.ts goes both ways.
describe.each(told.slice(-1))("a backup in the middle of a training on %s", (store) => {
  test("is restored into the other kind, where the run goes on to the same version", async () => {
    const story = await openStory(store, { btc: SMALL["btc"]! });
    closing.push(() => story.close());
    const command = (env: Record<string, string>, ...args: string[]) =>
      run({ args, cwd: story.folder, env: { ...story.env, ...env } });
    const app = await story.serve();
    await newestRun(app, iso(openSlot(story)), "succeeded");
    story.exchange.advance(UNIT_MS);
    const slot = iso(openSlot(story));
    const training = await heldTraining(story);
    const { id } = await newestRun(app, slot, "running");
    const taken = await command({}, "backup", "half.tar", "--json");
    expect([taken.code, taken.errors]).toEqual([0, ""]);
    expect((await newestRun(app, slot, "running")).id).toBe(id);
    training.resume();
    await newestRun(app, slot, "succeeded");
    const wanted = await outcomeOf(app, id);
    expect(wanted.steps.every(([, state]) => state === "succeeded")).toBe(true);
    expect(await app.stop()).toBe(0);

    const other = await otherKind(store, story);
    const restored = await command(other, "restore", "half.tar", "--json");
    expect([restored.code, restored.errors]).toEqual([0, ""]);
    const there = await story.serve({ env: other });
    await there.ready();
    // The same run, taken up by another worker at the step that had not ended.
    const again = await newestRun(there, slot, "succeeded");
    expect([again.id, again.attempts]).toEqual([id, 2]);
    expect(await outcomeOf(there, id)).toEqual(wanted);
    expect((await askPipelineRuns(there, "btc")).items).toHaveLength(2);
    expect(await there.stop()).toBe(0);
  }, 900_000);
});
