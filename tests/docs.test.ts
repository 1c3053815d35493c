/*
 * The pages against the program: what they name exists, and what exists is named.
 */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { makeProgram } from "../src/cli/program.ts";
import { codes } from "../src/http/codes.ts";
import { rpcs } from "../src/http/mlflow/index.ts";
import { routes } from "../src/http/routes.ts";
import { type MarketFile, parseModel } from "../src/models.ts";

const root = join(import.meta.dir, "..");
const read = (file: string): Promise<string> => Bun.file(join(root, file)).text();
const scan = async (pattern: string): Promise<string[]> =>
  (await Array.fromAsync(new Bun.Glob(pattern).scan({ cwd: root }))).sort();

const pages = [...(await scan("README*.md")), ...(await scan("docs/*.md"))];
const texts = new Map(
  await Promise.all(pages.map(async (page) => [page, await read(page)] as const)),
);
const pageOf = (name: string): string => texts.get(name) ?? "";

/** A page without its code blocks, in which a # is a comment and a bracket no link. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "");

/** Headings in order: how deep, and what they say. */
const headingsOf = (text: string): { depth: number; title: string }[] =>
  [...prose(text).matchAll(/^(#+) (.+)$/gm)].map(([, marks = "", title = ""]) => ({
    depth: marks.length,
    title,
  }));

