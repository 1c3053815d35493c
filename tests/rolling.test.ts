/*
 * Three replicas behind a balancer that asks /readyz, each stopped by SIGTERM and started again in
 * its turn while fifty requests a second go through: none fails.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { move } from "./ask.ts";
import { openBalancer } from "./balancer.ts";
import { plus } from "./files.ts";
import { steadily } from "./load.ts";
import { openOutside, register } from "./outside.ts";
import { asJson, type Served } from "./served.ts";
import { hasServices, only, openStores, stores } from "./stores.ts";

const REPLICAS = 3;
const PER_SECOND = 50;
const CHECK_MS = 200;
/** Seconds: many checks of the balancer, also on a busy machine. */
const DRAIN = 5;
const LONG_DRAIN = 120;

stores();

const sum = (replica: Served, x: number): Promise<Response> =>
  replica.fetch("/v1/models/sum/predict", asJson({ instances: [{ x }] }));

test.concurrent.if(hasServices)(
  `a rolling restart fails no request ${only("services", "a folder is not shared")}`,
  async () => {
    const story = openOutside(await openStores("services"));
    const start = (i: number, drain: number) =>
      story.start({ SLUICE_DATA: join(story.folder, `data-${i}`), SLUICE_DRAIN: String(drain) });
    const replicas = await Promise.all(Array.from({ length: REPLICAS }, (_, i) => start(i, DRAIN)));
    const balancer = openBalancer(
      replicas.map(({ url }) => url),
      CHECK_MS,
    );
    try {
      await register(replicas[0]!, "sum", plus(1));
      await move(replicas[0]!, "sum", "promote", { version: 1 });
      const isUp = (i: number) => until(() => balancer.isUp(i), LONG_MS, `replica ${i} is up`, 10);
      for (const [i, replica] of replicas.entries()) {
        await until(async () => (await sum(replica, 1)).ok, LONG_MS, `replica ${i} has it`);
        await isUp(i);
      }

      const failures: string[] = [];
      const load = steadily(PER_SECOND, async (number) => {
        try {
          const body = asJson({ instances: [{ x: number }] });
          const answer = await fetch(`${balancer.url}/v1/models/sum/predict`, body);
          const text = await answer.text();
          const isRight = text.includes(`"outputs":{"value":${number + 1}}`);
          if (answer.status !== 200 || !isRight) failures.push(`${answer.status} ${text}`);
        } catch (thrown) {
          failures.push(String(thrown));
        }
      });
      const stops: number[] = [];
      const restarted: Served[] = [];
      for (const [i, replica] of replicas.entries()) {
        await until(() => balancer.passed[i]! > PER_SECOND / 5, LONG_MS, `replica ${i} is asked`);
        const watch = stopwatch();
        const stopped = replica.stop();
        await until(() => !balancer.isUp(i), LONG_MS, `replica ${i} is out`, 10);
        // It lives and answers whoever has not learned of it yet, on a connection that ends.
        const straggler = await sum(replica, 1);
        expect([straggler.status, straggler.headers.get("connection")]).toEqual([200, "close"]);
        const passed = balancer.passed[i]!;
        expect(await stopped).toBe(0);
        // No longer than it drains: an idle connection of the balancer holds nothing up.
        expect(watch.ms()).toBeLessThan(watch.promised(DRAIN * 1_000 + 2_000));
        stops.push(watch.ms());
        expect(balancer.passed[i]).toBe(passed);
        const again = await start(i, LONG_DRAIN);
        restarted.push(again);
        balancer.place(i, again.url);
        await isUp(i);
      }
      await until(
        () => balancer.passed.every((count) => count > 2 * PER_SECOND),
        LONG_MS,
        "all are asked again",
      );
      const sent = await load.stop();
      console.log(
        `rolling restart of ${REPLICAS}: ${sent} requests (${balancer.passed.join(", ")}), ` +
          `${failures.length} failed; stops took ${stops.map((ms) => ms.toFixed(0)).join(", ")} ms`,
      );
      expect(failures).toEqual([]);
      expect(sent).toBeGreaterThan(PER_SECOND * DRAIN * REPLICAS);

      // Who does not want to wait for it interrupts.
      const begun = performance.now();
      for (const { pid } of restarted) process.kill(pid, "SIGTERM");
      for (const app of restarted) {
        const leaves = async () => (await app.fetch("/readyz")).status === 503;
        await until(leaves, LONG_MS, "it says that it stops");
        process.kill(app.pid, "SIGINT");
        expect(await app.exited).toBe(0);
      }
      expect(performance.now() - begun).toBeLessThan((LONG_DRAIN * 1_000) / 2);
    } finally {
      await balancer.close();
      await story.close();
    }
  },
  900_000,
);
