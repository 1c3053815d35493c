/*
 * Stories of backups: one is taken of a running program that is being asked, restored into the
 * other kind of stores, and what is started there answers as the first did, to the byte.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { tokenAnswer } from "../src/http/answers.ts";
import { UNIT_MS } from "../src/types.ts";
import { askRun, askRuns, columnsOf, openSlot, settled } from "./ask.ts";
import { type Finished, run, type Served } from "./served.ts";
import {
  freshDatabase,
  hasServices,
  only,
  openStores,
  type StoreName,
  stores,
  type Variables,
} from "./stores.ts";
import { MARKETS, MODELS, openStory, RENT, SMALL, type Story } from "./story.ts";

/** What the routes tell of everything that a backup carries, as text by address. */
async function everything(app: Served): Promise<Map<string, string>> {
  const paths = [
    ...["/v1/models", "/v1/runs?limit=1000", "/admin/tokens", "/v1/models/rent/imports"],
    ...MODELS.flatMap((model) => [
      `/v1/models/${model}`,
      ...["versions", "history", "forecast"].map((what) => `/v1/models/${model}/${what}`),
      `/v1/models/${model}/forecasts?limit=1000`,
      `/v1/pipelines/${model}/runs?limit=1000`,
      `/v1/candles/${MARKETS[model]}?limit=5000`,
    ]),
  ];
  for (const { id } of (await askRuns(app)).items) {
    const { artifacts } = await askRun(app, id);
    paths.push(
      `/v1/runs/${id}`,
      ...artifacts.map(({ path }) => `/v1/runs/${id}/artifacts/${path}`),
    );
  }
  const told = new Map<string, string>();
  for (const path of paths) {
    const answer = await app.fetch(path);
    const text = Buffer.from(await answer.arrayBuffer()).toString("latin1");
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    told.set(path, text);
  }
  for (const model of MODELS) {
    const columns = await columnsOf(app, model);
    const instances = [0.01, -0.3, 2].map((x) =>
      Object.fromEntries(columns.map((name, i) => [name, x * (i % 7)])),
    );
    const path = `/v1/models/${model}/predict`;
    const { predictions } = await app.post<{ predictions: { id?: string }[] }>(path, { instances });
    told.set(path, JSON.stringify(predictions.map(({ id: _, ...rest }) => rest)));
  }
  return told;
}

/** Asks without pause until it is stopped; how many were answered, and all that were not. */
function load(app: Served) {
  let over = false;
  let answered = 0;
  const failed: string[] = [];
  const ask = async () => {
    while (!over) {
      const answer = await app.fetch("/v1/models/btc/forecast");
      if (answer.ok) answered++;
      else failed.push(`${answer.status} ${await answer.text()}`);
      await answer.arrayBuffer().catch(() => {});
      await Bun.sleep(5);
    }
  };
  const asking = Promise.all([ask(), ask()]);
  return async () => {
    over = true;
    await asking;
    return { answered, failed };
  };
}

function expectSame(found: Map<string, string>, wanted: Map<string, string>): void {
  const differ = [...wanted].filter(([path, text]) => found.get(path) !== text);
  const shown = differ.map(([path, text]) => ({ path, was: text, is: found.get(path) }));
  expect(shown).toEqual([]);
  expect([...found.keys()]).toEqual([...wanted.keys()]);
}

