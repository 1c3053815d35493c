/*
 * Champions and versions under hard use: many promotions at once, processes killed in the middle of
 * one, and every fault on the way from trained bytes to a version.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { Client } from "minio";
import { guarded } from "../scripts/services/process.ts";
import { SluiceError } from "../src/errors.ts";
import { recordedBefore, recordRun } from "../src/flow/record.ts";
import { bytesOf, SIGNATURE, testClock } from "../src/registry/fixture.ts";
import { makePromotion } from "../src/registry/promotion.ts";
import { makeTracking } from "../src/registry/tracking.ts";
import { makeVersions } from "../src/registry/versions.ts";
import { removeAsides } from "../src/store/asides.ts";
import type { Database } from "../src/store/database.ts";
import { folderObjects, type Objects, s3Objects, sha256 } from "../src/store/objects.ts";
import { makePipelineRuns } from "../src/store/pipeline-runs.ts";
import { stopwatch, until } from "../src/testing.ts";
import {
  databaseIn,
  type OpenDatabases,
  type OpenPlace,
  objectsIn,
  openDatabases,
  openPlace,
  type Place,
} from "./shared.ts";
import type { Work } from "./shared-victim.ts";
import { stores } from "./stores.ts";

const told = [...stores()];
const why = { actor: "admin:test", reason: "by hand" };
const clock = testClock();

/** A registry over stores. */
const registryOver = (database: Database, objects: Objects) => {
  const deps = { database, objects, clock };
  const check = async () => {};
  return { tracking: makeTracking(deps), versions: makeVersions({ ...deps, check }) };
};
type Registry = ReturnType<typeof registryOver>;

/** A training that is recorded as the pipelines do, and its version. */
const train = ({ tracking, versions }: Registry, name: string, bytes: Uint8Array) => {
  const about = {
    ...{ model: name, name: `training of ${name}`, pipelineRunId: `of ${name}` },
    startedAt: Date.now(),
  };
  return recordRun(about, tracking, ({ runId }) =>
    versions.register({ name, runId, bytes, signature: SIGNATURE }),
  );
};

const runsOf = async ({ tracking }: Registry, name: string) =>
  Promise.all(
    (await tracking.runsOfPipelineRun(`of ${name}`)).map(({ runId }) => tracking.run(runId)),
  );

/** What a reader sees as champions. */
const championsOf = async (database: Database, name: string): Promise<number[]> => {
  const rows = await database.rows<{ version: number }>(
    sql`select version from aliases where name = ${name} and alias = 'champion'`,
  );
  return rows.map(({ version }) => version);
};

