import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { dataFolder, fakeIo, heldFolder } from "./fixtures.ts";
import { runCli } from "./run.ts";

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0)) await dispose();
});

/** An exchange that answers, so that no test asks the real one. */
function exchange(): { UPBIT_URL: string } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("[]", { headers: { date: new Date().toUTCString() } }),
  });
  disposals.push(() => server.stop(true));
  return { UPBIT_URL: `http://127.0.0.1:${server.port}` };
}

async function run(args: readonly string[], environment: Record<string, string>) {
  const io = fakeIo({ ...exchange(), ...environment });
  const code = await runCli(args, io);
  return { code, out: io.out.join("\n"), said: io.said() };
}

const items = (out: string): { check: string; state: string; found: string }[] =>
  JSON.parse(out).items;

describe("doctor", () => {
  test("before the first start nothing has failed", async () => {
    const folder = dataFolder();
    disposals.push(folder.dispose);
    const { code, out } = await run(["doctor"], folder.environment);
    expect(out).toContain("warning  database");
    expect(out).toContain("> Start Sluice: `sluice serve`.");
    expect(out).toMatch(/\d+ ok, \d to look at, 0 failed$/);
    expect(code).toBe(0);
  });

  test("opens an embedded database that nobody holds, and changes nothing in it", async () => {
    const folder = dataFolder();
    disposals.push(folder.dispose);
    chmodSync(folder.config.data, 0o700);
    expect((await run(["migrate"], folder.environment)).code).toBe(0);
    const { code, out } = await run(["doctor", "--json"], folder.environment);
    const found = items(out);
    expect(found.filter(({ state }) => state === "failed")).toEqual([]);
    expect(found.find(({ check }) => check === "schema drift")?.state).toBe("ok");
    expect(found.find(({ check }) => check === "embedded lock")?.found).toBe("nobody holds it");
    expect(code).toBe(0);
  });

  test("asks the server that holds the folder; what has failed is the exit code", async () => {
    const finding = { check: "disk", state: "failed", found: "1 MB free", fix: "Make room." };
    const folder = heldFolder({ "GET /admin/doctor": { items: [finding], next: null } });
    disposals.push(folder.dispose);
    const { code, out } = await run(["doctor"], folder.environment);
    expect(folder.server.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /admin/doctor",
    ]);
    expect(out).toBe(
      "state   check  found\nfailed  disk   1 MB free\n               > Make room.\n\n" +
        "0 ok, 0 to look at, 1 failed",
    );
    expect(code).toBe(1);
  });

  test("a holder that does not tell is itself the finding", async () => {
    const folder = heldFolder({});
    disposals.push(folder.dispose);
    const { code, out } = await run(["doctor", "--json"], folder.environment);
    const database = items(out).find(({ check }) => check === "database");
    expect(database?.state).toBe("failed");
    expect(database?.found).toContain(`process ${process.pid}`);
    expect(code).toBe(1);
  });

  test("Postgres that is away", async () => {
    const folder = dataFolder();
    disposals.push(folder.dispose);
    const away = { ...folder.environment, DATABASE_URL: "postgres://nobody@127.0.0.1:9/none" };
    const { code, out } = await run(["doctor", "--json"], away);
    expect(items(out).find(({ check }) => check === "database")?.state).toBe("failed");
    expect(code).toBe(1);
  });

  test("a configuration that is not accepted is exit code 78", async () => {
    const { code, said } = await run(["doctor"], { SLUICE_RETAIN_VERSIONS: "many" });
    expect(code).toBe(78);
    expect(said).toContain("SLUICE_RETAIN_VERSIONS");
  });
});
