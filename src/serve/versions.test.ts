import { expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import type { Version } from "../registry/version-rows.ts";
import type { Champion } from "./champions.ts";
import { pointer } from "./fixture.ts";
import type { Loaded } from "./loaded.ts";
import { makeServed } from "./versions.ts";

const loaded = (place: string) => ({ kind: "plain", plain: place }) as unknown as Loaded;

/** Versions 3 (champion, loaded or not), 4 and 5 (challenger) of btc, and 1 of a registered model. */
function made(isLoaded = true) {
  const state = {
    champion: isLoaded
      ? ({ ...loaded("champion"), model: "btc", version: 3, digest: "3" } as unknown as Champion)
      : null,
    trouble: null as SluiceError | null,
  };
  const world = {
    now: 0,
    lookups: [] as string[],
    there: new Map(Object.entries({ "btc@3": "3", "btc@4": "4", "btc@5": "5", "iris@1": "i" })),
    away: false,
    pointers: [pointer("btc", "champion", 3), pointer("btc", "challenger", 5)],
    state,
  };
  const served = makeServed({
    models: new Map([["btc", {}]]),
    now: () => world.now,
    champions: {
      use: (_, work) => work(state.champion!),
      state: (model) => (model === "btc" ? state : { champion: null, trouble: null }),
      pointer: (model, alias) =>
        world.pointers.find((row) => row.name === model && row.alias === alias) ?? null,
      aliases: (model) =>
        world.pointers.filter(({ name }) => name === model).map(({ alias }) => alias),
    },
    pool: { use: (digest, work) => work(loaded(`pool ${digest}`)) },
    versions: {
      version: async (name, version) => {
        const key = `${name}@${version}`;
        world.lookups.push(key);
        if (world.away) throw new Error("the database is away");
        const digest = world.there.get(key);
        return digest === undefined ? null : ({ name, version, digest } as Version);
      },
      isRegistered: async (name) => name === "iris",
    },
  });
  const used = (version: string | null, model = "btc") =>
    served.use(model, version, async (each) => [
      each.plain as unknown as string,
      `${each.model}@${each.version}`,
      each.digest,
    ]);
  return { world, used };
}

test("the champion answers from its own session, however it is called", async () => {
  const { world, used } = made();
  world.pointers.push(pointer("btc", "best", 3));
  for (const wanted of [null, "champion", "3", "best"]) {
    expect(await used(wanted)).toEqual(["champion", "btc@3", "3"]);
  }
  expect(world.lookups).toEqual([]);
});

test("other versions come from the pool, by number or alias", async () => {
  const { used } = made();
  expect(await used("4")).toEqual(["pool 4", "btc@4", "4"]);
  expect(await used("challenger")).toEqual(["pool 5", "btc@5", "5"]);
  expect(await used("1", "iris")).toEqual(["pool i", "iris@1", "i"]);
});

test("an alias asks the registry nothing, a number once a second", async () => {
  const { world, used } = made();
  for (let i = 0; i < 100; i++) {
    world.now = i;
    await used("challenger");
    await used("4");
  }
  expect(world.lookups).toEqual(["btc@4"]);
  world.now = 2_000;
  await Promise.all([used("4"), used("4"), used("4")]);
  expect(world.lookups).toEqual(["btc@4", "btc@4"]);
});

test("what was known stays known while the registry is away, and goes when it is removed", async () => {
  const { world, used } = made();
  await used("4");
  world.away = true;
  world.now = 5_000;
  expect(await used("4")).toEqual(["pool 4", "btc@4", "4"]);
  await expect(used("5")).rejects.toThrow("the database is away");
  world.away = false;
  world.there.delete("btc@4");
  world.now = 10_000;
  await expect(used("4")).rejects.toMatchObject({ code: "unknown_version", status: 404 });
});

test("a champion that could not be loaded as a model of its kind comes from the pool too", async () => {
  const { used } = made(false);
  for (const wanted of [null, "champion", "3"]) {
    expect(await used(wanted)).toEqual(["pool 3", "btc@3", "3"]);
  }
});

test("while a champion before serves on, its number and no number mean it", async () => {
  const { world, used } = made();
  world.pointers[0] = pointer("btc", "champion", 4);
  for (const wanted of [null, "champion", "3"]) expect((await used(wanted))[0]).toBe("champion");
  expect(await used("4")).toEqual(["pool 4", "btc@4", "4"]);
});

test("what is not there is told", async () => {
  const { world, used } = made(false);
  const refused = (version: string | null, model?: string) =>
    Promise.resolve(used(version, model)).then(
      () => null,
      (thrown: SluiceError) => [thrown.code, thrown.status],
    );
  expect(await refused("9")).toEqual(["unknown_version", 404]);
  expect(await refused("best")).toEqual(["unknown_version", 404]);
  for (const version of [null, "1", "best"]) {
    expect(await refused(version, "nobody")).toEqual(["unknown_model", 404]);
  }
  // Registered, and nothing of it promoted.
  expect(await refused(null, "iris")).toEqual(["not_ready", 503]);
  world.pointers = [];
  expect(await refused(null)).toEqual(["not_ready", 503]);
  world.state.trouble = new SluiceError({ code: "object_missing", detail: "gone" });
  expect(await refused("champion")).toEqual(["object_missing", 500]);
});
