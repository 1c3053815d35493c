import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import * as forms from "../http/import-answers.ts";
import { fakeIo, heldFolder, problemAnswer } from "./fixtures.ts";
import { runCli } from "./run.ts";

const CONTENT = "age,y\n1,yes\n2,no\n";
const SHA256 = new Bun.CryptoHasher("sha256").update(CONTENT).digest("hex");
const POST = "POST /admin/models/small/imports";
const GET = "GET /v1/models/small/imports";

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0)) await dispose();
});

/** Runs the command against a server that answers from a table; files lie in a folder. */
async function run(
  args: readonly string[],
  answers: Record<string, unknown>,
  { files = {}, model = "" }: { files?: Record<string, string | Uint8Array>; model?: string } = {},
) {
  const folder = heldFolder(answers);
  const place = mkdtempSync(join(tmpdir(), "sluice-cli-import-"));
  disposals.push(folder.dispose, () => rmSync(place, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(place, name), content);
  const models = join(place, "models");
  mkdirSync(models);
  writeFileSync(join(models, "small.toml"), modelText(model));
  const io = fakeIo({ ...folder.environment, SLUICE_MODELS: models });
  const code = await runCli(
    args.map((arg) => arg.replace("@", `${place}/`)),
    io,
  );
  return { code, out: io.out.join("\n"), said: io.said(), asked: folder.server.asked };
}

const modelText = (more: string) => `name = "small"
kind = "table"
[table]
${more}
[[table.columns]]
name = "age"
type = "number"
[[table.columns]]
name = "y"
type = "category"
[table.target]
column = "y"
kind = "binary"
positive = "yes"
[train]
trainers = ["gbdt"]`;

const imported = (given: object = {}) =>
  v.parse(forms.importAnswer, {
    ...{ id: 1, model: "small", file: "a.csv", part: "train", sha256: SHA256 },
    ...{ unchanged: false, replaced: null },
    report: {
      ...{ bytes: 17, rows: 2, stored: 2, refused: 0, blank_lines: 0, comment_lines: 0 },
      ...{ refusals: [], columns: [] },
    },
    ...given,
  });

describe("files", () => {
  test("are sent under their names, one after the other, and told", async () => {
    const { code, out, asked } = await run(
      ["import", "small", "@a.csv", "@b.csv", "--part", "test"],
      { [POST]: [imported(), imported({ file: "b.csv", unchanged: true })] },
      { files: { "a.csv": CONTENT, "b.csv": "x" } },
    );
    expect(code).toBe(0);
    expect(asked.map(({ path }) => path)).toEqual([
      "/admin/models/small/imports?name=a.csv&part=test",
      "/admin/models/small/imports?name=b.csv&part=test",
    ]);
    expect(asked.map(({ body, type }) => [body, type])).toEqual([
      [CONTENT, "text/csv"],
      ["x", "text/csv"],
    ]);
    expect(out).toContain("a.csv  train");
    expect(out).toContain("unchanged: the same bytes stood already");
  });

  test("that are compressed are sent as they were before", async () => {
    const { code, asked } = await run(
      ["import", "small", "@a.csv.gz"],
      { [POST]: imported() },
      { files: { "a.csv.gz": Bun.gzipSync(new TextEncoder().encode(CONTENT)) } },
    );
    expect(code).toBe(0);
    expect(asked).toMatchObject([
      { path: "/admin/models/small/imports?name=a.csv", body: CONTENT },
    ]);
  });

  test("that are broken gzip are told by their name", async () => {
    const zipped = Bun.gzipSync(new TextEncoder().encode(CONTENT.repeat(99)));
    const { code, said } = await run(
      ["import", "small", "@a.csv.gz"],
      { [POST]: imported() },
      { files: { "a.csv.gz": zipped.subarray(0, 40) } },
    );
    expect(code).toBe(2);
    expect(said).toContain('a.csv.gz" cannot be read');
  });

  test("--json prints the answers as they came", async () => {
    const { out } = await run(
      ["import", "small", "@a.csv", "--json"],
      { [POST]: imported({ replaced: 4 }) },
      { files: { "a.csv": CONTENT } },
    );
    expect(JSON.parse(out)).toEqual({ items: [imported({ replaced: 4 })] });
  });

  test("refused rows are told with reason, line and column", async () => {
    const sample = { line: 3, column: "age", value: "x", message: 'expected a number, not "x"' };
    const report = {
      ...{ bytes: 17, rows: 2, stored: 1, refused: 1, blank_lines: 0, comment_lines: 0 },
      refusals: [{ reason: "bad_number", count: 1, lines: [3], samples: [sample] }],
      columns: [],
    };
    const { out } = await run(
      ["import", "small", "@a.csv"],
      { [POST]: imported({ report }) },
      { files: { "a.csv": CONTENT } },
    );
    expect(out).toMatch(/a\.csv +bad_number +1 +3 +age +expected a number, not "x"/);
  });

  test("one that fails does not hide what became of those before", async () => {
    const faults = [{ path: "line 3: age", message: "expected a number" }];
    const detail = "2 of 2 rows of b.csv are not accepted.";
    const { code, out, said } = await run(
      ["import", "small", "@a.csv", "@b.csv"],
      { [POST]: [imported(), problemAnswer(422, { code: "too_many_refused", detail, faults })] },
      { files: { "a.csv": CONTENT, "b.csv": "x" } },
    );
    expect(code).toBe(1);
    expect(out).toContain("a.csv");
    expect(said).toContain("2 of 2 rows of b.csv");
    expect(said).toContain("line 3: age: expected a number");
  });
});

describe("wrong calls ask nothing", () => {
  test.each([
    [["import", "small"], 2, "no file"],
    [["import", "small", "@none.csv"], 2, "cannot be read"],
    [["import", "small", "@models"], 2, "it is no file"],
    [["import", "small", "@a.csv", "--part", "all"], 2, "train or test"],
  ] as [string[], number, string][])("%p", async (args, wanted, text) => {
    const { code, said, asked } = await run(args, {}, { files: { "a.csv": CONTENT } });
    expect(code).toBe(wanted);
    expect(said).toContain(text);
    expect(asked).toEqual([]);
  });

  test("a download of what no model file names", async () => {
    const none = await run(["import", "small", "--download"], {});
    expect([none.code, none.said]).toEqual([2, expect.stringContaining("names no address")]);
    const unknown = await run(["import", "other", "--download"], {});
    expect([unknown.code, unknown.said]).toEqual([2, expect.stringContaining('no model "other"')]);
  });
});

describe("--download", () => {
  const listed = (items: object[]) => ({ items, next: null });
  const server = () => {
    const asked: string[] = [];
    const made = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        asked.push(new URL(request.url).pathname);
        return new Response(CONTENT);
      },
    });
    disposals.push(() => made.stop(true));
    return { asked, url: `http://127.0.0.1:${made.port}/small.data` };
  };
  const file = (url: string, sha256: string) =>
    `[[table.files]]\nname = "a.csv"\nurl = "${url}"\nsha256 = "${sha256}"`;

  test("gets the file, checks it and sends it", async () => {
    const { url } = server();
    const { code, asked } = await run(
      ["import", "small", "--download"],
      { [GET]: listed([]), [POST]: imported() },
      { model: file(url, SHA256) },
    );
    expect(code).toBe(0);
    expect(asked.at(-1)).toMatchObject({
      ...{ path: "/admin/models/small/imports?name=a.csv", body: CONTENT },
    });
  });

  test("of other bytes than promised sends nothing", async () => {
    const { url } = server();
    const { code, said, asked } = await run(
      ["import", "small", "--download"],
      { [GET]: listed([]), [POST]: imported() },
      { model: file(url, "0".repeat(64)) },
    );
    expect(code).toBe(1);
    expect(said).toContain("Nothing was stored");
    expect(asked.map(({ method }) => method)).toEqual(["GET"]);
  });

  test("of what stands already is left out", async () => {
    const { url, asked: got } = server();
    const standing = {
      ...{ id: 1, model: "small", file: "a.csv", part: "train", sha256: SHA256, rows: 2 },
      ...{ refused: 0, actor: "admin", at: "2025-01-01T00:00:00Z", replaced_at: null },
      ...{ outdated: false, refusals: [], columns: [] },
    };
    const answers = (item: object) => ({ [GET]: listed([item]), [POST]: imported() });
    const model = file(url, SHA256);
    const first = await run(["import", "small", "--download"], answers(standing), { model });
    expect(first.code).toBe(0);
    expect(first.said).toContain("imported already");
    expect(first.out).toBe("Nothing new to import.");
    expect(got).toEqual([]);
    const outdated = { ...standing, outdated: true };
    await run(["import", "small", "--download"], answers(outdated), { model });
    expect(got).toEqual(["/small.data"]);
  });
});
