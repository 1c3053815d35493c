/*
 * Three replicas under load while the champion is moved two hundred times, by each of them in turn:
 * nobody is refused, every answer is that of the version it names, and none is of a version that
 * another had replaced two seconds before it was asked for. With Redis, which is stalled and cut off
 * on the way, and without it.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { encodeTableModel } from "../src/onnx/table.ts";
import { askReady, move } from "./ask.ts";
import { type Link, openLink } from "./faults/proxy.ts";
import { steadily } from "./load.ts";
import { openOutside, predict, register } from "./outside.ts";
import { promised, type Served, until } from "./served.ts";
import { hasServices, only, openStores, stores, type Variables } from "./stores.ts";

const REPLICAS = 3;
const PROMOTIONS = 200;
const EVERY_MS = 200;
const PER_SECOND = 50;
/** How late a replica may learn of a promotion. */
const LATE_MS = 2_000;

stores();
const told = only("services", "a folder is not shared");

test.concurrent.if(hasServices)(
  `two hundred promotions without Redis ${told}`,
  () => promotions({ REDIS_URL: "" }, ["Postgres alone"], () => {}),
  480_000,
);

test.concurrent.if(hasServices)(
  `two hundred promotions with Redis, stalled and cut off on the way ${told}`,
  async () => {
    const redis = new URL(process.env["SLUICE_TEST_REDIS_URL"] ?? "");
    const link = await openLink({ to: Number(redis.port) });
    redis.port = String(link.port);
    const phases = ["open", "hole", "cut", "open"] as const;
    try {
      await promotions({ REDIS_URL: redis.href }, ["up", "stalled", "cut off", "back"], (phase) =>
        link.set(phases[phase]!),
      );
    } finally {
      await link.close();
    }
  },
  480_000,
);

interface Answer {
  readonly sentAt: number;
  readonly version: number;
}

async function promotions(
  variables: Variables,
  phases: readonly string[],
  begin: (phase: number) => void,
): Promise<void> {
  const story = openOutside(await openStores("services"));
  try {
    const replicas = await Promise.all(
      Array.from({ length: REPLICAS }, (_, i) =>
        story.start({ SLUICE_DATA: join(story.folder, `data-${i}`), ...variables }),
      ),
    );
    const replica = (i: number): Served => replicas[i % REPLICAS]!;
    for (let number = 1; number <= PROMOTIONS + 1; number++) {
      const { version } = await register(replica(number), "sum", plus(number));
      expect(version).toBe(number);
    }
    await move(replica(0), "sum", "promote", { version: 1 });
    const serves = async (version: number) => {
      const answers = await Promise.all(replicas.map((app) => predict(app, "sum", ROW)));
      return answers.every(({ model }) => model.version === version);
    };
    await until(() => serves(1), promised(LATE_MS), "every replica serves the first");

    const answers: Answer[] = [];
    const failures: string[] = [];
    const load = steadily(PER_SECOND, async (number) => {
      const sentAt = performance.now();
      try {
        const { model, predictions } = await predict(replica(number), "sum", ROW);
        answers.push({ sentAt, version: model.version });
        // Each version adds its own number.
        const said = JSON.stringify(predictions);
        if (said !== JSON.stringify([saidBy(model.version)])) failures.push(said);
      } catch (thrown) {
        failures.push(String(thrown));
      }
    });
    /** When the promotion of each version was answered: from then on the one before is of the past. */
    const promotedAt = new Map<number, number>();
    const phaseOf = (version: number) =>
      Math.min(Math.floor(((version - 2) * phases.length) / PROMOTIONS), phases.length - 1);
    let phase = -1;
    const begun = performance.now();
    for (let version = 2; version <= PROMOTIONS + 1; version++) {
      if (phaseOf(version) !== phase) begin(++phase);
      const { changed } = await move(replica(version), "sum", "promote", { version });
      promotedAt.set(version, performance.now());
      expect(changed).toBe(true);
      const due = begun + (version - 1) * EVERY_MS;
      await Bun.sleep(Math.max(0, due - performance.now()));
    }
    await until(() => serves(PROMOTIONS + 1), promised(LATE_MS), "every replica serves the last");
    const sent = await load.stop();
    const seconds = (performance.now() - begun) / 1_000;

    const late = phases.map(() => 0);
    let old = 0;
    for (const { sentAt, version } of answers) {
      const after = promotedAt.get(version + 1) ?? Number.POSITIVE_INFINITY;
      if (sentAt <= after) continue;
      old++;
      const of = phaseOf(version + 1);
      late[of] = Math.max(late[of]!, sentAt - after);
    }
    const worst = phases.map((name, i) => `${name} ${late[i]!.toFixed(0)} ms`).join(", ");
    console.log(
      `${PROMOTIONS} promotions over ${REPLICAS} replicas in ${seconds.toFixed(0)} s: ${sent} ` +
        `requests, ${failures.length} failed; ${old} answers of a version already replaced, ` +
        `at worst: ${worst}`,
    );
    expect(failures).toEqual([]);
    expect(answers).toHaveLength(sent);
    expect(sent).toBeGreaterThan(PER_SECOND * ((PROMOTIONS * EVERY_MS) / 1_000 - 1));
    expect(Math.max(...late)).toBeLessThan(promised(LATE_MS));
    // All of them, in the order in which they came.
    expect(new Set(answers.map(({ version }) => version)).size).toBeGreaterThan(PROMOTIONS / 2);
    for (const app of replicas) {
      const { checks } = await askReady(app);
      const { age_seconds } = checks.find(({ name }) => name === "aliases")!;
      expect(age_seconds).toBeLessThan(promised(LATE_MS) / 1_000);
    }
    for (const app of replicas) expect(await app.stop()).toBe(0);
  } finally {
    await story.close();
  }
}

const ROW = [{ x: 1 }];
const saidBy = (number: number) => ({ value: 1 + number });

/** A file from outside that answers x + number. */
const plus = (number: number): Uint8Array =>
  encodeTableModel(
    {
      task: "regression",
      model: {
        ...{ kind: "linear", objective: "squared_error", bias: number },
        ...{ weights: Float64Array.of(1), means: Float64Array.of(0), scales: Float64Array.of(1) },
        columns: [{ name: "x", kind: "number" }],
      },
      calibration: { slope: 1, intercept: 0 },
    },
    {},
  );
