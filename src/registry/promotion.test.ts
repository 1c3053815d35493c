import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { and, eq } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import { aliases, modelVersions } from "../store/schema.ts";
import { testDatabases } from "../store/testing.ts";
import { failureOf, HOSTILE, openRegistry, START, type TestRegistry } from "./fixture.ts";
import { makePromotion } from "./promotion.ts";

const why = { actor: "admin:test", reason: "by hand" };

describe.each(testDatabases())("promotion on $name", (on) => {
  let registry: TestRegistry;
  let promotion: TestRegistry["promotion"];
  beforeAll(async () => {
    registry = await openRegistry(on);
    promotion = registry.promotion;
    await registry.newVersions("race", 21);
    await registry.newVersions("free", 20);
  });
  afterAll(() => registry.close());

  const championRows = async (name: string): Promise<number> =>
    (
      await registry.database.orm
        .select()
        .from(aliases)
        .where(and(eq(aliases.name, name), eq(aliases.alias, "champion")))
    ).length;

  describe("twenty at once", () => {
    test("that expect the same champion: one wins, the others are told who it is", async () => {
      await promotion.promote({ name: "race", version: 21, expected: null, ...why });
      const tries = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) =>
          promotion.promote({ name: "race", version: i + 1, expected: 21, ...why }),
        ),
      );
      const won = tries.filter((one) => one.status === "fulfilled").map((one) => one.value);
      expect(won).toHaveLength(1);
      expect(won[0]).toMatchObject({ previous: 21, changed: true });
      const lost = tries.filter((one) => one.status === "rejected").map((one) => one.reason);
      expect(lost).toHaveLength(19);
      for (const reason of lost) {
        expect(reason).toBeInstanceOf(SluiceError);
        expect(reason).toMatchObject({ code: "not_the_champion", status: 409 });
        expect(reason.message).toBe(
          `Version 21 was expected, but the champion of race is ${won[0]!.version}.`,
        );
      }
      expect((await promotion.champion("race"))?.version).toBe(won[0]!.version);
      expect(await promotion.history("race")).toHaveLength(2);
    });

    test("that expect nothing: twenty ordered moves, and a reader always sees one", async () => {
      const { champion } = promotion;
      await promotion.promote({ name: "free", version: 20, ...why });
      const counts = new Set<number>();
      let missing = 0;
      const reader = async (): Promise<void> => {
        for (let i = 0; i < 500; i++) {
          counts.add(await championRows("free"));
          if ((await champion("free")) === null) missing++;
        }
      };
      const reading = reader();
      const moved = await Promise.all(
        Array.from({ length: 19 }, (_, i) =>
          promotion.promote({ name: "free", version: i + 1, ...why }),
        ),
      );
      await reading;
      expect([...counts]).toEqual([1]);
      expect(missing).toBe(0);
      expect(moved.every((one) => one.changed)).toBe(true);
      const history = (await promotion.history("free", "champion")).reverse();
      expect(history).toHaveLength(20);
      expect(history.map((row) => row.id)).toEqual(
        history.map((row) => row.id).toSorted((a, b) => a - b),
      );
      // Each move starts where the one before it ended: none overwrote another unseen.
      expect(history.map((row) => row.fromVersion)).toEqual([
        null,
        ...history.slice(0, -1).map((row) => row.toVersion),
      ]);
      expect((await champion("free"))?.version).toBe(history.at(-1)!.toVersion!);
    });
  });

  describe("promote", () => {
    test("the first champion, by whom, why and since when", async () => {
      await registry.newVersions("one", 2);
      expect(await promotion.champion("one")).toBeNull();
      const moved = await promotion.promote({ name: "one", version: 1, forced: true, ...why });
      const { digest } = (await registry.versions.version("one", 1))!;
      expect(moved).toEqual({
        name: "one",
        alias: "champion",
        version: 1,
        digest,
        since: START,
        previous: null,
        changed: true,
      });
      expect(await promotion.champion("one")).toEqual({ version: 1, digest, since: START });
      const [row] = await promotion.history("one");
      expect(row).toMatchObject({
        alias: "champion",
        fromVersion: null,
        toVersion: 1,
        at: START,
        forced: true,
        ...why,
      });
      expect((await registry.versions.version("one", 1))?.aliases).toEqual(["champion"]);
    });

    test("the champion once more changes nothing", async () => {
      registry.clock.at = START + 1_000;
      const again = await promotion.promote({ name: "one", version: 1, expected: 1, ...why });
      registry.clock.at = START;
      expect(again).toMatchObject({ version: 1, since: START, previous: 1, changed: false });
      expect(await promotion.history("one")).toHaveLength(1);
    });

    test("expecting none where there is one, or one where there is none, is a conflict", async () => {
      const some = await failureOf(
        promotion.promote({ name: "one", version: 2, expected: null, ...why }),
      );
      expect(some.message).toBe("No champion was expected, but the champion of one is 1.");
      await registry.newVersions("bare", 1);
      const none = await failureOf(
        promotion.promote({ name: "bare", version: 1, expected: 4, ...why }),
      );
      expect(none).toMatchObject({ code: "not_the_champion", status: 409 });
      expect(none.message).toBe("Version 4 was expected, but model bare has no champion.");
      expect(await promotion.champion("bare")).toBeNull();
    });

    test.each([0, -1, 1.5, 99, 2 ** 31, Number.NaN])("version %p is unknown", async (version) => {
      const failure = await failureOf(promotion.promote({ name: "one", version, ...why }));
      expect(failure).toMatchObject({ code: "unknown_version", status: 404 });
    });

    test("neither is a version of a model that does not exist, nor one without bytes", async () => {
      const failure = await failureOf(promotion.promote({ name: "nobody", version: 1, ...why }));
      expect(failure).toMatchObject({ code: "unknown_version", status: 404 });
      const row = { name: "one", version: 3, source: "s3://elsewhere", status: "READY" as const };
      await registry.database.orm
        .insert(modelVersions)
        .values({ ...row, creationTime: START, lastUpdatedTime: START });
      const outside = await failureOf(promotion.promote({ name: "one", version: 3, ...why }));
      expect(outside).toMatchObject({ code: "unknown_version", status: 404 });
    });

    test("a guard that throws moves nothing", async () => {
      const guard = () => Promise.reject(new Error("the lease was lost"));
      const work = promotion.promote({ name: "one", version: 2, guard, ...why });
      await expect(work).rejects.toThrow("the lease was lost");
      expect((await promotion.champion("one"))?.version).toBe(1);
    });

    test("names that are none are refused everywhere", async () => {
      for (const name of [...HOSTILE, "CON", "a".repeat(300)]) {
        for (const work of [
          () => promotion.promote({ name, version: 1, ...why }),
          () => promotion.setAlias(name, "challenger", 1, "a", "b"),
          () => promotion.rollback({ name, actor: "a" }),
          () => promotion.champion(name),
          () => promotion.aliases(name),
          () => promotion.history(name),
        ]) {
          expect(await failureOf(work())).toMatchObject({ code: "bad_name", status: 422 });
        }
      }
    });
  });

  describe("aliases", () => {
    test("a challenger stands beside the champion, with a history of its own", async () => {
      await registry.newVersions("pair", 3);
      await promotion.promote({ name: "pair", version: 1, ...why });
      await promotion.setAlias("pair", "challenger", 2, "pipeline:p1", "trained");
      await promotion.setAlias("pair", "challenger", 3, "pipeline:p2", "trained");
      expect(await promotion.aliases("pair")).toEqual([
        { name: "pair", alias: "challenger", version: 3, since: START },
        { name: "pair", alias: "champion", version: 1, since: START },
      ]);
      const history = await promotion.history("pair", "challenger");
      expect(history.map((row) => [row.fromVersion, row.toVersion, row.actor])).toEqual([
        [2, 3, "pipeline:p2"],
        [null, 2, "pipeline:p1"],
      ]);
      expect(await promotion.history("pair")).toHaveLength(3);
      expect((await promotion.champion("pair"))?.version).toBe(1);
    });

    test("an alias that reads like a version is refused, and so is an unknown version", async () => {
      const reserved = await failureOf(promotion.setAlias("pair", "v2", 2, "a", "b"));
      expect(reserved).toMatchObject({ code: "bad_alias", status: 422 });
      const unknown = await failureOf(promotion.setAlias("pair", "challenger", 9, "a", "b"));
      expect(unknown).toMatchObject({ code: "unknown_version", status: 404 });
    });
  });

  describe("onMoved", () => {
    test("is told after the commit, once a move, and cannot undo it", async () => {
      await registry.newVersions("told", 2);
      const told: unknown[] = [];
      const { database, clock } = registry;
      const telling = makePromotion({
        database,
        clock,
        onMoved: async (...move) => {
          // What is read here over another connection is what was committed.
          told.push([...move, (await promotion.champion("told"))?.version]);
          throw new Error("nobody listens");
        },
      });
      await telling.promote({ name: "told", version: 1, ...why });
      await telling.promote({ name: "told", version: 1, ...why });
      await telling.promote({ name: "told", version: 9, ...why }).catch(() => {});
      await telling.promote({ name: "told", version: 2, ...why });
      expect(told).toEqual([
        ["told", "champion", 1, 1],
        ["told", "champion", 2, 2],
      ]);
      const loud = makePromotion({
        database,
        clock,
        onMoved: () => {
          throw new Error("at once");
        },
      });
      expect(await loud.rollback({ name: "told", actor: "a" })).toMatchObject({ version: 1 });
    });
  });

  describe("rollback", () => {
    test("goes back, further back, and then has nowhere to go", async () => {
      await registry.newVersions("back", 4);
      const empty = await failureOf(promotion.rollback({ name: "back", actor: "admin:x" }));
      expect(empty).toMatchObject({ code: "nothing_to_roll_back_to", status: 409 });
      for (const version of [1, 2, 3]) await promotion.promote({ name: "back", version, ...why });
      expect(await promotion.rollback({ name: "back", actor: "admin:x" })).toMatchObject({
        version: 2,
        previous: 3,
        changed: true,
      });
      expect(await promotion.rollback({ name: "back", actor: "admin:x" })).toMatchObject({
        version: 1,
      });
      const end = await failureOf(promotion.rollback({ name: "back", actor: "admin:x" }));
      expect(end.message).toBe(
        "There is no earlier champion to go back to: the champion of back is 1.",
      );
      const [row] = await promotion.history("back");
      expect(row).toMatchObject({
        fromVersion: 2,
        toVersion: 1,
        actor: "admin:x",
        reason: "rollback from version 2",
      });
      await promotion.promote({ name: "back", version: 4, ...why });
      expect(await promotion.rollback({ name: "back", actor: "admin:x" })).toMatchObject({
        version: 1,
      });
    });

    test("is refused when another champion was expected", async () => {
      const work = promotion.rollback({ name: "back", actor: "a", expected: 4 });
      const failure = await failureOf(work);
      expect(failure).toMatchObject({ code: "not_the_champion", status: 409 });
      expect(failure.message).toBe("Version 4 was expected, but the champion of back is 1.");
    });

    test("of many at once that expect the same champion, one goes back", async () => {
      await registry.newVersions("once", 3);
      for (const version of [1, 2, 3]) await promotion.promote({ name: "once", version, ...why });
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, () =>
          promotion.rollback({ name: "once", actor: "a", expected: 3 }),
        ),
      );
      expect(tries.filter((one) => one.status === "fulfilled")).toHaveLength(1);
      expect((await promotion.champion("once"))?.version).toBe(2);
    });

    test("passes over a version that retention has removed", async () => {
      await registry.newVersions("gone", 3);
      for (const version of [1, 2, 3]) await promotion.promote({ name: "gone", version, ...why });
      const inUse = new Map([[1, "It is kept."]]);
      expect((await registry.versions.retain("gone", { newest: 0, inUse })).removed).toEqual([2]);
      const moved = await promotion.rollback({ name: "gone", actor: "a" });
      expect(moved).toMatchObject({ version: 1, previous: 3 });
    });
  });
});
