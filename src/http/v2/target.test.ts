import { expect, test } from "bun:test";
import { SluiceError } from "../../errors.ts";
import type { Plain } from "../../serve/plain.ts";
import type { HttpServices } from "../services.ts";
import { fakeChampion, makeWorld, NOW, servicesOf, version } from "../testing.ts";
import { withVersion } from "./target.ts";

const plain = (name: string): Plain => ({
  signature: { inputs: [{ name, kind: "tensor", type: "float32", shape: [1] }], outputs: [] },
  run: async () => ({}),
});

/** Services whose champion is 3, loaded or only registered, and whose versions are 3, 4 and 5. */
const made = (loaded: boolean) => {
  const world = makeWorld();
  world.versions = [3, 4, 5].map((number) => ({
    ...version,
    version: number,
    digest: `${number}`,
  }));
  world.champion = loaded ? { ...fakeChampion(), plain: plain("champion") } : null;
  world.pool = { use: (digest, work) => work(plain(`pool ${digest}`)) };
  const services = servicesOf(world);
  const champion = async () => ({ version: 3, digest: "3", since: NOW });
  return { ...services, promotion: { ...services.promotion, champion } };
};
const used = (services: HttpServices, wanted: string | null) =>
  withVersion(services, "btc", wanted, async ({ signature }, number) => [
    signature.inputs[0]?.name,
    number,
  ]);

test("the champion answers from its own session, however it is called", async () => {
  for (const wanted of [null, "champion", "3"]) {
    expect(await used(made(true), wanted)).toEqual(["champion", 3]);
  }
});

test("other versions come from the pool, by number or alias", async () => {
  expect(await used(made(true), "4")).toEqual(["pool 4", 4]);
  expect(await used(made(true), "challenger")).toEqual(["pool 5", 5]);
});

test("a champion that could not be loaded as a model of its kind comes from the pool too", async () => {
  for (const wanted of [null, "champion", "3"]) {
    expect(await used(made(false), wanted)).toEqual(["pool 3", 3]);
  }
});

test("without a champion the trouble is told, or that there is none yet", async () => {
  const services = made(false);
  const none = { ...services, promotion: { ...services.promotion, champion: async () => null } };
  await expect(used(none, null)).rejects.toMatchObject({ code: "not_ready", status: 503 });
  const trouble = new SluiceError({ code: "object_missing", detail: "gone" });
  const state = () => ({ champion: null, trouble });
  const champions = { ...none.champions, state };
  await expect(used({ ...none, champions }, null)).rejects.toBe(trouble);
  await expect(used(none, "9")).rejects.toMatchObject({ code: "unknown_version", status: 404 });
  await expect(used(none, "best")).rejects.toMatchObject({ code: "unknown_version", status: 404 });
});
