import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pointer } from "../registry/promotion.ts";
import { until, WAIT_MS } from "../testing.ts";
import { type Champion, type Champions, makeChampions } from "./champions.ts";
import { pointer, quietLog, tableBytes } from "./fixture.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-champions-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let open: Champions | null = null;
afterEach(async () => {
  await open?.stop();
  open = null;
});

/** Champions over pointers that a test moves; digests are the numbers of versions. */
function made(pointers: Pointer[], bytesOf = tableBytes as (number: number) => Uint8Array) {
  const world = {
    pointers,
    reads: 0,
    /** What reading waits for, when it has seen the pointers. */
    wait: async () => {},
    bytes: async (digest: string) => bytesOf(Number(digest)),
  };
  const { events, log } = quietLog();
  const champions = makeChampions({
    ...{ runtime, log, pollMs: 3_600_000 },
    objects: { get: (digest) => world.bytes(digest) },
    promotion: {
      pointers: async () => {
        world.reads++;
        const seen = [...world.pointers];
        await world.wait();
        return seen;
      },
    },
  });
  open = champions;
  return { world, champions, events };
}

/** What the champion says of x = 1, and which it is. */
const ask = (champions: Champions, model = "sum") =>
  champions.use(model, async (champion) => [champion.version, await answerOf(champion)]);

async function answerOf({ plain }: Champion): Promise<number> {
  const [output] = plain.signature.outputs;
  const x = { type: "float32" as const, shape: [1, 1], data: Float32Array.of(1) };
  const answer = await plain.run({ x }, [output!.name]);
  return Number(answer[output!.name]?.data[0]);
}

