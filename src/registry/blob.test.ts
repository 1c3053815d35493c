import { describe, expect, test } from "bun:test";
import { type Objects, sha256 } from "../store/objects.ts";
import { storeBytes } from "./blob.ts";
import { bytesOf } from "./fixture.ts";

/** A store in memory that notes what is done with it. */
function notedObjects(notes: string[]): Objects & { readonly held: Map<string, Uint8Array> } {
  const held = new Map<string, Uint8Array>();
  return {
    held,
    put: async (bytes) => {
      notes.push("put");
      held.set(sha256(bytes), bytes);
      return sha256(bytes);
    },
    get: async (digest) => held.get(digest)!,
    has: async (digest) => {
      notes.push("has");
      return held.has(digest);
    },
    remove: async (digest) => {
      held.delete(digest);
    },
    list: async function* () {
      yield* held.keys();
    },
  };
}

describe("storeBytes", () => {
  const bytes = bytesOf("model");

  test("stores, then refers, then looks once more, and gives what the row gave", async () => {
    const notes: string[] = [];
    const refer = async (digest: string) => {
      notes.push(`row ${digest === sha256(bytes)}`);
      return 7;
    };
    expect(await storeBytes(notedObjects(notes), bytes, refer)).toBe(7);
    expect(notes).toEqual(["put", "row true", "has"]);
  });

  test("without stored bytes there is no row", async () => {
    const notes: string[] = [];
    const full = { ...notedObjects(notes), put: () => Promise.reject(new Error("full")) };
    const refer = async () => notes.push("row");
    await expect(storeBytes(full, bytes, refer)).rejects.toThrow("full");
    expect(notes).toEqual([]);
  });

  test("without a row the bytes are left alone", async () => {
    const notes: string[] = [];
    const refer = () => Promise.reject(new Error("no row"));
    await expect(storeBytes(notedObjects(notes), bytes, refer)).rejects.toThrow("no row");
    expect(notes).toEqual(["put"]);
  });

  test("bytes that were swept before the row was there are put again", async () => {
    const objects = notedObjects([]);
    await storeBytes(objects, bytes, objects.remove);
    expect([...objects.held.keys()]).toEqual([sha256(bytes)]);
  });

  test("a store that cannot be asked in the end does not take the row back", async () => {
    const objects = notedObjects([]);
    const silent = { ...objects, has: () => Promise.reject(new Error("no answer")) };
    expect(await storeBytes(silent, bytes, async () => "row")).toBe("row");
  });
});
