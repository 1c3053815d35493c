/*
 * Three replicas under load while the champion is moved hundreds of times, by each of them in turn:
 * nobody is refused, every answer is that of the version it names, and none is of a version that
 * another had replaced two seconds before it was asked for. With Redis, which is stalled and cut off
 * on the way, and without it.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { askReady, move } from "./ask.ts";
import { openLink } from "./faults/proxy.ts";
import { plus } from "./files.ts";
import { type Answer, lateness, type Promotion } from "./late.ts";
import { steadily } from "./load.ts";
import { openOutside, predict, register } from "./outside.ts";
import type { Served } from "./served.ts";
import { hasServices, only, openStores, stores, type Variables } from "./stores.ts";

const REPLICAS = 3;
const EVERY_MS = 200;
/** With Redis, whose faults are met on the way; without it there is nothing to be met. */
const [MANY, FEW] = process.env["SLUICE_TEST_LONG"] ? [200, 50] : [100, 26];
/** They are champion in turn: the same one again after three seconds. */
const VERSIONS = 15;
const PER_SECOND = 50;
/** How late a replica may learn of a promotion. */
const LATE_MS = 2_000;
const ROW = [{ x: 1 }];

stores();
describe.if(hasServices)(
  `hundreds of promotions ${only("services", "no folder is shared")}`,
  () => {
    test.concurrent("without Redis", () => promotions(FEW, { REDIS_URL: "" }, ["alone"]), 900_000);

    test.concurrent("with Redis, which stalls and is cut off on the way", async () => {
      const redis = new URL(process.env["SLUICE_TEST_REDIS_URL"] ?? "");
      const link = await openLink({ to: Number(redis.port) });
      redis.port = String(link.port);
      const modes = ["open", "hole", "cut", "open"] as const;
      try {
        const phases = ["up", "stalled", "cut off", "back"];
        await promotions(MANY, { REDIS_URL: redis.href }, phases, (phase) =>
          link.set(modes[phase]!),
        );
      } finally {
        await link.close();
      }
    }, 900_000);
  },
);

async function promotions(
  count: number,
  variables: Variables,
  phases: readonly string[],
  begin: (phase: number) => void = () => {},
): Promise<void> {
  const story = openOutside(await openStores("services"));
  try {
    const replicas = await Promise.all(
      Array.from({ length: REPLICAS }, (_, i) =>
        story.start({ SLUICE_DATA: join(story.folder, `data-${i}`), ...variables }),
      ),
    );
    const replica = (i: number): Served => replicas[i % REPLICAS]!;
    const added = await registerAll(replicas);
    const serves = async (version: number) => {
      const said = await Promise.all(replicas.map((app) => predict(app, "sum", ROW)));
      return said.every(({ model }) => model.version === version);
    };
    /** Waits until all serve a version; they learn of it in time. */
    const learn = async (version: number) => {
      const watch = stopwatch();
      await until(() => serves(version), LONG_MS, `every replica serves version ${version}`);
      expect(watch.ms()).toBeLessThan(watch.promised(LATE_MS));
    };
    await move(replica(0), "sum", "promote", { version: VERSIONS });
    await learn(VERSIONS);

    const answers: Answer[] = [];
    const seen = new Set<number>();
    const failures: string[] = [];
    const load = steadily(PER_SECOND, async (number) => {
      const sentAt = performance.now();
      try {
        const { model, predictions } = await predict(replica(number), "sum", ROW);
        answers.push({ sentAt, cameAt: performance.now(), version: model.version });
        seen.add(model.version);
        const [{ id: _, ...said } = { id: "" }] = predictions;
        expect(said).toEqual({ outputs: { value: 1 + added.get(model.version)! } });
      } catch (thrown) {
        failures.push(String(thrown));
      }
    });
    const moved: Promotion[] = [];
    const watch = stopwatch();
    for (let i = 0; i < count; i++) {
      const phase = (i * phases.length) / count;
      if (Number.isInteger(phase)) begin(phase);
      const version = (i % VERSIONS) + 1;
      const askedAt = performance.now();
      const { changed } = await move(replica(i), "sum", "promote", { version });
      expect(changed).toBe(true);
      moved.push({ version, askedAt, doneAt: performance.now() });
      await Bun.sleep(Math.max(0, askedAt + EVERY_MS - performance.now()));
      // However late the requests come: each version is somebody's answer before it is replaced.
      await until(() => seen.has(version), LONG_MS, `version ${version} answers`, 5);
    }
    await learn(moved.at(-1)!.version);
    const sent = await load.stop();

    const late = lateness(answers, moved);
    const worst = phases.map((name, phase) => {
      const mine = late.filter(
        ({ promotion }) => Math.floor((promotion * phases.length) / count) === phase,
      );
      return `${name} ${Math.max(0, ...mine.map(({ ms }) => ms)).toFixed(0)} ms`;
    });
    const times = moved.map(({ askedAt, doneAt }) => doneAt - askedAt).sort((a, b) => a - b);
    console.log(
      `${count} promotions over ${REPLICAS} replicas in ` +
        `${(watch.ms() / 1_000).toFixed(0)} s, each in ` +
        `${times[count / 2]!.toFixed(0)} ms: ${sent} requests, ${failures.length} failed, ` +
        `${late.length} of a version just replaced, at worst ${worst.join(", ")}`,
    );
    expect(failures).toEqual([]);
    expect(answers).toHaveLength(sent);
    expect(sent).toBeGreaterThan(PER_SECOND * ((count * EVERY_MS) / 1_000 - 1));
    expect(Math.max(0, ...late.map(({ ms }) => ms))).toBeLessThan(watch.promised(LATE_MS));
    expect(seen.size).toBe(VERSIONS);
    for (const app of replicas) {
      const aliases = (await askReady(app)).checks.find(({ name }) => name === "aliases");
      expect(aliases?.age_seconds).toBeLessThan(watch.promised(LATE_MS) / 1_000);
      expect(await app.stop()).toBe(0);
    }
  } finally {
    await story.close();
  }
}

/** Registers the versions by all replicas at once; what each of them adds. */
async function registerAll(replicas: readonly Served[]): Promise<ReadonlyMap<number, number>> {
  const added = new Map<number, number>();
  await Promise.all(
    replicas.map(async (app, lane) => {
      for (let number = lane; number < VERSIONS; number += REPLICAS) {
        added.set((await register(app, "sum", plus(number))).version, number);
      }
    }),
  );
  expect(Math.max(...added.keys())).toBe(VERSIONS);
  return added;
}
