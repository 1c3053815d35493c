import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { sql } from "drizzle-orm";
import type { Objects } from "../store/objects.ts";
import { testDatabases } from "../store/testing.ts";
import { bytesOf, openRegistry, SIGNATURE, START, type TestRegistry } from "./fixture.ts";

const HOUR = 3_600_000;

describe.each(testDatabases())("letting go on $name", (on) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openRegistry(on);
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    await registry.database.orm.execute(sql`truncate experiments, registered_models cascade`);
    await rm(registry.folder, { recursive: true });
    registry.clock.at = START;
  });

  describe("sweepOrphans", () => {
    test("removes what no row has named for long enough, and nothing else", async () => {
      const { versions, objects, clock, tracking } = registry;
      await registry.newVersions("btc", 2);
      const runId = await registry.newRun("btc");
      const file = await tracking.logArtifact(runId, "a", bytesOf("a"));
      const orphan = await objects.put(bytesOf("nobody's"));
      expect(await versions.sweepOrphans({ olderThanMs: HOUR })).toMatchObject({
        removed: 0,
        kept: 4,
      });
      clock.at = START + HOUR - 1;
      const late = await objects.put(bytesOf("just put"));
      expect(await versions.sweepOrphans({ olderThanMs: HOUR })).toMatchObject({
        removed: 0,
        kept: 5,
      });
      clock.at = START + HOUR;
      expect(await versions.sweepOrphans({ olderThanMs: HOUR })).toMatchObject({
        removed: 1,
        kept: 4,
      });
      expect(await objects.has(orphan)).toBe(false);
      expect(await objects.has(late)).toBe(true);
      expect(await objects.has(file)).toBe(true);
      for (const number of [1, 2]) {
        await objects.get((await versions.version("btc", number))!.digest);
      }
    });

    test("bytes of a file that is no run's are named too", async () => {
      const { versions, objects, database } = registry;
      const digest = await objects.put(bytesOf("a logged model's"));
      const insert = sql`insert into files (path, digest, size, created_at)
        values ('1/models/m-1/artifacts/MLmodel', ${digest}, 1, now())`;
      await database.orm.execute(insert);
      for (let i = 0; i < 2; i++) await versions.sweepOrphans({ olderThanMs: 0 });
      expect(await objects.has(digest)).toBe(true);
      await database.orm.execute(sql`delete from files`);
      expect((await versions.sweepOrphans({ olderThanMs: 0 })).removed).toBe(0);
      expect((await versions.sweepOrphans({ olderThanMs: 0 })).removed).toBe(1);
    });

    test("an orphan that found its row is no orphan any more, and starts anew after it", async () => {
      const { versions, objects, clock, tracking } = registry;
      const runId = await registry.newRun("btc");
      const digest = await objects.put(bytesOf("found"));
      await versions.sweepOrphans({ olderThanMs: HOUR });
      await tracking.logArtifact(runId, "a", bytesOf("found"));
      clock.at = START + 2 * HOUR;
      expect(await versions.sweepOrphans({ olderThanMs: HOUR })).toMatchObject({
        removed: 0,
        kept: 1,
      });
      await tracking.logArtifact(runId, "a", bytesOf("other"));
      expect(await versions.sweepOrphans({ olderThanMs: HOUR })).toMatchObject({
        removed: 0,
        kept: 2,
      });
      expect(await objects.has(digest)).toBe(true);
    });

    test("an object that vanishes under the sweep, or is damaged, does not stop it", async () => {
      const { objects } = registry;
      const gone = await objects.put(bytesOf("gone"));
      const broken = await objects.put(bytesOf("broken"));
      await Bun.write(`${registry.folder}/${broken.slice(0, 2)}/${broken}`, "damaged");
      await objects.put(bytesOf("other"));
      const vanishing: Objects = {
        ...objects,
        list: async function* () {
          yield* objects.list();
          await objects.remove(gone);
        },
      };
      const versions = registry.versionsOver(vanishing);
      await versions.sweepOrphans({ olderThanMs: 0 });
      await objects.put(bytesOf("gone"));
      expect(await versions.sweepOrphans({ olderThanMs: 0 })).toMatchObject({
        removed: 3,
        kept: 0,
      });
      expect(await versions.sweepOrphans({ olderThanMs: 0 })).toMatchObject({
        removed: 0,
        kept: 0,
      });
    });

    test("a row that came since the list was made keeps its bytes from being touched", async () => {
      const { objects, tracking } = registry;
      const runId = await registry.newRun("btc");
      await objects.put(bytesOf("named"));
      let removals = 0;
      let sweeps = 0;
      const versions = registry.versionsOver({
        ...objects,
        list: async function* () {
          yield* objects.list();
          if (++sweeps === 2) await tracking.logArtifact(runId, "a", bytesOf("named"));
        },
        remove: async (digest) => {
          removals++;
          await objects.remove(digest);
        },
      });
      await versions.sweepOrphans({ olderThanMs: 0 });
      expect(await versions.sweepOrphans({ olderThanMs: 0 })).toMatchObject({
        removed: 0,
        kept: 1,
      });
      expect(removals).toBe(0);
    });

    test("a row that comes while its bytes are removed brings them back", async () => {
      const { objects, tracking } = registry;
      const runId = await registry.newRun("btc");
      const digest = await objects.put(bytesOf("late"));
      const racing: Objects = {
        ...objects,
        remove: async (wanted) => {
          // The row is committed and its bytes are seen; only then they go.
          await tracking.logArtifact(runId, "a", bytesOf("late"));
          await objects.remove(wanted);
        },
      };
      const versions = registry.versionsOver(racing);
      await versions.sweepOrphans({ olderThanMs: 0 });
      expect(await versions.sweepOrphans({ olderThanMs: 0 })).toMatchObject({
        removed: 0,
        kept: 1,
      });
      expect(Buffer.from(await objects.get(digest)).toString()).toBe("late");
    });
  });

  describe("retain", () => {
    const motive = { actor: "a", reason: "b" };

    test("of ten, one champion and one in use: eight go, one of them lost before", async () => {
      const { versions, objects, promotion } = registry;
      await registry.newVersions("btc", 10);
      const all = (await versions.versions("btc", { limit: 10 })).items;
      await promotion.promote({ name: "btc", version: 4, ...motive });
      await objects.remove(all.find((one) => one.version === 6)!.digest);
      const wanted = { newest: 0, inUse: new Map([[9, "Pipeline run p1 works with it."]]) };
      const first = await versions.retain("btc", wanted);
      expect(first).toEqual({
        removed: [10, 8, 7, 6, 5, 3, 2, 1],
        kept: [
          { version: 9, reason: "Pipeline run p1 works with it." },
          { version: 4, reason: "It is champion." },
        ],
      });
      for (const { digest, version } of all) {
        expect(await objects.has(digest)).toBe(version === 4 || version === 9);
      }
      expect(await versions.retain("btc", wanted)).toEqual({
        removed: [],
        kept: first.kept,
      });
      expect(
        (await versions.versions("btc", { limit: 10 })).items.map((one) => one.version),
      ).toEqual([9, 4]);
      expect(await versions.version("btc", 10)).toBeNull();
    });

    test("a number is never given again, and a run may be registered anew", async () => {
      const { versions } = registry;
      const runId = await registry.newRun("btc");
      const wanted = { name: "btc", runId, bytes: bytesOf("m"), signature: SIGNATURE };
      expect((await versions.register(wanted)).version).toBe(1);
      expect((await versions.retain("btc", { newest: 0 })).removed).toEqual([1]);
      expect(await versions.models()).toMatchObject([{ name: "btc", latest: null }]);
      expect((await versions.register(wanted)).version).toBe(2);
    });

    test("the newest stay, and so do bytes that another version has", async () => {
      const { versions, objects } = registry;
      for (let i = 0; i < 3; i++) {
        const runId = await registry.newRun("btc");
        await versions.register({
          name: "btc",
          runId,
          bytes: bytesOf("same"),
          signature: SIGNATURE,
        });
      }
      const { removed, kept } = await versions.retain("btc", { newest: 1 });
      expect(removed).toEqual([2, 1]);
      expect(kept).toEqual([{ version: 3, reason: "It is one of the newest 1." }]);
      await objects.get((await versions.version("btc", 3))!.digest);
    });

    test("a version that is being promoted is not removed under it", async () => {
      const { versions, promotion, objects } = registry;
      for (let round = 0; round < 12; round++) {
        const name = `race_${round}`;
        await registry.newVersions(name, 3);
        const [moved] = await Promise.allSettled([
          promotion.promote({ name, version: 1, ...motive }),
          versions.retain(name, { newest: 1 }),
        ]);
        const champion = await promotion.champion(name);
        if (moved.status === "fulfilled") {
          expect(await versions.version(name, 1)).toMatchObject({ digest: champion!.digest });
          await objects.get(champion!.digest);
        } else {
          expect(moved.reason).toMatchObject({ code: "unknown_version" });
          expect(champion).toBeNull();
        }
      }
    });
  });
});
