/*
 * The doctor and the daily retention over a running server, on each store: what is broken by hand
 * is told by name, by a command, while the server runs and when it does not.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type * as v from "valibot";
import type { doctorAnswer } from "../src/http/answers.ts";
import { tableBytes } from "../src/serve/fixture.ts";
import { LONG_MS, until } from "../src/testing.ts";
import { move } from "./ask.ts";
import { openOutside, register } from "./outside.ts";
import { run } from "./served.ts";
import { openStores, stores } from "./stores.ts";

const closings: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closings.reverse()) await close();
});

type Items = v.InferOutput<typeof doctorAnswer>["items"];

describe.each(stores())("doctor on %s", (store) => {
  test("tells of a live version whose object is gone; retention is done at the start", async () => {
    const kept = await openStores(store);
    const story = openOutside(kept);
    closings.push(story.close);
    const app = await story.start();
    await register(app, "sum", tableBytes(1));
    await move(app, "sum", "promote", { version: 1 });
    const look = async () => {
      const { code, out } = await run({ ...story.options(), args: ["doctor", "--json"] });
      const { items } = JSON.parse(out) as { items: Items };
      return { code, items, failed: items.filter(({ state }) => state === "failed") };
    };
    const well = await look();
    expect([well.code, well.failed]).toEqual([0, []]);
    await until(
      async () => app.log.some(({ event }) => event === "retention_done"),
      LONG_MS,
      "retention_done",
    );
    await kept.loseObjects(join(story.folder, "data"));
    const ill = await look();
    expect([ill.code, ill.failed.map(({ check }) => check)]).toEqual([1, ["artifact sum@1"]]);
    await app.stop();
    const after = await look();
    expect([after.code, after.failed.map(({ check }) => check)]).toEqual([1, ["artifact sum@1"]]);
  }, 600_000);
});
