import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { type Config, readConfig } from "../../config.ts";
import { tokenPath } from "../../folder.ts";
import { readModels } from "../../models.ts";
import type { Pointer } from "../../registry/promotion.ts";
import { type Database, openPostgres } from "../../store/database.ts";
import { folderObjects, type Objects, s3Objects, sha256 } from "../../store/objects.ts";
import { testDatabases } from "../../store/testing.ts";
import { examine, type Patient } from "./examine.ts";
import type { Finding } from "./finding.ts";

const redisUrl = process.env["SLUICE_TEST_REDIS_URL"];
const s3 = {
  endpoint: process.env["SLUICE_TEST_S3_ENDPOINT"] ?? "",
  bucket: `doctor-${crypto.randomUUID().slice(0, 8)}`,
  accessKey: process.env["SLUICE_TEST_S3_KEY"] ?? "",
  secretKey: process.env["SLUICE_TEST_S3_SECRET"] ?? "",
  region: "us-east-1",
};

const on = testDatabases().at(-1)!;
const isPostgres = on.name === "postgres";
let database: Database;
let folder: string;
let config: Config;
let objects: Objects;
const models = readModels(null);

beforeAll(async () => {
  database = await on.open();
});
afterAll(() => database.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-doctor-"));
  await chmod(folder, 0o700);
  config = readConfig({ SLUICE_DATA: folder }, false);
  objects = folderObjects(join(folder, "objects"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const look = (change: Partial<Patient> = {}): Promise<readonly Finding[]> =>
  examine({
    ...{ config, models, database, objects },
    pointers: async () => [],
    artifactSizes: async () => ({ files: 3, bytes: 1_234_567 }),
    serverTime: async () => Math.floor(Date.now() / 1_000) * 1_000,
    holder: "nobody holds it",
    ...change,
  });

const of = (findings: readonly Finding[], check: string): Finding | undefined =>
  findings.find((finding) => finding.check === check);

const pointerTo = (digest: string, version = 1): Pointer => ({
  ...{ name: "btc", alias: "champion", version, digest, since: 0, runId: null },
});

test("all is well where all is well, and sizes are told", async () => {
  const findings = await look();
  expect(findings.filter(({ state }) => state === "failed")).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual([
    ...["configuration", "data folder", "admin token", "disk", "embedded lock", "database"],
    ...(isPostgres ? ["database clock"] : []),
    ...["schema", "schema drift", "table sizes", "object store", "artifacts", "artifact sizes"],
    ...["exchange", "exchange clock"],
  ]);
  expect(of(findings, "artifact sizes")?.found).toBe("1.2 MB in 3 files");
  expect(of(findings, "table sizes")?.found).toMatch(/^[\d.]+ [kM]B: \w+ [\d.]+ kB, /);
  expect(await Array.fromAsync(objects.list())).toEqual([]);
});

describe("the data folder", () => {
  test("that others may read, and a token that others may read", async () => {
    await chmod(folder, 0o755);
    await writeFile(tokenPath(config), "secret\n", { mode: 0o644 });
    const findings = await look();
    expect(of(findings, "data folder")).toMatchObject({
      state: "warning",
      fix: `chmod 700 ${folder}`,
    });
    expect(of(findings, "data folder")?.found).toContain("mode 0755");
    expect(of(findings, "admin token")).toMatchObject({ state: "failed" });
    expect(of(findings, "admin token")?.found).toContain("mode 0644");
    await chmod(folder, 0o700);
    await chmod(tokenPath(config), 0o600);
    const after = await look();
    expect(of(after, "data folder")?.state).toBe("ok");
    expect(of(after, "admin token")?.state).toBe("ok");
  });

  test("that is not there yet", async () => {
    await rm(folder, { recursive: true });
    const findings = await look({ objects: null, database: [] });
    expect(of(findings, "data folder")?.state).toBe("warning");
    expect(findings.some(({ state }) => state === "failed")).toBe(false);
  });
});

describe("the database", () => {
  test("with an index that was dropped, one from elsewhere, and a migration to come", async () => {
    await database.orm.execute(sql`drop index pipeline_runs_open`);
    const { found, state, fix } = of(await look(), "schema drift")!;
    expect([state, found]).toEqual([
      "failed",
      "missing: index pipeline_runs_open of pipeline_runs",
    ]);
    expect(fix).toContain("drizzle/");
    await database.orm.execute(sql`create index pipeline_runs_open on pipeline_runs (status)
      where status in ('queued', 'running')`);
    await database.orm.execute(sql`create index of_mine on runs (name)`);
    const mine = of(await look(), "schema drift")!;
    expect([mine.state, mine.found]).toEqual([
      ...["warning", "not from a migration: index of_mine of runs"],
    ]);
    await database.orm.execute(sql`drop index of_mine`);
    await database.orm.execute(sql`update sluice_migrations set id = 99 where id = 1`);
    const newer = of(await look(), "schema")!;
    await database.orm.execute(sql`update sluice_migrations set id = 1 where id = 99`);
    expect([newer.state, newer.found]).toEqual([
      ...["failed", "has migrations that this program does not know as they are: 0001_tables"],
    ]);
  });

  test("that is away is one finding, and what stands on it is not looked at", async () => {
    const away = openPostgres("postgres://nobody@127.0.0.1:9/none");
    const findings = await look({ database: away });
    await away.close();
    expect(of(findings, "database")).toMatchObject({ state: "failed" });
    expect(of(findings, "database")?.fix).toContain("DATABASE_URL");
    expect(of(findings, "schema")).toBeUndefined();
    expect(of(findings, "artifacts")).toBeUndefined();
    expect(of(findings, "object store")?.state).toBe("ok");
  });

  test("whose clock is late, and one that is too old", async () => {
    const answers = (number: number, behindMs: number): Database => ({
      ...database,
      kind: "postgres",
      rows: async <Row extends object>(statement: Parameters<Database["rows"]>[0]) => {
        const text = JSON.stringify(statement.queryChunks);
        if (text.includes("server_version_num")) return [{ number }] as unknown as Row[];
        if (text.includes("clock_timestamp")) {
          return [{ ms: Date.now() - behindMs }] as unknown as Row[];
        }
        return database.rows<Row>(statement);
      },
    });
    const late = of(await look({ database: answers(130_004, 5_000) }), "database clock")!;
    expect([late.state, late.found]).toEqual(["warning", "5.0 s behind this machine"]);
    const findings = await look({ database: answers(130_004, 90_000) });
    expect(of(findings, "database clock")?.state).toBe("failed");
    expect(of(findings, "database")?.found).toContain("Postgres 13.4");
    expect(of(findings, "database")?.state).toBe("failed");
  });
});

describe("artifacts of live versions", () => {
  test("whole, missing, damaged", async () => {
    const [whole, damaged] = [
      await objects.put(Buffer.from("a")),
      await objects.put(Buffer.from("b")),
    ];
    const gone = sha256("c");
    await writeFile(join(folder, "objects", damaged.slice(0, 2), damaged), "x");
    const pointers = async () => [pointerTo(whole), pointerTo(damaged, 2), pointerTo(gone, 3)];
    const findings = await look({ pointers });
    expect(of(findings, "artifact btc@1")).toBeUndefined();
    expect(of(findings, "artifact btc@2")).toMatchObject({ state: "failed" });
    expect(of(findings, "artifact btc@2")?.found).toStartWith(
      `champion: Object ${damaged} holds 1`,
    );
    expect(of(findings, "artifact btc@3")?.found).toContain(`no object ${gone}`);
    expect(of(findings, "artifact btc@3")?.fix).toContain("backup");
    const well = await look({ pointers: async () => [pointerTo(whole), pointerTo(whole)] });
    expect(of(well, "artifacts")?.found).toBe("1 files of versions under an alias are whole, 1 B");
  });
});

describe("the object store", () => {
  test("a folder that cannot be written", async () => {
    await writeFile(join(folder, "objects"), "a file");
    const finding = of(await look(), "object store");
    expect(finding).toMatchObject({ state: "failed" });
  });

  test.skipIf(s3.endpoint === "")("an S3 server that answers, and one that refuses", async () => {
    const well = of(
      await look({ config: { ...config, s3 }, objects: s3Objects(s3) }),
      "object store",
    );
    expect([well?.state, well?.found]).toEqual(["ok", expect.stringContaining(s3.bucket)]);
    const wrong = { ...s3, secretKey: "not-the-secret-of-it" };
    const refused = await look({ config: { ...config, s3: wrong }, objects: s3Objects(wrong) });
    expect(of(refused, "object store")).toMatchObject({ state: "failed" });
    expect(of(refused, "object store")?.fix).toContain("S3_");
    expect(of(refused, "artifacts")).toBeUndefined();
  });
});

describe("Redis", () => {
  test("that is away", async () => {
    const away = { ...config, redisUrl: "redis://127.0.0.1:9" };
    const finding = of(await look({ config: away }), "redis")!;
    expect(finding.state).toBe("failed");
    expect(finding.found).toContain("ECONNREFUSED");
    expect(finding.fix).toContain("REDIS_URL");
  });

  test.skipIf(redisUrl === undefined)("that answers", async () => {
    const there = { ...config, redisUrl: redisUrl ?? "" };
    const finding = of(await look({ config: there }), "redis")!;
    expect(finding.state).not.toBe("failed");
    expect(finding.found).toMatch(/^answers in [\d.]+ ms/);
  });
});

describe("the exchange", () => {
  test("away, with a clock that is late, and on a replay", async () => {
    const away = async () => {
      throw new Error("connection refused");
    };
    expect(of(await look({ serverTime: away }), "exchange")?.state).toBe("failed");
    const late = { serverTime: async () => Date.now() - 10_000 };
    expect(of(await look(late), "exchange clock")?.state).toBe("warning");
    const replay = { config: { ...config, clock: "exchange" as const }, ...late };
    expect(of(await look(replay), "exchange clock")).toBeUndefined();
    const none = await look({ models: new Map(), serverTime: away });
    expect(of(none, "exchange")).toBeUndefined();
  });
});
