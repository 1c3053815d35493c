/*
 * The doctor and the daily retention over a running server, on each store: what is broken by hand
 * is told by name, by a command, while the server runs and when it does not.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type * as v from "valibot";
import type { doctorAnswer } from "../src/http/answers.ts";
import { tableBytes } from "../src/serve/fixture.ts";
import { move } from "./ask.ts";
import { freshDatabase, openOutside, register } from "./outside.ts";
import { run, until } from "./served.ts";
import { stores, tell } from "./story.ts";

const FILE = "doctor.test.ts";
const SERVER = process.env["SLUICE_TEST_DATABASE_URL"] ?? "";
const closings: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closings.reverse()) await close();
});

type Items = v.InferOutput<typeof doctorAnswer>["items"];

describe.each(stores(FILE))("doctor on %s", (store) => {
  test("tells of a live version whose object is gone; retention is done at the start", async () => {
    const database = store === "postgres" ? await freshDatabase(SERVER) : null;
    if (database !== null) closings.push(database.close);
    const story = openOutside(database === null ? {} : { DATABASE_URL: database.url });
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
      20_000,
      "retention_done",
    );
    const objects = join(story.folder, "data", "objects");
    for (const name of readdirSync(objects)) rmSync(join(objects, name), { recursive: true });
    const ill = await look();
    expect([ill.code, ill.failed.map(({ check }) => check)]).toEqual([1, ["artifact sum@1"]]);
    await app.stop();
    const after = await look();
    expect([after.code, after.failed.map(({ check }) => check)]).toEqual([1, ["artifact sum@1"]]);
    tell(FILE, store);
  }, 60_000);
});
