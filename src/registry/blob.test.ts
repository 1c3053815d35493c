import { describe, expect, test } from "bun:test";
import { sha256 } from "../store/objects.ts";
import { storeBytes, storeStaged } from "./blob.ts";
import { bytesOf } from "./fixture.ts";

/** A store in memory that notes what is done with it. */
function notedObjects(notes: string[]) {
  const held = new Map<string, Uint8Array>();
  return {
    held,
    put: async (bytes: Uint8Array) => {
      notes.push("put");
      held.set(sha256(bytes), bytes);
      return sha256(bytes);
    },
    has: async (digest: string) => {
      notes.push("has");
      return held.has(digest);
    },
    remove: async (digest: string) => {
      held.delete(digest);
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

describe("storeStaged", () => {
  const staged = (notes: string[]) => ({
    ...{ digest: sha256("x"), size: 1 },
    keep: async () => void notes.push("keep"),
    drop: async () => void notes.push("drop"),
  });
  const there = { has: async () => true };
  const gone = { has: async () => false };

  test("keeps, refers, looks, lets go of what was aside", async () => {
    const notes: string[] = [];
    const refer = async ({ size }: { size: number }) => notes.push(`row ${size}`);
    await storeStaged(there, staged(notes), refer);
    expect(notes).toEqual(["keep", "row 1", "drop"]);
  });

  test("bytes that were swept before the row was there are kept again", async () => {
    const notes: string[] = [];
    await storeStaged(gone, staged(notes), async () => notes.push("row"));
    expect(notes).toEqual(["keep", "row", "keep", "drop"]);
  });

  test("whatever fails, nothing stays aside", async () => {
    const notes: string[] = [];
    const refer = () => Promise.reject(new Error("no row"));
    await expect(storeStaged(there, staged(notes), refer)).rejects.toThrow("no row");
    const full = { ...staged(notes), keep: () => Promise.reject(new Error("full")) };
    await expect(storeStaged(there, full, refer)).rejects.toThrow("full");
    expect(notes).toEqual(["keep", "drop", "drop"]);
  });
});
