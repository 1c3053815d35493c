/*
 * The story of a large batch: rows go in and answers come out as newline-delimited JSON, as many as
 * there are, in the memory of a few, by the version that was asked in the beginning.
 *
 * SLUICE_TEST_STREAM_ROWS=1000000 tells it at full length.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { predictAnswer } from "../src/http/answers.ts";
import { makeRandom } from "../src/learn/random.ts";
import { askModel, ended, move } from "./ask.ts";
import type { Served } from "./served.ts";
import { stores } from "./stores.ts";
import { openStory, type Story } from "./story.ts";

const ROWS = Number(process.env["SLUICE_TEST_STREAM_ROWS"] || 100_000);
const GROWTH_BYTES = 60_000_000;

const FLATS = `name = "flats"
kind = "table"
[[table.columns]]
name = "rooms"
type = "number"
[[table.columns]]
name = "city"
type = "category"
[[table.columns]]
name = "rent"
type = "number"
[table.target]
column = "rent"
kind = "regression"
[train]
trainers = ["gbdt"]
[train.gbdt]
rounds = 30
leaves = 8
[evaluate]
test = "split"
[promote]
rule = "not_worse"
tolerance = 1000
`;

/** Rents of flats; those of the second version are twice as high. */
function flats(times: number): string {
  const random = makeRandom(9);
  const lines = Array.from({ length: 2_000 }, () => {
    const [rooms, city] = [1 + random.integer(5), "abc"[random.integer(3)]!];
    return `${rooms},${city},${times * (300 * rooms + (city === "a" ? 500 : 0))}`;
  });
  return `rooms,city,rent\n${lines.join("\n")}\n`;
}

/** A row of the stream: of every hundred one is faulty. */
const rowAt = (i: number): string =>
  i % 100 === 99 ? '{"rooms":"many"}' : `{"rooms":${1 + (i % 5)},"city":"${"abc"[i % 3]}"}`;
const INSTANCES = Array.from({ length: 15 }, (_, i) => JSON.parse(rowAt(i)));

describe.each(stores())("a stream of rows on %s", (store) => {
  let story: Story;
  let app: Served;

  const predict = async () => {
    const answer = await app.post("/v1/models/flats/predict", { instances: INSTANCES });
    const { model, predictions } = v.parse(predictAnswer, answer);
    return { model, values: predictions.map((one) => (one as { value: number }).value) };
  };

  /** Sends rows and reads their answers; `onLine` sees each of them. */
  async function stream(rows: number, onLine: (line: string, row: number) => void) {
    let sent = 0;
    const body = new ReadableStream({
      pull: (controller) => {
        if (sent >= rows) return controller.close();
        const piece = Array.from({ length: Math.min(1_000, rows - sent) }, () => rowAt(sent++));
        controller.enqueue(new TextEncoder().encode(`${piece.join("\n")}\n`));
      },
    });
    const headers = { "content-type": "application/x-ndjson" };
    const answer = await app.fetch("/v1/models/flats/predict", { method: "POST", headers, body });
    expect(answer.status).toBe(200);
    let [row, rest] = [0, ""];
    const decoder = new TextDecoder();
    for await (const bytes of answer.body!) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) onLine(line, row++);
    }
    expect(rest).toBe("");
    return { rows: row, headers: answer.headers };
  }

  beforeAll(async () => {
    story = await openStory(store, { flats: FLATS });
    app = await story.serve();
    await app.ready();
    for (const times of [1, 2]) {
      const path = join(story.folder, "flats.csv");
      writeFileSync(path, flats(times));
      expect((await story.run("import", "flats", path)).code).toBe(0);
      const { run } = await app.post<{ run: string }>("/admin/models/flats/retrain");
      expect((await ended(app, "flats", run)).status).toBe("succeeded");
    }
    if ((await askModel(app, "flats")).champion?.version !== 1) {
      await move(app, "flats", "promote", { version: 1, force: true });
    }
  }, 900_000);
  afterAll(() => story.close());

  test(`${ROWS} rows in the memory of a few, by one version`, async () => {
    const first = await predict();
    expect(first.model.version).toBe(1);
    // The first thousands settle what the heap needs.
    await stream(50_000, () => {});
    const before = app.residentBytes();
    let most = before;
    let promoted: Promise<unknown> | null = null;
    const wrong: string[] = [];
    const begun = performance.now();
    const { rows, headers } = await stream(ROWS, (line, row) => {
      if (row === Math.floor(ROWS / 10)) {
        promoted = move(app, "flats", "promote", { version: 2, force: true });
      }
      if (row % 1_000 === 0) most = Math.max(most, app.residentBytes());
      // Each is looked at as text; a tenth is read.
      if (row % 100 === 99) {
        if (!line.startsWith(`{"row":${row},"error":{"code":"invalid_instances"`)) wrong.push(line);
      } else if (!line.includes(`-${row}"`)) wrong.push(line);
      else if (row % 10 === 0 && JSON.parse(line).value !== first.values[row % 15]) {
        wrong.push(line);
      }
    });
    const seconds = (performance.now() - begun) / 1_000;
    await promoted;
    expect(rows).toBe(ROWS);
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(headers.get("x-model-version")).toBe("1");
    expect(headers.get("x-model-digest")).toBe(first.model.digest);
    expect((await predict()).model.version).toBe(2);
    console.log(
      `${ROWS} rows in ${seconds.toFixed(1)} s, resident memory ${(before / 1e6).toFixed(0)} MB, ` +
        `+${((most - before) / 1e6).toFixed(0)} MB at most`,
    );
    expect(most - before).toBeLessThan(GROWTH_BYTES);
  }, 600_000);
});
