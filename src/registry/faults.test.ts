/*
 * Registered but not loadable: each fault on the way to a version must leave no version.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded } from "../store/database.ts";
import { folderObjects, type Objects, sha256 } from "../store/objects.ts";
import { testDatabases } from "../store/testing.ts";
import { failureOf, openRegistry, SIGNATURE, type TestRegistry } from "./fixture.ts";
import { makeVersions } from "./versions.ts";

const bytes = crypto.getRandomValues(new Uint8Array(4_096));

describe.each(testDatabases())("faults of a registration on $name", (on) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openRegistry(on);
  });
  afterAll(() => registry.close());

  const registerOver = async (name: string, objects: Objects, check = async () => {}) => {
    const runId = await registry.newRun(name);
    const over = registry.versionsOver(objects, check);
    return { runId, work: over.register({ name, runId, bytes, signature: SIGNATURE }) };
  };

  /** No version, no model and no file of the run; the next try, with all well, gets number 1. */
  async function expectNothing(name: string, runId: string): Promise<void> {
    expect((await registry.versions.versions(name, { limit: 9 })).items).toEqual([]);
    expect((await registry.versions.models()).map((model) => model.name)).not.toContain(name);
    expect(await registry.tracking.artifacts(runId)).toEqual([]);
    const wanted = { name, runId, bytes, signature: SIGNATURE };
    expect((await registry.versions.register(wanted)).version).toBe(1);
    await registry.tracking.readArtifact(runId, "model.onnx");
  }

  /** A store whose bytes are damaged right after they were written and read back. */
  const damaged = (damage: (path: string) => Promise<unknown>): Objects => ({
    ...registry.objects,
    put: async (given) => {
      const digest = await registry.objects.put(given);
      await damage(join(registry.folder, digest.slice(0, 2), digest));
      return digest;
    },
  });

  test("a store that cannot be written", async () => {
    const file = join(registry.folder, "no-folder");
    await writeFile(file, "");
    const { runId, work } = await registerOver("unwritable", folderObjects(file));
    expect(await work.then(String, (thrown) => thrown.code)).toMatch(/ENOTDIR|EEXIST|unreachable/);
    await expectNothing("unwritable", runId);
  });

  test("an object cut to 300 bytes", async () => {
    const { runId, work } = await registerOver(
      "truncated",
      damaged((path) => truncate(path, 300)),
    );
    const failure = await failureOf(work);
    expect(failure.code).toBe("object_corrupt");
    expect(failure.message).toContain("300 bytes");
    await expectNothing("truncated", runId);
  });

  test("one bit that flipped", async () => {
    const flipped = Uint8Array.from(bytes);
    flipped[2_000]! ^= 0x10;
    const { runId, work } = await registerOver(
      "flipped",
      damaged((path) => writeFile(path, flipped)),
    );
    expect((await failureOf(work)).code).toBe("object_corrupt");
    await expectNothing("flipped", runId);
  });

  test("an object that is gone", async () => {
    const { runId, work } = await registerOver(
      "vanished",
      damaged((path) => rm(path)),
    );
    expect((await failureOf(work)).code).toBe("object_missing");
    await expectNothing("vanished", runId);
  });

  test("bytes that cannot be loaded", async () => {
    const { runId, work } = await registerOver("unloadable", registry.objects, async () => {
      throw new Error("the graph is invalid");
    });
    await expect(work).rejects.toThrow("the graph is invalid");
    await expectNothing("unloadable", runId);
  });

  test("the check is given what the store holds, and before there is a version", async () => {
    const seen: unknown[] = [];
    const check = async (given: Uint8Array, signature: unknown) => {
      const { items } = await registry.versions.versions("checked", { limit: 1 });
      seen.push(sha256(given), given === bytes, signature, items.length);
    };
    const runId = await registry.newRun("checked");
    const over = registry.versionsOver(registry.objects, check);
    await over.register({ name: "checked", runId, bytes, signature: SIGNATURE });
    expect(seen).toEqual([sha256(bytes), false, SIGNATURE, 0]);
  });

  test("a lease that was lost after the check", async () => {
    const runId = await registry.newRun("lost");
    const guard = () => Promise.reject(new Error("the lease was lost"));
    const wanted = { name: "lost", runId, bytes, signature: SIGNATURE, guard };
    const work = registry.versions.register(wanted);
    await expect(work).rejects.toThrow("the lease was lost");
    await expectNothing("lost", runId);
  });

  test("bytes that another replica swept before the row was there are put again", async () => {
    const runId = await registry.newRun("swept");
    let stolen = 0;
    const guard = async () => {
      stolen++;
      await registry.objects.remove(sha256("swept"));
    };
    const given = new TextEncoder().encode("swept");
    const wanted = { name: "swept", runId, bytes: given, signature: SIGNATURE, guard };
    await registry.versions.register(wanted);
    expect(stolen).toBe(1);
    await registry.objects.get(sha256("swept"));
  });
});

test("a kill between the bytes and the row leaves bytes that a sweep removes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-kill-"));
  const runId = "a".repeat(32);
  const at = (file: string) => JSON.stringify(join(import.meta.dir, file));
  const program = `
    import { openEmbedded } from ${at("../store/database.ts")};
    import { migrate } from ${at("../store/migrate.ts")};
    import { folderObjects } from ${at("../store/objects.ts")};
    import { runs } from ${at("../store/schema.ts")};
    import { makeRuns } from ${at("./runs.ts")};
    import { makeVersions } from ${at("./versions.ts")};
    const database = await openEmbedded(${JSON.stringify(join(folder, "db"))});
    await migrate(database);
    const clock = { now: () => 1 };
    const id = await makeRuns({ database, clock }).experiment("killed");
    await database.orm.insert(runs).values({ runId: "${runId}", name: "r", experimentId: id,
      status: "RUNNING", startTime: 1, artifactUri: "" });
    const objects = folderObjects(${JSON.stringify(join(folder, "objects"))});
    const check = async () => process.kill(process.pid, "SIGKILL");
    await makeVersions({ database, objects, clock, check }).register({ name: "killed",
      runId: "${runId}", bytes: new Uint8Array([1, 2, 3]),
      signature: ${JSON.stringify(SIGNATURE)} });`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "ignore", stderr: "pipe" });
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");

  const database = await openEmbedded(join(folder, "db"));
  try {
    const objects = folderObjects(join(folder, "objects"));
    const clock = { now: () => 1 };
    const versions = makeVersions({ database, objects, clock, check: async () => {} });
    expect(await versions.models()).toEqual([]);
    expect(await objects.has(sha256(new Uint8Array([1, 2, 3])))).toBe(true);
    expect(await versions.sweepOrphans({ olderThanMs: 0 })).toMatchObject({ removed: 0, kept: 1 });
    expect(await versions.sweepOrphans({ olderThanMs: 0 })).toMatchObject({ removed: 1, kept: 0 });
    const given = { name: "killed", runId, bytes: new Uint8Array([1, 2, 3]), signature: SIGNATURE };
    expect((await versions.register(given)).version).toBe(1);
  } finally {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