/** Starts a process that will be killed in the middle of its work. */
function victim(work: Work, place: Place) {
  const script = join(import.meta.dir, "shared-victim.ts");
  const command = [process.execPath, script, work, JSON.stringify(place)];
  const child = Bun.spawn(guarded(command, "SIGKILL"), {
    ...{ stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  });
  const said = new Response(child.stdout).text();
  return {
    kill: () => child.kill("SIGKILL"),
    /** What it said before it was killed. */
    killed: async () => {
      await child.exited;
      expect(child.signalCode).toBe("SIGKILL");
      return said;
    },
  };
}
describe.each(told)("promotions on %s (R1)", (store) => {
  let databases: OpenDatabases;
  beforeAll(async () => {
    databases = await openDatabases(store, 3);
  });
  afterAll(() => databases.close());

  test("of twenty at once each is one step: one champion at every look, losers are told", async () => {
    const [reader] = databases.all;
    const registry = registryOver(reader, inMemory());
    for (let i = 1; i <= 21; i++) await train(registry, "btc", bytesOf(`version ${i}`));
    const replicas = databases.all.map((database) => makePromotion({ database, clock }));
    const [first] = replicas;
    await first!.promote({ name: "btc", version: 21, expected: null, ...why });

    const losers: number[] = [];
    /** One expects the champion of before; who loses is told, and insists. */
    const contend = async (version: number) => {
      const { promote } = replicas[version % replicas.length]!;
      try {
        return await promote({ name: "btc", version, expected: 21, ...why });
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SluiceError);
        expect(thrown).toMatchObject({ code: "not_the_champion", status: 409 });
        losers.push(version);
        return promote({ name: "btc", version, ...why });
      }
    };
    const seen: number[] = [];
    const counts = new Set<number>();
    const reading = (async () => {
      for (let i = 0; i < 1_000; i++) {
        const rows = await championsOf(reader, "btc");
        counts.add(rows.length);
        if (rows[0] !== undefined && rows[0] !== seen.at(-1)) seen.push(rows[0]);
      }
    })();
    const moved = await Promise.all(Array.from({ length: 20 }, (_, i) => contend(i + 1)));
    await reading;

    expect([...counts]).toEqual([1]);
    expect(moved.every(({ changed }) => changed)).toBe(true);
    // Of the twenty that expect the same champion one wins.
    expect(losers).toHaveLength(19);
    const history = (await first!.history("btc", "champion")).toReversed();
    expect(history.map(({ id }) => id)).toEqual(
      history.map(({ id }) => id).toSorted((a, b) => a - b),
    );
    const [begin, ...audit] = history;
    expect([begin!.fromVersion, begin!.toVersion]).toEqual([null, 21]);
    expect(audit).toHaveLength(20);
    expect(audit.map(({ toVersion }) => toVersion!).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    expect(audit.map(({ fromVersion }) => fromVersion)).toEqual(
      history.slice(0, -1).map(({ toVersion }) => toVersion),
    );
    // What the reader saw is that order, with some left out.
    const places = seen.map((version) => history.findIndex((row) => row.toVersion === version));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(await championsOf(reader, "btc")).toEqual([history.at(-1)!.toVersion!]);
  }, 600_000);
});

describe.each(told)("a promotion whose process is killed on %s (R1)", (store) => {
  test("has been as a whole or not at all, and the next goes on", async () => {
    const { place, close } = await openPlace(store);
    try {
      await victim("between", place).killed();
      // The next process sees the champion of before, and no half a move; it dies once it has moved.
      const said = await victim("committed", place).killed();
      expect(JSON.parse(said)).toEqual({ version: 1, moves: 1 });
      const database = await databaseIn(place);
      try {
        const promotion = makePromotion({ database, clock });
        expect(await championsOf(database, "killed")).toEqual([2]);
        const moves = (await promotion.history("killed")).map((row) => row.toVersion);
        expect(moves).toEqual([2, 1]);
        await promotion.promote({ name: "killed", version: 1, expected: 2, ...why });
        expect(await championsOf(database, "killed")).toEqual([1]);
      } finally {
        await database.close();
      }
    } finally {
      await close();
    }
  }, 600_000);
});

/** Objects in memory, for what is not about them. */
function inMemory(): Objects {
  const held = new Map<string, Uint8Array>();
  return {
    put: async (bytes) => {
      held.set(sha256(bytes), bytes);
      return sha256(bytes);
    },
    get: async (digest) => held.get(digest)!,
    has: async (digest) => held.has(digest),
    remove: async (digest) => void held.delete(digest),
    list: async function* () {
      yield* held.keys();
    },
    stage: () => Promise.reject(new Error("Nothing comes in pieces here.")),
    aside: async () => null,
    size: async (digest) => held.get(digest)!.length,
    read: async function* (digest) {
      yield held.get(digest)!;
    },
    direct: null,
  };
}

describe.each(told)("from trained bytes to a version on %s (R3)", (store) => {
  const bytes = crypto.getRandomValues(new Uint8Array(4_000_000));
  let open: OpenPlace;
  let database: Database | null = null;
  let registry: Registry;
  beforeAll(async () => {
    open = await openPlace(store);
  });
  afterAll(async () => {
    await database?.close();
    await open.close();
  });
  /** Opened when the processes that are killed have ended: an embedded one is one process's. */
  const opened = async (): Promise<Database> => {
    database ??= await databaseIn(open.place);
    registry = registryOver(database, objectsIn(open.place));
    return database;
  };

  /** Nothing is left of a model but its failed trainings; another try gets the first version. */
  async function expectNothing(name: string, code: string, work: Promise<unknown>): Promise<void> {
    const watch = stopwatch();
    const thrown = await work.then(
      () => null,
      (reason) => reason,
    );
    expect([name, thrown?.code]).toEqual([name, code]);
    // None waits for ever for a store that has gone.
    expect(watch.ms()).toBeLessThan(watch.promised(45_000));
    expect((await registry.versions.versions(name, { limit: 9 })).items).toEqual([]);
    expect((await registry.versions.models()).map((model) => model.name)).not.toContain(name);
    for (const run of await runsOf(registry, name)) {
      expect(run).toMatchObject({ status: "FAILED", statusMessage: expect.stringMatching(/./) });
      expect(run?.artifacts).toEqual([]);
    }
    const { version } = await train(registry, name, bytes);
    expect(version.version).toBe(1);
    expect(await objectsIn(open.place).get(version.digest)).toHaveLength(bytes.length);
  }

  test("killed while it uploads, or before the row: no version, and what is left goes", async () => {
    const { place } = open;
    const proxy = place.s3 === null ? null : await openStall(new URL(place.s3.endpoint));
    const first = victim("uploading", {
      ...place,
      s3: place.s3 && { ...place.s3, endpoint: proxy!.url },
    });
    await until(() => proxy?.isStalled() ?? asidesIn(place) > 0, 60_000, "it uploads", 1);
    first.kill();
    await first.killed();
    proxy?.close();
    await victim("stored", place).killed();

    const runs = makePipelineRuns(await opened(), clock);
    const { tracking, versions } = registry;
    expect(await versions.models()).toEqual([]);
    const lost = await runs.freeLost(() => true);
    expect(lost.map(({ pipeline }) => pipeline).toSorted()).toEqual(["stored", "uploading"]);
    for (const { id, pipeline } of lost) {
      // Whoever takes the run up finds no version, and ends the training that was left.
      expect(await recordedBefore(pipeline, id, registry)).toBeNull();
      const [training] = await tracking.runsOfPipelineRun(id);
      expect(training).toMatchObject({ status: "FAILED", statusMessage: "The worker was lost." });
    }
    const stored = sha256(bytesOf("stored"));
    const objects = objectsIn(place);
    expect(await objects.has(stored)).toBe(true);
    for (let i = 0; i < 2; i++) await versions.sweepOrphans({ olderThanMs: 0 });
    await removeAsides(join(place.folder, "objects"), 0);
    expect(await Array.fromAsync(objects.list())).toEqual([]);
    expect(asidesIn(place)).toBe(0);
  }, 600_000);

  /** The stores, with bytes that are damaged right after they were written and read back. */
  const damaged = async (damage: (digest: string) => Promise<unknown>): Promise<Registry> => {
    const objects = objectsIn(open.place);
    return registryOver(await opened(), {
      ...objects,
      put: async (given) => {
        const digest = await objects.put(given);
        await damage(digest);
        return digest;
      },
    });
  };

  test("cut to 300 bytes, one bit flipped, gone: a failed training and no version", async () => {
    const flipped = Uint8Array.from(bytes);
    flipped[2_000]! ^= 0x10;
    const faults = [
      ["cut", "object_corrupt", bytes.subarray(0, 300)],
      ["flipped", "object_corrupt", flipped],
      ["gone", "object_missing", null],
    ] as const;
    for (const [name, code, left] of faults) {
      const faulty = await damaged((digest) => overwrite(open.place, digest, left));
      await expectNothing(name, code, train(faulty, name, bytes));
    }
  }, 600_000);

  test("no bucket, no folder, an upload that breaks off: the same, and no wait for ever", async () => {
    const { place } = open;
    const there = await opened();
    const unreachable = "object_store_unreachable";
    if (place.s3 === null) {
      const file = join(place.folder, "a-file");
      writeFileSync(file, "");
      const faulty = registryOver(there, folderObjects(file));
      await expectNothing("no-folder", unreachable, train(faulty, "no-folder", bytes));
      return;
    }
    const proxy = await openStall(new URL(place.s3.endpoint));
    try {
      const faulty = registryOver(there, s3Objects({ ...place.s3, endpoint: proxy.url }));
      const work = train(faulty, "broken-off", bytes);
      await until(proxy.isStalled, 60_000, "it uploads", 1);
      proxy.cut();
      await expectNothing("broken-off", unreachable, work);
    } finally {
      proxy.close();
    }
    // The bucket goes while the program knows that it was there.
    const client = clientOf(place);
    const bucket = { ...place.s3, bucket: `${place.s3.bucket}-gone` };
    registry = registryOver(there, s3Objects(bucket));
    const { version } = await train(registry, "before", bytesOf("before"));
    await client.removeObject(bucket.bucket, keyOf(version.digest));
    await client.removeBucket(bucket.bucket);
    const thrown = await train(registry, "no-bucket", bytes).catch((reason) => reason);
    expect(thrown).toMatchObject({ code: unreachable, status: 503 });
    expect((await registry.versions.versions("no-bucket", { limit: 9 })).items).toEqual([]);
    expect((await runsOf(registry, "no-bucket")).map((run) => run?.status)).toEqual(["FAILED"]);
    // And the next try makes it anew.
    expect((await train(registry, "no-bucket", bytes)).version.version).toBe(1);
  }, 600_000);
});

const keyOf = (digest: string): string => `${digest.slice(0, 2)}/${digest}`;

function clientOf({ s3 }: Place): Client {
  const { hostname, port } = new URL(s3!.endpoint);
  const { accessKey, secretKey } = s3!;
  return new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey,
    secretKey,
  });
}