describe("champions", () => {
  test("the one that the alias names serves, and those who use the one before end in peace", async () => {
    const { world, champions } = made([pointer("sum", "champion", 1)]);
    await expect(ask(champions)).rejects.toMatchObject({ code: "not_ready", status: 503 });
    await champions.refresh();
    expect(await ask(champions)).toEqual([1, 2]);
    const gate = Promise.withResolvers<void>();
    const slow = champions.use("sum", async (champion) => {
      await gate.promise;
      return [champion.version, await answerOf(champion)];
    });
    world.pointers = [pointer("sum", "champion", 2)];
    // The swap does not wait for the slow one.
    await champions.refresh("sum");
    expect(await ask(champions)).toEqual([2, 3]);
    gate.resolve();
    expect(await slow).toEqual([1, 2]);
  });

  test("one whose alias was taken away serves nobody any more", async () => {
    const { world, champions } = made([pointer("sum", "champion", 1)]);
    await champions.refresh();
    const gate = Promise.withResolvers<void>();
    const slow = champions.use("sum", async (champion) => {
      await gate.promise;
      return answerOf(champion);
    });
    // No alias at all is left of the model: only what is held tells of it.
    world.pointers = [];
    await champions.refresh();
    await expect(ask(champions)).rejects.toMatchObject({ code: "not_ready", status: 503 });
    expect(champions.state("sum").champion).toBeNull();
    gate.resolve();
    expect(await slow).toBe(2);
  });

  test("one that cannot be loaded leaves the one before, and is tried again", async () => {
    const { world, champions, events } = made([pointer("sum", "champion", 1)]);
    await champions.refresh();
    const { bytes } = world;
    world.bytes = () => Promise.reject(new Error("the store is away"));
    world.pointers = [pointer("sum", "champion", 2)];
    await champions.refresh("sum");
    await champions.refresh("sum");
    expect(await ask(champions)).toEqual([1, 2]);
    expect(champions.state("sum").trouble).toMatchObject({ code: "champion_not_loaded" });
    world.bytes = bytes;
    await champions.refresh("sum");
    expect([await ask(champions), champions.state("sum").trouble]).toEqual([[2, 3], null]);
    // Told once, not once a try.
    expect(events).toEqual(["champion_loaded", "champion_not_loaded", "champion_loaded"]);
  });

  test("who refreshes after a move is not content with what was read before it", async () => {
    const { world, champions } = made([pointer("sum", "champion", 1)]);
    const gate = Promise.withResolvers<void>();
    world.wait = () => gate.promise;
    const early = champions.refresh();
    world.pointers = [pointer("sum", "champion", 2)];
    const late = Promise.all([champions.refresh("sum"), champions.refresh("sum")]);
    gate.resolve();
    await early;
    await late;
    expect(await ask(champions)).toEqual([2, 3]);
    // Those who wait for the same share it.
    expect(world.reads).toBe(2);
  });

  test("aliases are kept in memory, of models with a model file and without", async () => {
    const { world, champions } = made([
      ...[pointer("sum", "champion", 1), pointer("sum", "challenger", 4, "d4")],
      pointer("other", "best", 7),
    ]);
    expect([champions.aliases("sum"), champions.view().ageMs]).toEqual([[], null]);
    await champions.refresh();
    expect(champions.aliases("sum")).toEqual(["champion", "challenger"]);
    expect(champions.pointer("sum", "challenger")).toMatchObject({ version: 4, digest: "d4" });
    expect(champions.pointer("sum", "best")).toBeNull();
    expect(champions.names()).toEqual(["sum"]);
    expect([...champions.digests()]).toEqual(["1", "d4", "7"]);
    expect(champions.view().blind).toBeNull();
    world.wait = () => Promise.reject(new Error("the database is away"));
    await Bun.sleep(50);
    const begun = Date.now();
    await champions.refresh();
    const over = Date.now();
    await champions.refresh();
    // An old view serves on, and says how old it is.
    expect(champions.aliases("sum")).toEqual(["champion", "challenger"]);
    const { ageMs, blind } = champions.view();
    expect(ageMs).toBeGreaterThanOrEqual(49);
    expect(blind!.since).toBeGreaterThanOrEqual(begun);
    expect(blind!.since).toBeLessThanOrEqual(over);
    expect(champions.state("sum").trouble?.message).toContain("the database is away");
    expect(await ask(champions)).toEqual([1, 2]);
  });

  test("bytes that do not come keep nobody from the champion after", async () => {
    const { world, champions } = made([pointer("sum", "champion", 1)]);
    await champions.refresh();
    const { bytes } = world;
    const gate = Promise.withResolvers<void>();
    world.bytes = async (digest) => {
      if (digest === "2") await gate.promise;
      return bytes(digest);
    };
    world.pointers = [pointer("sum", "champion", 2)];
    const hanging = champions.refresh("sum");
    for (const version of [3, 2, 1]) {
      world.pointers = [pointer("sum", "champion", version)];
      if (version === 2) void champions.refresh("sum");
      else await champions.refresh("sum");
      if (version !== 2) expect(await ask(champions)).toEqual([version, version + 1]);
    }
    // They come at last, and nobody wants them any more.
    gate.resolve();
    await hanging;
    await Bun.sleep(50);
    expect(await ask(champions)).toEqual([1, 2]);
  });

  test("the poll finds what no notice told of", async () => {
    const { log } = quietLog();
    const pointers: Pointer[] = [];
    open = makeChampions({
      ...{ runtime, log, pollMs: 10 },
      objects: { get: async () => tableBytes(1) },
      promotion: { pointers: async () => pointers },
    });
    pointers.push(pointer("sum", "champion", 1));
    const polled = open;
    await until(() => polled.state("sum").champion !== null, WAIT_MS, "the poll has found it", 10);
    expect(await ask(open)).toEqual([1, 2]);
  });

  test("a hundred moves under a crowd: every answer is that of the version it names", async () => {
    const { world, champions } = made([pointer("sum", "champion", 1)]);
    await champions.refresh();
    let over = false;
    const wrong: unknown[] = [];
    let answers = 0;
    const crowd = Array.from({ length: 20 }, async () => {
      while (!over) {
        const [version, value] = await ask(champions);
        answers++;
        if (value !== version! + 1) wrong.push([version, value]);
        await Bun.sleep(0);
      }
    });
    for (let version = 2; version <= 101; version++) {
      world.pointers = [pointer("sum", "champion", version)];
      await champions.refresh("sum");
      expect(champions.state("sum").champion?.version).toBe(version);
    }
    over = true;
    await Promise.all(crowd);
    expect(wrong).toEqual([]);
    expect(answers).toBeGreaterThan(100);
  });
});
