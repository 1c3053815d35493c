import { describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Log } from "../log.ts";
import { WAIT_MS, until as waitUntil } from "../testing.ts";
import { openPostgres } from "./database.ts";
import { localNotices, type Notices, postgresNotices, redisNotices } from "./notices.ts";

const databaseUrl = process.env["SLUICE_TEST_DATABASE_URL"];
const redisUrl = process.env["SLUICE_TEST_REDIS_URL"];

/** A log that keeps what was warned of. */
function keptLog(): Log & { warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, info: () => {}, warn: (event) => void warnings.push(event), error: () => {} };
}

const until = (met: () => boolean | Promise<boolean>) => waitUntil(met, WAIT_MS, `${met}`, 10);

/** The notices of this file: what others say on the same server at the same time is not for it. */
const OURS = `${crypto.randomUUID()}:`;
const ours = (name: string): string => OURS + name;
/** What is said until everybody hears, and counts for nothing. */
const HELLO = ours("hello");

/** Which of ours somebody hears. */
const heardBy = (notices: Notices): string[] => {
  const heard: string[] = [];
  notices.onNotice((notice) => {
    if (notice.startsWith(OURS) && notice !== HELLO) heard.push(notice.slice(OURS.length));
  });
  return heard;
};

/** Waits until each hears what one of them says: a subscription is made after the connection. */
async function hears(...all: [Notices, ...Notices[]]): Promise<void> {
  const hearing = new Set<Notices>();
  for (const one of all) {
    one.onNotice((notice) => {
      if (notice === HELLO) hearing.add(one);
    });
  }
  await until(() => {
    all[0].publish(HELLO);
    return all.every((one) => hearing.has(one));
  });
}

/** A port on which nobody listens, and which is lent to nobody. */
const DEAD_PORT = 1;

describe("notices within this process", () => {
  test("reach every listener, in order", () => {
    const notices = localNotices();
    const lists = [heardBy(notices), heardBy(notices)];
    notices.publish(ours("btc"));
    notices.publish(ours("eth"));
    for (const heard of lists) expect(heard).toEqual(["btc", "eth"]);
    expect(notices.connected()).toBeNull();
    notices.close();
  });
});

describe("when Redis is not there", () => {
  test("a notice still reaches this process, nothing is thrown, and one warning is given", async () => {
    const log = keptLog();
    const notices = redisNotices(`redis://:hunter2@127.0.0.1:${DEAD_PORT}`, log);
    const heard = heardBy(notices);
    for (let i = 0; i < 20; i++) notices.publish(ours(`n${i}`));
    await until(() => heard.length === 20);
    expect(heard).toEqual(Array.from({ length: 20 }, (_, i) => `n${i}`));
    expect(notices.connected()).toBe(false);
    await until(() => log.warnings.length > 0);
    await Bun.sleep(500);
    expect(log.warnings).toEqual(["redis_unreachable"]);
    notices.close();
  });

  test("closing before it ever connected, and publishing after, is quiet", async () => {
    const notices = redisNotices(`redis://127.0.0.1:${DEAD_PORT}`, keptLog());
    notices.close();
    notices.publish(ours("late"));
    await Bun.sleep(100);
    expect(notices.connected()).toBe(false);
  });
});