/** Puts other bytes under a digest, by hand, or none. */
async function overwrite(place: Place, digest: string, bytes: Uint8Array | null): Promise<void> {
  if (place.s3 !== null) {
    const client = clientOf(place);
    if (bytes === null) await client.removeObject(place.s3.bucket, keyOf(digest));
    else await client.putObject(place.s3.bucket, keyOf(digest), Buffer.from(bytes), bytes.length);
    return;
  }
  const path = join(place.folder, "objects", keyOf(digest));
  if (bytes === null) rmSync(path);
  else writeFileSync(path, bytes);
}

/** Files that are being written, or were when their writer died. */
function asidesIn({ folder }: Place): number {
  const objects = join(folder, "objects");
  mkdirSync(objects, { recursive: true });
  return readdirSync(objects, { recursive: true }).filter((name) => /\/\w{64}\./.test(String(name)))
    .length;
}

const STALL_BYTES = 1_000_000;

/** A way to a server that lets a megabyte through and then neither goes on nor ends. */
async function openStall(to: URL) {
  let stalled = false;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const other = connect(Number(to.port), to.hostname);
    let passed = 0;
    for (const each of [socket, other]) {
      sockets.add(each);
      each.on("error", () => {});
    }
    socket.on("close", () => other.destroy());
    other.on("close", () => socket.destroy());
    other.pipe(socket);
    socket.on("data", (chunk) => {
      passed += chunk.length;
      if (passed < STALL_BYTES) other.write(chunk);
      else stalled = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    isStalled: () => stalled,
    /** Ends every connection. */
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
}