describe("a backup", () => {
  const told = stores();
  const closing: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  test.each(told)(
    "of %s, taken under load, is the same system in the other kind",
    async (store) => {
      const story = await openStory(store, { ...SMALL, rent: RENT });
      closing.push(() => story.close());
      const command = (env: Variables, ...args: string[]): Promise<Finished> =>
        run({ args, cwd: story.folder, env: { ...story.env, ...env } });
      let app = await story.serve();
      await app.ready();
      await settled(app, openSlot(story));
      story.exchange.advance(UNIT_MS);
      await settled(app, openSlot(story));
      writeFileSync(join(story.folder, "rent.csv"), "rooms,rent\n1,100\n2,210\n");
      expect((await story.run("import", "rent", "rent.csv", "--part", "train")).code).toBe(0);
      const token = v.parse(
        tokenAnswer,
        await app.post("/admin/tokens", { name: "reader", scopes: ["read"] }),
      ).token;

      const wanted = await everything(app);
      const stop = load(app);
      await Bun.sleep(100);
      const taken = await story.run("backup", "sluice.tar", "--json");
      const { answered, failed } = await stop();
      expect([taken.code, taken.errors, failed]).toEqual([0, "", []]);
      expect(answered).toBeGreaterThan(10);
      expectSame(await everything(app), wanted);
      expect(readdirSync(story.folder).filter((name) => name.startsWith("sluice.tar"))).toEqual([
        "sluice.tar",
      ]);
      expect(await app.stop()).toBe(0);
      const told = JSON.parse(taken.out) as { tables: Record<string, number>; objects: number };

      const other = await otherKind(store, story, closing);
      const cut = join(story.folder, "cut.tar");
      writeFileSync(cut, readFileSync(join(story.folder, "sluice.tar")).subarray(0, -4_000));
      const refused = await command(other, "restore", "cut.tar");
      expect([refused.code, refused.errors]).toEqual([
        1,
        expect.stringContaining("is no whole backup"),
      ]);
      const restored = await command(other, "restore", "sluice.tar", "--json");
      expect([restored.code, restored.errors]).toEqual([0, ""]);
      expect(JSON.parse(restored.out)).toMatchObject({
        ...counts(told),
        models: null,
        applied: [],
      });
      const again = await command(other, "restore", "sluice.tar");
      expect([again.code, again.errors]).toEqual([1, expect.stringContaining("not empty")]);

      app = await story.serve({ env: other });
      await app.ready();
      const found = await everything(app);
      expectSame(found, wanted);
      const reader = { headers: { authorization: `Bearer ${token}` } };
      expect((await app.fetch("/admin/tokens", reader)).status).toBe(403);
      const stranger = { headers: { authorization: `Bearer ${token.slice(0, -1)}_` } };
      expect((await app.fetch("/admin/tokens", stranger)).status).toBe(401);
      // And it goes on from there.
      story.exchange.advance(UNIT_MS);
      await settled(app, openSlot(story));
      expect(await app.stop()).toBe(0);
      const { forecasts, pipeline_runs: runs, model_versions: versions } = told.tables;
      const what = `${wanted.size} answers the same, ${answered} asked meanwhile`;
      console.log(`${store}: ${what}; ${forecasts} forecasts, ${runs} runs, ${versions} versions`);
    },
    900_000,
  );

  test.if(hasServices)(
    `what is embedded moves to Postgres by migrate ${only("services", "it needs both")}`,
    async () => {
      const story = await openStory("embedded", { rent: RENT });
      closing.push(() => story.close());
      const app = await story.serve();
      await app.ready();
      writeFileSync(join(story.folder, "rent.csv"), "rooms,rent\n1,100\n2,210\n");
      expect((await story.run("import", "rent", "rent.csv", "--part", "train")).code).toBe(0);
      const imports = await app.get("/v1/models/rent/imports");
      const database = await freshDatabase();
      closing.push(database.close);
      const args = ["migrate", "--from", "embedded", "--to", database.url];
      const held = await story.run(...args);
      expect([held.code, held.errors]).toEqual([3, expect.stringContaining("is held by process")]);
      expect(await app.stop()).toBe(0);
      const moved = await story.run(...args);
      expect([moved.code, moved.errors]).toEqual([0, ""]);
      expect(moved.out).toContain("Set DATABASE_URL");
      expect((await story.run(...args)).errors).toContain("not empty");
      expect(readdirSync(join(story.folder, "data", "backup"))).toEqual([]);
      const there = await story.serve({ env: { DATABASE_URL: database.url } });
      await there.ready();
      expect(await there.get("/v1/models/rent/imports")).toEqual(imports);
      expect(await there.stop()).toBe(0);
      for (const wrong of [
        ["--to", database.url],
        ["--from", "embedded"],
        ["--from", "mysql", "--to", database.url],
        ["--from", "embedded", "--to", "mysql://host/name"],
      ]) {
        expect((await story.run("migrate", ...wrong)).code).toBe(2);
      }
    },
    600_000,
  );

  test(`of nothing, and to nowhere, leaves nothing behind ${only("embedded", "a server is there or not")}`, async () => {
    const story = await openStory("embedded", { rent: RENT });
    closing.push(() => story.close());
    const nothing = await story.run("backup", "sluice.tar");
    expect([nothing.code, nothing.errors]).toEqual([1, expect.stringContaining("has no database")]);
    expect(existsSync(join(story.folder, "data", "db"))).toBe(false);
    expect((await story.run("migrate")).code).toBe(0);
    const nowhere = await story.run("backup", "no/such/folder/sluice.tar");
    expect([nowhere.code, nowhere.errors]).toEqual([
      1,
      expect.stringContaining("cannot be written"),
    ]);
    const fine = await story.run("backup", "sluice.tar");
    expect([fine.code, fine.errors]).toEqual([0, ""]);
    expect((await story.run("restore", "gone.tar")).code).toBe(2);
    writeFileSync(join(story.folder, "text.tar"), "no tar file".repeat(1_000));
    expect((await story.run("restore", "text.tar")).errors).toContain("is no whole backup");
    expect(readdirSync(story.folder).sort()).toEqual(["data", "models", "sluice.tar", "text.tar"]);
  }, 600_000);
});

const counts = ({ tables, objects }: { tables: object; objects: number }) => ({ tables, objects });

/** Variables of empty stores of the other kind, or of the same where there is no server. */
async function otherKind(
  store: StoreName,
  story: Story,
  closing: (() => Promise<unknown>)[],
): Promise<Variables> {
  const other = await openStores(store === "services" || !hasServices ? "embedded" : "services");
  closing.push(other.close);
  const none = Object.fromEntries(
    Object.keys(story.env)
      .filter(isService)
      .map((name) => [name, ""]),
  );
  return { SLUICE_DATA: join(story.folder, "other"), ...none, ...other.env };
}

const isService = (name: string): boolean => /^(DATABASE_URL|REDIS_URL|S3_)/.test(name);
