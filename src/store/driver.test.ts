/*
 * What the driver of Postgres does when a connection breaks: as released it may end the process,
 * hang, or go on with a transaction outside of it (patches/postgres@3.4.9.patch).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import { stopwatch, WAIT_MS } from "../testing.ts";
import { databaseAway } from "./away.ts";
import type { Database, Orm } from "./database.ts";
import { testDatabases } from "./testing.ts";

const real = testDatabases().find(({ name }) => name === "postgres");

describe.skipIf(real === undefined)("a connection that breaks", () => {
  let database: Database;
  const uncaught: unknown[] = [];
  const note = (thrown: unknown) => void uncaught.push(thrown);
  beforeAll(async () => {
    database = await real!.open();
    await database.orm.execute(sql`create table moves (n integer)`);
    process.on("uncaughtException", note);
  });
  afterAll(async () => {
    process.off("uncaughtException", note);
    await database.close();
  });

  const pidOf = async (within: Orm): Promise<number> =>
    (await database.rows<{ pid: number }>(sql`select pg_backend_pid() as pid`, within))[0]!.pid;
  /** Ends another connection at the server, and waits until that has come to us. */
  const sever = async (pid: number) => {
    await database.rows(sql`select pg_terminate_backend(${pid}::integer)`);
    await Bun.sleep(50);
  };
  const moves = async () =>
    (await database.rows<{ n: number }>(sql`select n from moves order by n`)).map(({ n }) => n);
  const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => null,
      (thrown) => thrown,
    );

  test("between two statements of a transaction: nothing of it is done, not even later", async () => {
    const later = Promise.withResolvers<unknown>();
    const thrown = await thrownBy(
      database.orm.transaction(async (tx) => {
        await tx.execute(sql`insert into moves values (1)`);
        await sever(await pidOf(tx));
        // Others take the connection's place in the pool.
        await Promise.all(Array.from({ length: 12 }, () => database.rows(sql`select 1`)));
        const second = tx.execute(sql`insert into moves values (2)`);
        later.resolve(thrownBy(Promise.resolve(second)));
        await second;
      }),
    );
    expect(databaseAway(thrown)?.code).toBe("database_unreachable");
    expect(databaseAway(await later.promise)?.code).toBe("database_unreachable");
    await Bun.sleep(50);
    expect(await moves()).toEqual([]);
    expect(uncaught).toEqual([]);
  });

  test("again and again under load: each statement ends, and the pool is whole after it", async () => {
    const failures: unknown[] = [];
    for (let round = 0; round < 10; round++) {
      const work = Array.from({ length: 24 }, (_, i) =>
        thrownBy(
          i % 3 === 0
            ? database.orm.transaction(async (tx) => {
                await tx.execute(sql`select pg_sleep(0.002)`);
                await tx.execute(sql`select 1`);
              })
            : database.rows(sql`select pg_sleep(0.002)`),
        ),
      );
      const killer = thrownBy(
        database.rows(sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and application_name = 'sluice'`),
      );
      failures.push(...(await Promise.all([...work, killer])).filter(Boolean));
    }
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.filter((thrown) => databaseAway(thrown) === null)).toEqual([]);
    // A connection that was left with a write of before would wait for its deadline of 10 s.
    const watch = stopwatch();
    const until = performance.now() + WAIT_MS;
    let last: unknown[] = [null];
    while (last.length > 0 && performance.now() < until) {
      // Ends that were asked for may still be under way.
      await Bun.sleep(50);
      const work = Array.from({ length: 16 }, () => thrownBy(database.rows(sql`select 1`)));
      last = (await Promise.all(work)).filter(Boolean);
    }
    expect(last).toEqual([]);
    expect(watch.ms()).toBeLessThan(watch.promised(5_000));
    expect(uncaught).toEqual([]);
  });

  test("what is asked between its error and its close ends, and the next one takes nothing of it", async () => {
    const url = new URL(process.env["SLUICE_TEST_DATABASE_URL"] ?? "");
    const sockets: Socket[] = [];
    const socket = async () => {
      const made = connect(Number(url.port || 5_432), url.hostname);
      await once(made, "connect");
      sockets.push(made);
      return made;
    };
    // The driver takes a socket that was made elsewhere; its types do not tell of it.
    const client = postgres(url.href, { max: 1, socket } as postgres.Options<never>);
    try {
      expect(await client`select 1 as n`).toMatchObject([{ n: 1 }]);
      const [broken] = sockets;
      const early = thrownBy(client`select pg_sleep(60)`.execute());
      await Bun.sleep(50);
      broken!.emit("error", new Error("read ECONNRESET"));
      expect(String(await early)).toContain("ECONNRESET");
      const between = thrownBy(client`select 2 as n`.execute());
      for (let turn = 0; turn < 9; turn++) await Promise.resolve();
      broken!.emit("close", true);
      broken!.destroy();
      expect(databaseAway(await between)?.code).toBe("database_unreachable");
      const later = [3, 4].map((n) => client`select ${n}::int as n`);
      expect(await Promise.all(later)).toMatchObject([[{ n: 3 }], [{ n: 4 }]]);
      expect(sockets).toHaveLength(2);
    } finally {
      await client.end({ timeout: 1 });
    }
  });
});
