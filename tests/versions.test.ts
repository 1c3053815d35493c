/*
 * The story of a version that takes long to load: the one before it serves until then.
 */
import { expect, test } from "bun:test";
import { tableBytes } from "../src/serve/fixture.ts";
import { LONG_MS, until } from "../src/testing.ts";
import { move } from "./ask.ts";
import { openGate } from "./gate.ts";
import { steadily } from "./load.ts";
import { openOutside, predict, register } from "./outside.ts";
import type { Served } from "./served.ts";
import { hasServices, only, openStores, stores } from "./stores.ts";

stores();
const PER_SECOND = 50;
const SLOW_MS = 3_000;

/** Version n of `sum` answers x with x + n. */
async function ask(app: Served): Promise<[version: number, value: number]> {
  const { model, predictions } = await predict(app, "sum", [{ x: 1 }]);
  const [first] = predictions as unknown as { value: number }[];
  return [model.version, first!.value];
}

test.if(hasServices)(
  `a load of three seconds makes no gap ${only("services", "a folder is never slow")}`,
  async () => {
    const { env, close } = await openStores("services");
    const gate = await openGate(new URL(env["S3_ENDPOINT"]!));
    const story = openOutside({ env: { ...env, S3_ENDPOINT: gate.url }, close });
    try {
      const app = await story.start();
      for (const number of [1, 2]) await register(app, "sum", tableBytes(number));
      await move(app, "sum", "promote", { version: 1 });
      gate.slow(SLOW_MS);
      const wrong: string[] = [];
      const seen = new Map<number, number>();
      const load = steadily(PER_SECOND, async () => {
        try {
          const [version, value] = await ask(app);
          if (value !== version + 1) wrong.push(`version ${version} said ${value}`);
          seen.set(version, (seen.get(version) ?? 0) + 1);
        } catch (thrown) {
          wrong.push(String(thrown));
        }
      });
      const begun = performance.now();
      await move(app, "sum", "promote", { version: 2 });
      expect(performance.now() - begun).toBeGreaterThan(SLOW_MS);
      expect((await ask(app))[0]).toBe(2);
      await until(() => seen.has(2), LONG_MS, "version 2 is asked");
      await load.stop();
      expect(wrong).toEqual([]);
      expect([...seen.keys()]).toEqual([1, 2]);
      expect(seen.get(1)).toBeGreaterThan(SLOW_MS / 1_000);
      expect(await app.stop()).toBe(0);
    } finally {
      await story.close();
      await gate.close();
    }
  },
  600_000,
);
