/*
 * Which folder is a file store, and whose files are in it.
 */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { usageError } from "../../failure.ts";
import { skipped } from "../faults.ts";
import { eitherFiles, type Files, folderFiles, localPath } from "../folder-files.ts";
import type { Source } from "../source.ts";
import type { Note } from "../tally.ts";
import { findExperiments } from "./experiments.ts";
import { makeFileStoreSource } from "./source.ts";
import { openTree } from "./tree.ts";

/** Opens the store; exit code 2 where there is none. `others`: files that lie elsewhere. */
export async function openFileStore(given: string, others: Files | null): Promise<Source> {
  const path = resolve(/^file:/i.test(given) ? localPath(given) : given);
  if (!existsSync(path)) {
    throw usageError(`There is no folder "${given}".`, "Give --from with the folder mlruns.");
  }
  if (!statSync(path).isDirectory()) {
    throw usageError(
      `"${given}" is a file.`,
      `A database of SQLite is read with --from sqlite:///${given}, a file store by its folder.`,
    );
  }
  // As its own tools do: the folder that holds it will do.
  const root = existsSync(join(path, "mlruns")) ? join(path, "mlruns") : path;
  const left: Note[] = [];
  const tree = await openTree(root, (what, why) => left.push({ what, why }));
  const experiments = await findExperiments(tree, left);
  const models = (await tree.list(tree.root)).folders.get("models");
  if (experiments.length === 0 && (await tree.list(models)).folders.size === 0) {
    throw usageError(
      `"${given}" has no experiment and no model of a file store.`,
      "Where it holds files alone, the records are in a database: give --from " +
        `sqlite:///mlflow.db --artifacts ${given}.`,
    );
  }
  const own = folderFiles(
    tree.root,
    experiments.flatMap(({ id, location }) => originOf(id, location)),
  );
  const files = eitherFiles(own, others ?? noFiles(tree.root));
  return makeFileStoreSource(root, tree, experiments, files, left);
}

/** Where the root was when the experiment was made, if that can be told from where its files are. */
function originOf(id: string, location: string): string[] {
  const end = `/${id}`;
  if (/^[a-z][a-z0-9+.-]+:/i.test(location) && !/^file:/i.test(location)) return [];
  try {
    const path = /^file:/i.test(location) ? localPath(location) : location.replaceAll("\\", "/");
    return path.endsWith(end) ? [path.slice(0, -end.length)].filter((root) => root !== "") : [];
  } catch {
    return [];
  }
}

/** For files that are not in the folder of the records, where nobody has said where they are. */
function noFiles(root: string): Files {
  const refuse = (uri: string) =>
    skipped(
      `${uri} is not below ${root}: give --artifacts with the folder or bucket that holds it`,
    );
  return {
    root: "",
    place: async ({ uri }) => {
      throw refuse(uri);
    },
    // biome-ignore lint/correctness/useYield: it has none.
    files: async function* ({ uri }) {
      throw refuse(uri);
    },
    // biome-ignore lint/correctness/useYield: it has none.
    read: async function* ({ uri }) {
      throw refuse(uri);
    },
  };
}
