import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";
import { dataFolder, heldFolder } from "./cli/fixtures.ts";
import { lockPath, tokenPath } from "./folder.ts";
import { lockHolder, takeLock } from "./store/lock.ts";

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

function folder() {
  const made = dataFolder();
  disposals.push(made.dispose);
  return made;
}

/** The program as a user starts it, with nothing of our environment. */
async function sluice(args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, said, code };
}

describe("exit codes", () => {
  test("0 and the version", async () => {
    expect(await sluice(["version"])).toEqual({ out: `sluice ${version}\n`, said: "", code: 0 });
  });

  test("2 for usage", async () => {
    const { out, said, code } = await sluice(["frobnicate"]);
    expect({ out, code }).toEqual({ out: "", code: 2 });
    expect(said).toBe(
      "sluice: unknown command 'frobnicate'. `sluice --help` lists every command.\n",
    );
  });

  test("78 for configuration, naming the variable, without a stack trace", async () => {
    const { said, code } = await sluice(["serve"], { SLUICE_PORT: "99999" });
    expect(code).toBe(78);
    expect(said).toStartWith('sluice: SLUICE_PORT: "99999" is not accepted');
    expect(said.trimEnd()).not.toContain("\n");
  });

  test("78 as JSON", async () => {
    const { said, code } = await sluice(["models", "--json"], { SLUICE_CLOCK: "sundial" });
    expect(code).toBe(78);
    expect(JSON.parse(said).error).toMatchObject({
      code: "invalid_configuration",
      faults: [{ path: "SLUICE_CLOCK" }],
    });
  });

  test("3 for a folder that another process holds, naming it, and nothing is opened", async () => {
    const { config, environment } = folder();
    const lock = takeLock(lockPath(config));
    disposals.push(() => lock.release());
    const { said, code } = await sluice(["migrate"], environment);
    expect(code).toBe(3);
    expect(said).toContain(`process ${process.pid}`);
    expect(said).toContain("SLUICE_DATA");
  });

  test("1 for what a server refuses", async () => {
    const held = heldFolder({});
    disposals.push(held.dispose);
    const { said, code } = await sluice(["rollback", "btc"], held.environment);
    expect(code).toBe(1);
    expect(said).toStartWith("sluice: POST /admin/models/btc/rollback");
  });
});

test("a command of another process talks to the server that holds the folder", async () => {
  const held = heldFolder({ "GET /v1/models": { items: [], next: null } });
  disposals.push(held.dispose);
  const { out, said, code } = await sluice(["models"], held.environment);
  expect({ out, said, code }).toEqual({ out: "No models.\n", said: "", code: 0 });
});

/** A megabyte or two as JSON: more than a pipe holds. */
const manyItems = () =>
  Array.from({ length: 20_000 }, (_, i) => ({ name: `model-${i}`, fill: "x".repeat(50) }));

test("a long answer arrives whole in a pipe", async () => {
  const items = manyItems();
  const held = heldFolder({ "GET /v1/models": { items, next: null } });
  disposals.push(held.dispose);
  const { out, code } = await sluice(["models", "--json"], held.environment);
  expect(code).toBe(0);
  expect(JSON.parse(out).items).toHaveLength(items.length);
});

test("a reader that goes away is no failure", async () => {
  const items = manyItems();
  const held = heldFolder({ "GET /v1/models": { items, next: null } });
  disposals.push(held.dispose);
  const program = `${process.execPath} ${join(import.meta.dir, "main.ts")} models --json`;
  const child = Bun.spawn(["sh", "-c", `{ ${program}; echo "code $?" >&2; } | head -c 10`], {
    env: { PATH: process.env["PATH"] ?? "", ...held.environment },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect((await new Response(child.stderr).text()).trim()).toBe("code 0");
  await child.exited;
});

describe("while nobody holds the folder", () => {
  // Port 9 of loopback takes nobody's call: the exchange cannot be reached.
  const nowhere = { UPBIT_URL: "http://127.0.0.1:9" };

  test("a command does the work itself, tells the new token once, and frees the folder", async () => {
    const { config, environment } = folder();
    const first = await sluice(["models", "--json"], { ...environment, ...nowhere });
    expect(first.code).toBe(0);
    const names = JSON.parse(first.out).items.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(["ada", "btc", "eth", "income"]);
    const token = readFileSync(tokenPath(config), "utf8").trim();
    expect(first.said).toContain(token);
    expect(statSync(tokenPath(config)).mode & 0o077).toBe(0);
    expect(lockHolder(lockPath(config))).toBeNull();
    const second = await sluice(["forecast", "btc", "--json"], { ...environment, ...nowhere });
    expect(second.code).toBe(1);
    expect(second.said).not.toContain(token);
    expect(JSON.parse(second.said).error.code).toBe("not_ready");
  }, 60_000);

  test("of three commands at once each gets its answer", async () => {
    const { environment } = folder();
    const env = { ...environment, ...nowhere };
    const ended = await Promise.all([1, 2, 3].map(() => sluice(["pipelines"], env)));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    for (const { out } of ended) expect(out).toContain("no run yet");
    // Three starts of the database one after the other, on a machine that may be busy.
  }, 60_000);
});

test("migrate makes the database, and finds it made the second time", async () => {
  const { environment } = folder();
  const first = await sluice(["migrate"], environment);
  // What is embedded comes with its schema.
  expect(first).toMatchObject({ code: 0, said: "", out: "The database is up to date.\n" });
  expect(existsSync(join(environment.SLUICE_DATA, "db", "PG_VERSION"))).toBe(true);
  const second = await sluice(["migrate", "--json"], environment);
  expect(JSON.parse(second.out)).toEqual({ applied: [] });
});

test("a fault that nobody caught is told in a line and ends with 1", async () => {
  const { environment } = folder();
  const preload = join(environment.SLUICE_DATA, "preload.ts");
  // Once somebody listens for it, which a busy machine puts off.
  const script = `const timer = setInterval(() => {
      if (process.listenerCount("uncaughtException") === 0) return;
      clearInterval(timer);
      setTimeout(() => { throw new Error("boom"); }, 200);
    }, 20);\n`;
  writeFileSync(preload, script);
  const main = join(import.meta.dir, "main.ts");
  // Reads standard input, which stays open: the fault is what ends it.
  const child = Bun.spawn([process.execPath, "--preload", preload, main, "predict", "btc"], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = await new Response(child.stderr).text();
  expect(await child.exited).toBe(1);
  expect(said).toContain("sluice: An unexpected failure: boom.");
  expect(said.trimEnd()).not.toContain("\n");
});

test("the training child starts without loading the command line", async () => {
  const { environment } = folder();
  const command = ["train-child", environment.SLUICE_DATA, String(process.pid)];
  const { out, said } = await sluice(command, environment);
  expect(out + said).not.toContain("unknown command");
});