/** The anchor that a heading gets. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

describe("links", () => {
  const links = pages.flatMap((page) =>
    [...prose(pageOf(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => ({ page, target }))
      .filter(({ target }) => !/^[a-z]+:/.test(target)),
  );

  test("there are some", () => {
    expect(links.length).toBeGreaterThan(20);
  });

  test.each(links)("$page: $target", async ({ page, target }) => {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? page : join(dirname(page), path);
    expect(existsSync(join(root, file))).toBe(true);
    if (anchor === undefined) return;
    const anchors = headingsOf(await read(file)).map(({ title }) => anchorOf(title));
    expect(anchors).toContain(anchor);
  });
});

test("operations.md tells of every environment variable", async () => {
  const schema = /const schema = v\.object\(\{([\s\S]*?)^\}\);/m.exec(
    await read("src/config.ts"),
  )?.[1];
  const names = [...(schema ?? "").matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map(([, name]) => name);
  expect(names).toContain("SLUICE_DATA");
  const page = pageOf("docs/operations.md");
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test.each(["README.md", "README.ko.md"])("%s names every command, and no other", (page) => {
  const io = {
    environment: {},
    terminal: false,
    errors: { write: () => true },
    print: async () => {},
    read: async () => "",
  };
  const program = makeProgram(io, () => {});
  const commands = program.commands.map((command: Command) => command.name());
  expect(commands).toContain("serve");
  const rows = pageOf(page)
    .split("\n")
    .filter((line) => line.startsWith("| `sluice "));
  const named = rows.flatMap((row) => {
    const first = row.split(/(?<!\\)\|/)[1] ?? "";
    return [...first.matchAll(/`sluice ([\w-]+)/g)].map(([, name = ""]) => name);
  });
  expect(named.sort()).toEqual(commands.sort());
});

test("api.md names every route", () => {
  const page = pageOf("docs/api.md").replaceAll(
    "`, `…/resume`",
    "` `/admin/schedules/{pipeline}/resume`",
  );
  const paths = routes
    .map(({ path }) => path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}"))
    .filter((path) => !path.startsWith("/docs/swagger-ui"));
  expect(paths).toContain("/v1/models/{ref}/forecast");
  const missing = paths.filter((path) => !new RegExp(`${escaped(path)}[\`?]`).test(page));
  expect(missing).toEqual([]);
});

test("mlflow.md names every call", () => {
  const page = pageOf("docs/mlflow.md");
  const calls = [...new Set(rpcs.map(({ path }) => path.replace("+}", "}")))];
  expect(calls).toContain("runs/create");
  expect(calls.filter((path) => !page.includes(`\`${path}\``))).toEqual([]);
});

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

test("errors.md has a heading for every code", async () => {
  const thrown = await codesInSource();
  expect(thrown.size).toBeGreaterThan(60);
  const told = new Set(headingsOf(pageOf("docs/errors.md")).map(({ title }) => title));
  const all = new Set([...thrown, ...codes.map(({ code }) => code)]);
  expect([...all].filter((code) => !told.has(code)).sort()).toEqual([]);
  const gone = [...told].filter((title) => title.includes("_") && !all.has(title));
  expect(gone).toEqual([]);
});

/** Codes as the source writes them: `code: "…"`, and in calls of a helper that takes a code. */
async function codesInSource(): Promise<Set<string>> {
  const found = new Set<string>();
  const files = (await scan("src/**/*.ts")).filter(
    (file) => !/\.test\.ts$|\/(fixtures?|testing)\.ts$/.test(file),
  );
  const sources = await Promise.all(files.map(read));
  const helper = /(?:function (\w+)\(|const (\w+) = \()code: string/g;
  for (const source of sources) {
    for (const [, rest = ""] of source.matchAll(/\bcode: ([^,\n(]*)/g)) add(rest);
    const own = [...source.matchAll(helper)].map(([, a, b]) => a ?? b ?? "");
    const imported = /import \{[^}]*\binvalid\b[^}]*\} from "\.\/body\.ts"/.test(source);
    for (const name of imported ? [...own, "invalid"] : own) {
      for (const [call] of source.matchAll(new RegExp(`\\b${name}\\(\\s*"[a-z_]+"`, "g")))
        add(call);
    }
  }
  return found;

  function add(text: string): void {
    for (const [, code = ""] of text.matchAll(/"([a-z][a-z0-9_]*)"/g)) found.add(code);
  }
}

test("both READMEs have the same headings, in depth and number", () => {
  const depths = (page: string) => headingsOf(pageOf(page)).map(({ depth }) => depth);
  expect(depths("README.md").length).toBeGreaterThan(5);
  expect(depths("README.ko.md")).toEqual(depths("README.md"));
});

describe("models.md", () => {
  const page = pageOf("docs/models.md");
  const toml = /^```toml\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
  const { train, evaluate, promote } = parseModel("docs/models.md", toml) as MarketFile;

  test("its smallest file is one that is accepted", () => {
    expect(train.trainers).toEqual(["gbdt", "logistic"]);
  });

  test("its defaults are those of the program", () => {
    const { seed, half_life_days, others_weight, base_rows } = train;
    const rows = { others_weight, base_rows };
    const told = { seed, half_life_days, ...rows, ...train.gbdt, ...evaluate, ...promote };
    const wrong = Object.entries(told).filter(([name, value]) => {
      const row = new RegExp(`^\\| \`${name}\` \\|[^|]*\\|([^|]*)\\|`, "m").exec(page);
      return row?.[1]?.replace(/[`"\s]/g, "") !== String(value);
    });
    expect(wrong).toEqual([]);
    for (const of of [train.logistic, train.ridge, train.spread]) {
      expect(page).toContain(`default ${of.l2}`);
    }
  });

  test("what it says of tables is accepted, with the defaults of the program", () => {
    const [, second = ""] = [...page.matchAll(/^```toml\n([\s\S]*?)^```$/gm)].map(([, t]) => t);
    const model = parseModel("docs/models.md", second);
    if (model.kind !== "table") throw new Error("The second example is no table.");
    const section = (title: string) => {
      const from = page.indexOf(`\n### ${title}\n`);
      return page.slice(from, page.indexOf("\n### ", from + 1));
    };
    const { columns, target, files, ...reading } = model.table;
    const { gbdt, logistic, ...train } = model.train;
    const { space, ...search } = model.search;
    const { slices, metric, ...promote } = model.promote;
    const told: [string, object][] = [
      ["`[table]`", reading],
      ["`[checks]`", model.checks],
      ["`[train]` of a table", { ...train, ...gbdt }],
      ["`[search]`", search],
      ["`[evaluate]` of a table", model.evaluate],
      ["`[promote]` of a table", promote],
    ];
    for (const [title, defaults] of told) {
      const text = section(title);
      const wrong = Object.entries(defaults).filter(([name, value]) => {
        if (!text.includes(`\`${name}\``)) return true;
        // A limit of a check stands with its check; what has no value of its own has none here.
        if (title === "`[checks]`" && !["fail", "warn"].includes(value)) {
          return !text.includes(`\`${name}\` (${value})`);
        }
        if (name === "trainers" || name === "monotone") return false;
        const cells = new RegExp(`^\\| \`${name}\` \\|(.*)\\|$`, "m").exec(text)?.[1] ?? "";
        const wanted = JSON.stringify(value);
        return !cells.split("|").some((cell) => cell.replace(/[`\s]/g, "") === wanted);
      });
      expect([title, wrong]).toEqual([title, []]);
    }
  });
});