describe.skipIf(!databaseUrl)("through Postgres", () => {
  const url = databaseUrl ?? "";
  const listening = `select pid from pg_stat_activity where application_name = 'sluice-notices'
    and datname = current_database() and query like 'listen %'`;

  test("every replica hears of it once, and again after its connection was lost", async () => {
    const database = openPostgres(url);
    const log = keptLog();
    const before = (await database.rows<{ pid: number }>(sql.raw(listening))).map(({ pid }) => pid);
    const mine = async () => {
      const rows = await database.rows<{ pid: number }>(sql.raw(listening));
      return rows.flatMap(({ pid }) => (before.includes(pid) ? [] : pid));
    };
    const replicas = [1, 2, 3].map(() => postgresNotices(url, database, log));
    try {
      const heard = replicas.map(heardBy);
      const listen = async () => (await mine()).length === replicas.length;
      await until(listen);
      replicas[0]!.publish(ours("btc"));
      await until(() => heard.every((list) => list.length === 1));

      const lost = await mine();
      for (const pid of lost) await database.rows(sql`select pg_terminate_backend(${pid})`);
      await until(async () => {
        const there = await mine();
        return there.length === replicas.length && !there.some((pid) => lost.includes(pid));
      });
      replicas[1]!.publish(ours("eth"));
      await until(() => heard.every((list) => list.length === 2));
      await Bun.sleep(50);
      for (const list of heard) expect(list).toEqual(["btc", "eth"]);
      expect([replicas[0]!.connected(), log.warnings]).toEqual([null, []]);
    } finally {
      for (const replica of replicas) replica.close();
      await database.close();
    }
  });

  test("what cannot be sent still reaches this process", async () => {
    const log = keptLog();
    const dead = `postgres://nobody:x@127.0.0.1:${DEAD_PORT}/none`;
    const rows = () => Promise.reject(new Error("the database is away"));
    const notices = postgresNotices(dead, { rows }, log);
    const heard = heardBy(notices);
    notices.publish(ours("btc"));
    await until(() => heard.length === 1 && log.warnings.length === 2);
    expect(new Set(log.warnings)).toEqual(new Set(["notices_lost"]));
    notices.close();
  });
});

describe.skipIf(!redisUrl)("through Redis", () => {
  const url = redisUrl ?? "";

  test("every replica hears of it once, the one that said it too", async () => {
    const replicas = [1, 2, 3].map(() => redisNotices(url, keptLog()));
    await until(() => replicas.every((r) => r.connected() === true));
    await hears(...(replicas as [Notices, ...Notices[]]));
    const heard = replicas.map(heardBy);
    replicas[0]!.publish(ours("btc"));
    replicas[1]!.publish(ours("eth"));
    await until(() => heard.every((list) => list.length === 2));
    await Bun.sleep(50);
    for (const list of heard) expect(list.sort()).toEqual(["btc", "eth"]);
    for (const replica of replicas) replica.close();
    await until(() => replicas.every((r) => r.connected() === false));
  });

  test("a Redis that goes away and comes back is found again", async () => {
    const target = new URL(url);
    const pairs = new Set<{ terminate(): void }>();
    let isHole = false;
    const listen = (port: number) =>
      Bun.listen<{ to: Bun.Socket | null }>({
        hostname: "127.0.0.1",
        port,
        socket: {
          async open(from) {
            pairs.add(from);
            from.data = { to: null };
            from.pause();
            from.data.to = await Bun.connect({
              hostname: target.hostname,
              port: Number(target.port),
              socket: {
                data: (_, bytes) => void (isHole || from.write(bytes)),
                close: () => void from.end(),
              },
            });
            from.resume();
          },
          data: (from, bytes) => void from.data.to?.write(bytes),
          close: (from) => {
            pairs.delete(from);
            from.data?.to?.end();
          },
        },
      });
    let proxy = listen(0);
    const { port } = proxy;
    const through = new URL(url);
    through.host = `127.0.0.1:${port}`;
    const log = keptLog();
    const far = redisNotices(through.href, log);
    const near = redisNotices(url, keptLog());
    await until(() => far.connected() === true && near.connected() === true);
    await hears(near, far);
    const [heardFar, heardNear] = [heardBy(far), heardBy(near)];

    proxy.stop(true);
    for (const socket of pairs) socket.terminate();
    await until(() => far.connected() === false);
    far.publish(ours("cut off"));
    near.publish(ours("not heard"));
    await until(() => heardFar.includes("cut off"));
    expect(new Set(log.warnings)).toEqual(new Set(["redis_unreachable"]));
    expect(heardNear).not.toContain("cut off");

    await until(() => {
      // Another process may have been lent it meanwhile: that throws, and is tried again.
      proxy = listen(port);
      return true;
    });
    await until(() => far.connected() === true);
    await hears(near, far);
    far.publish(ours("back"));
    await until(() => heardFar.includes("back") && heardNear.includes("back"));
    expect(heardFar).toEqual(["cut off", "back"]);

    // Nothing comes any more, and nobody is told.
    isHole = true;
    await until(() => far.connected() === false);
    isHole = false;
    await until(() => far.connected() === true);
    await hears(near, far);
    near.publish(ours("over"));
    await until(() => heardFar.includes("over"));
    far.close();
    near.close();
    proxy.stop(true);
  });
});
