/*
 * Folders and files below a root, reached by names that the disk gives and by nothing that stands in
 * a file: no dots, no address and no link leads out of it.
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../../../errors.ts";
import { unreachable } from "../faults.ts";

/** What is in a folder: places on the disk by name, in the order of names. */
export interface Listing {
  readonly folders: ReadonlyMap<string, string>;
  readonly files: ReadonlyMap<string, string>;
}

export interface Tree {
  /** Where it really is. */
  readonly root: string;
  /** Nothing of a folder that is gone, or was never there (undefined). */
  list(folder: string | undefined): Promise<Listing>;
  /** Files at any depth below a folder, by their path there. */
  below(folder: string | undefined): Promise<ReadonlyMap<string, string>>;
  /** A file's text; null where it is gone, `import_skipped` where it is too large for what it is. */
  text(file: string): Promise<string | null>;
}

const EMPTY: Listing = { folders: new Map(), files: new Map() };
/** Longer than a key with a slash after every letter. */
const DEPTH = 150;
const TEXT_BYTES = 16 * 2 ** 20;

/** Opens the root; `tell` is told of what is left out, with the reason. */
export async function openTree(
  root: string,
  tell: (what: string, why: string) => void,
): Promise<Tree> {
  const real = await realpath(root);

  async function list(folder: string | undefined): Promise<Listing> {
    if (folder === undefined) return EMPTY;
    const entries = await readdir(folder, { withFileTypes: true }).catch((thrown) =>
      absent(folder, thrown),
    );
    const [folders, files] = [new Map<string, string>(), new Map<string, string>()];
    for (const entry of (entries ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const at = join(folder, entry.name);
      if (entry.isDirectory()) folders.set(entry.name, at);
      else if (entry.isFile()) files.set(entry.name, at);
      else if (entry.isSymbolicLink()) tell(at, "it is a link, which no record of MLflow's is");
    }
    return { folders, files };
  }

  async function below(folder: string | undefined): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const waiting = folder === undefined ? [] : [{ at: folder, path: "", depth: 0 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { path, depth } = next;
      const { folders, files } = await list(next.at);
      for (const [name, at] of files) found.set(path + name, at);
      if (depth === DEPTH) continue;
      for (const [name, at] of folders) {
        waiting.push({ at, path: `${path}${name}/`, depth: depth + 1 });
      }
    }
    return found;
  }

  /** Null where it is gone, or cannot be read by whoever asks; all else ends the import. */
  function absent(at: string, thrown: unknown): null {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    if (code !== "EACCES" && code !== "EPERM") throw unreachable(at, reasonOf(thrown), thrown);
    tell(at, `it may not be read: ${reasonOf(thrown)}`);
    return null;
  }

  return {
    root: real,
    list,
    below,
    text: async (file) => {
      try {
        const { size } = await stat(file);
        if (size <= TEXT_BYTES) return await readFile(file, "utf8");
      } catch (thrown) {
        return absent(file, thrown);
      }
      tell(file, `it is larger than ${TEXT_BYTES} bytes`);
      return null;
    },
  };
}
