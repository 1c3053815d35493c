import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { sha256 } from "../store/objects.ts";
import { modelVersions, modelVersionTags } from "../store/schema.ts";
import { testDatabases } from "../store/testing.ts";
import {
  bytesOf,
  failureOf,
  HOSTILE,
  openRegistry,
  SIGNATURE,
  START,
  type TestRegistry,
} from "./fixture.ts";
import type { Gate } from "./gates.ts";

describe.each(testDatabases())("versions on $name", (on) => {
  let registry: TestRegistry;
  let versions: TestRegistry["versions"];
  beforeAll(async () => {
    registry = await openRegistry(on);
    versions = registry.versions;
  });
  afterAll(() => registry.close());

  const registration = async (name: string, text: string) => ({
    name,
    runId: await registry.newRun(name),
    bytes: bytesOf(text),
    signature: SIGNATURE,
  });

  describe("register", () => {
    test("gives a version that can be served, and the run its model.onnx", async () => {
      const wanted = await registration("btc", "model 1");
      const made = await versions.register({
        ...wanted,
        description: "first",
        tags: { trainer: "gbdt" },
      });
      expect(made).toEqual({
        name: "btc",
        version: 1,
        digest: sha256("model 1"),
        size: 7,
        signature: SIGNATURE,
        runId: wanted.runId,
        trained: true,
        createdAt: START,
        gates: [],
        aliases: [],
      });
      expect(await versions.version("btc", 1)).toEqual(made);
      const file = await registry.tracking.readArtifact(wanted.runId, "model.onnx");
      expect(Buffer.from(file).toString()).toBe("model 1");
      const { orm } = registry.database;
      const [row] = await orm.select().from(modelVersions).where(eq(modelVersions.name, "btc"));
      expect(row).toMatchObject({
        status: "READY",
        description: "first",
        source: `runs:/${wanted.runId}/model.onnx`,
      });
      expect(await orm.select().from(modelVersionTags)).toEqual([
        { name: "btc", version: 1, key: "trainer", value: "gbdt" },
      ]);
    });

    test("a step that is resumed gets the same version, also twenty at once", async () => {
      const wanted = await registration("resume", "model");
      const all = await Promise.all(Array.from({ length: 20 }, () => versions.register(wanted)));
      expect(all.map((one) => one.version)).toEqual(Array(20).fill(1));
      expect((await versions.versions("resume", { limit: 5 })).items).toHaveLength(1);
    });

    test("a run never gives other bytes under the same version", async () => {
      const wanted = await registration("fixed", "model");
      await versions.register(wanted);
      const other = await failureOf(versions.register({ ...wanted, bytes: bytesOf("other") }));
      expect(other).toMatchObject({ code: "run_has_version", status: 409 });
      expect((await versions.version("fixed", 1))?.digest).toBe(sha256("model"));
    });

    test("twenty runs at once get the numbers 1 to 20", async () => {
      const wanted = await Promise.all(
        Array.from({ length: 20 }, (_, i) => registration("many", `model ${i}`)),
      );
      const made = await Promise.all(wanted.map((one) => versions.register(one)));
      expect(made.map((one) => one.version).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
      expect(new Set(made.map((one) => one.digest)).size).toBe(20);
    });

    test("the same bytes from two runs are two versions over one object", async () => {
      const one = await versions.register(await registration("twins", "same"));
      const two = await versions.register(await registration("twins", "same"));
      expect([one.version, two.version]).toEqual([1, 2]);
      expect(one.digest).toBe(two.digest);
    });

    test("names that are none are refused everywhere", async () => {
      const wanted = await registration("fine", "model");
      for (const name of [...HOSTILE, "CON", "a".repeat(300)]) {
        for (const work of [
          () => versions.register({ ...wanted, name }),
          () => versions.version(name, 1),
          () => versions.versions(name, { limit: 1 }),
          () => versions.recordGates(name, 1, []),
          () => versions.retain(name, { newest: 0 }),
        ]) {
          expect(await failureOf(work())).toMatchObject({ code: "bad_name", status: 422 });
        }
      }
      expect((await versions.models()).map((model) => model.name)).not.toContain("fine");
    });

    test("without a complete signature there is no version and no object", async () => {
      const wanted = await registration("unsigned", "unsigned model");
      const signature = { ...SIGNATURE, outputs: [{ name: "p", dtype: "float32" }] } as never;
      const failure = await failureOf(versions.register({ ...wanted, signature }));
      expect(failure).toMatchObject({ code: "incomplete_signature", status: 422 });
      expect(await registry.objects.has(sha256("unsigned model"))).toBe(false);
    });

    test("without a run there is no version", async () => {
      const wanted = { ...(await registration("orphan", "m")), runId: "0".repeat(32) };
      const failure = await failureOf(versions.register(wanted));
      expect(failure).toMatchObject({ code: "unknown_run", status: 404 });
    });
  });

  describe("reading", () => {
    test("pages are newest first and end", async () => {
      await registry.newVersions("pages", 5);
      const first = await versions.versions("pages", { limit: 2 });
      expect(first.items.map((one) => one.version)).toEqual([5, 4]);
      const second = await versions.versions("pages", { limit: 2, before: first.next! });
      expect(second.items.map((one) => one.version)).toEqual([3, 2]);
      const last = await versions.versions("pages", { limit: 2, before: second.next! });
      expect(last).toMatchObject({ items: [{ version: 1 }], next: null });
    });

    test("a wrong token is refused, an unknown model has no versions", async () => {
      for (const keys of [[0], [1.5], ["1"], [2 ** 31], [1, 2], {}]) {
        const before = Buffer.from(JSON.stringify(keys)).toString("base64url");
        const failure = await failureOf(versions.versions("pages", { limit: 2, before }));
        expect(failure).toMatchObject({ code: "bad_token", status: 422 });
      }
      expect(await versions.versions("nobody", { limit: 2 })).toEqual({ items: [], next: null });
      expect(await versions.version("pages", 99)).toBeNull();
      expect(await versions.version("pages", 2 ** 40)).toBeNull();
    });

    test("models tell their newest version and their aliases", async () => {
      await registry.newVersions("told", 3);
      const motive = { actor: "a", reason: "b" };
      await registry.promotion.promote({ name: "told", version: 2, ...motive });
      await registry.promotion.setAlias("told", "challenger", 3, "a", "b");
      expect((await versions.models()).find((model) => model.name === "told")).toEqual({
        name: "told",
        description: null,
        createdAt: START,
        updatedAt: START,
        latest: 3,
        aliases: { challenger: 3, champion: 2 },
      });
      const page = await versions.versions("told", { limit: 3 });
      expect(page.items.map((one) => one.aliases)).toEqual([["challenger"], ["champion"], []]);
    });
  });

  describe("recordGates", () => {
    const gate = (passed: boolean): Gate => ({
      name: "no_leak",
      passed,
      detail: "0 features moved.",
      value: 0,
      accepted: "0",
    });

    test("keeps every try, the newest first", async () => {
      await registry.newVersions("gated", 1);
      await versions.recordGates("gated", 1, [gate(false)]);
      registry.clock.at = START + 1_000;
      await versions.recordGates("gated", 1, [gate(true)]);
      registry.clock.at = START;
      expect((await versions.version("gated", 1))?.gates).toEqual([
        { ...gate(true), at: "2025-07-01T00:00:01.000Z" },
        { ...gate(false), at: "2025-07-01T00:00:00.000Z" },
      ]);
    });

    test("writers at once lose nothing", async () => {
      await registry.newVersions("gated", 1);
      const writes = Array.from({ length: 10 }, () =>
        versions.recordGates("gated", 2, [gate(true), gate(false)]),
      );
      await Promise.all(writes);
      expect((await versions.version("gated", 2))?.gates).toHaveLength(20);
    });

    test("an unknown version is 404", async () => {
      const failure = await failureOf(versions.recordGates("gated", 9, [gate(true)]));
      expect(failure).toMatchObject({ code: "unknown_version", status: 404 });
    });
  });
});
