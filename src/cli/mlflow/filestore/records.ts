/*
 * How the file store keeps things: a folder each with its `meta.yaml`, and a file for each key.
 */
import type { Pair } from "../../../registry/registered.ts";
import type { Json } from "../client.ts";
import { metaIn } from "./meta.ts";
import type { Listing, Tree } from "./tree.ts";

/** What a folder says that it is; null where it has no `meta.yaml`, or one that is not read. */
export async function metaOf(tree: Tree, { files }: Listing): Promise<Json | null> {
  const file = files.get("meta.yaml");
  const text = file === undefined ? null : await tree.text(file);
  return text === null ? null : metaIn(text);
}

/** Folders in a folder that say what they are, by their names. */
export async function metasIn(tree: Tree, folder: string | undefined): Promise<[string, Json][]> {
  const { folders } = await tree.list(folder);
  const all = await Promise.all(
    [...folders].map(async ([name, at]) => ({
      name,
      meta: await metaOf(tree, await tree.list(at)),
    })),
  );
  return all.flatMap(({ name, meta }): [string, Json][] => (meta === null ? [] : [[name, meta]]));
}

/** Keys and their values. */
export async function pairsBelow(tree: Tree, folder: string | undefined): Promise<Pair[]> {
  const files = await tree.below(folder);
  const all = await Promise.all(
    [...files].map(async ([key, file]) => ({ key, value: await tree.text(file) })),
  );
  return all.flatMap(({ key, value }): Pair[] => (value === null ? [] : [[key, value]]));
}
