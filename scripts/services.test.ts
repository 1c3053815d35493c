import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import postgres from "postgres";
import { postgresService } from "./services/postgres.ts";
import { redisService } from "./services/redis.ts";
import type { Service } from "./services/service.ts";
import { startServices } from "./services.ts";

/** A service that starts nothing but remembers what was done with it. */
function pretend(fields: Partial<Service> = {}) {
  const seen = { folders: [] as string[], stops: 0 };
  const service: Service = {
    name: "redis",
    variables: ["SLUICE_TEST_REDIS_URL"],
    packages: [],
    find: () => "/bin/pretend",
    missing: "no pretend on PATH",
    async start(_program, folder) {
      seen.folders.push(folder);
      const stop = async () => {
        seen.stops += 1;
      };
      return { env: { SLUICE_TEST_REDIS_URL: "redis://here" }, pid: 0, stop };
    },
    ...fields,
  };
  return { service, seen };
}

describe("startServices", () => {
  test("starts what is not given, and ends it once, folder and all", async () => {
    const { service, seen } = pretend();
    const services = await startServices([service], {});
    expect(services.redisUrl).toBe("redis://here");
    expect(services.databaseUrl).toBeNull();
    expect(services.missing).toEqual([]);
    const home = dirname(seen.folders[0] ?? "");
    expect(existsSync(home)).toBe(true);
    await Promise.all([services.stop(), services.stop()]);
    expect(seen.stops).toBe(1);
    expect(existsSync(home)).toBe(false);
  });

  test("uses what is given and starts nothing", async () => {
    const { service, seen } = pretend();
    const services = await startServices([service], { SLUICE_TEST_REDIS_URL: "redis://theirs" });
    expect(services.env).toEqual({ SLUICE_TEST_REDIS_URL: "redis://theirs" });
    expect(seen.folders).toEqual([]);
    await services.stop();
    expect(seen.stops).toBe(0);
  });

  test("names the variables that are missing where only some are given", async () => {
    const variables = ["SLUICE_TEST_S3_ENDPOINT", "SLUICE_TEST_S3_BUCKET"];
    const { service, seen } = pretend({ name: "s3", variables });
    const services = await startServices([service], { SLUICE_TEST_S3_BUCKET: "b" });
    expect(services.missing).toEqual([
      { service: "s3", reason: "SLUICE_TEST_S3_BUCKET set, but not SLUICE_TEST_S3_ENDPOINT" },
    ]);
    expect(services.s3).toBeNull();
    expect(seen.folders).toEqual([]);
    await services.stop();
  });

  test("says what was looked for where there is none, and the error where it did not start", async () => {
    const absent = pretend({ find: () => null });
    const broken = pretend({ start: () => Promise.reject(new Error("the port is taken")) });
    const services = await startServices([absent.service, broken.service], {});
    expect(services.missing.map(({ reason }) => reason)).toEqual([
      "no pretend on PATH",
      "the port is taken",
    ]);
    expect(services.env).toEqual({});
    await services.stop();
  });

  test("builds what no package brings, and only then", async () => {
    let builds = 0;
    const build = async () => {
      builds += 1;
      return "/built";
    };
    const there = await startServices([pretend({ build }).service], {});
    expect(builds).toBe(0);
    const absent = await startServices([pretend({ find: () => null, build }).service], {});
    expect(builds).toBe(1);
    expect(absent.redisUrl).toBe("redis://here");
    await Promise.all([there.stop(), absent.stop()]);
  });

  test("SLUICE_TEST_SERVICES leaves services out, and an unknown name is refused", async () => {
    const { service, seen } = pretend();
    const services = await startServices([service], { SLUICE_TEST_SERVICES: "none" });
    expect(services.missing[0]?.reason).toBe("left out by SLUICE_TEST_SERVICES");
    const chosen = await startServices([service], { SLUICE_TEST_SERVICES: "s3, redis" });
    expect(seen.folders).toHaveLength(1);
    await Promise.all([services.stop(), chosen.stop()]);
    const wrong = startServices([service], { SLUICE_TEST_SERVICES: "mysql" });
    await expect(wrong).rejects.toThrow('no service "mysql"; give "none" or some of postgres');
  });
});

test.skipIf(postgresService.find() === null)(
  "the real Postgres: a database, a password",
  async () => {
    const services = await startServices([postgresService], {});
    try {
      expect(services.missing).toEqual([]);
      const url = new URL(services.databaseUrl ?? "");
      expect(url.hostname).toBe("127.0.0.1");
      const options = { max: 1, idle_timeout: 1 };
      const sql = postgres(url.href, options);
      const [row] =
        await sql`select current_database() as name, current_setting('TimeZone') as zone`;
      expect(row).toEqual({ name: "sluice_test", zone: "UTC" });
      await sql.end();
      url.password = "wrong";
      const stranger = postgres(url.href, options);
      await expect(stranger`select 1`.execute()).rejects.toThrow("password authentication failed");
      await stranger.end();
    } finally {
      await services.stop();
    }
  },
);

test.skipIf(redisService.find() === null)(
  "the real Redis: answers, and wants a password",
  async () => {
    const services = await startServices([redisService], {});
    try {
      const url = services.redisUrl ?? "";
      const client = new Bun.RedisClient(url);
      await client.set("k", "v");
      expect(await client.get("k")).toBe("v");
      client.close();
      const bare = new URL(url);
      bare.password = "";
      const stranger = new Bun.RedisClient(bare.href, { autoReconnect: false });
      await expect(stranger.get("k")).rejects.toThrow();
      stranger.close();
    } finally {
      await services.stop();
    }
  },
);
