/*
 * Files that a tracking server has left in a folder or a bucket. An address is whatever somebody
 * wrote into a database, so that nothing outside the root that was given is ever read, not by dots
 * and not by links.
 */
import { opendir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { reasonOf } from "../../errors.ts";
import type { Bucket } from "../../store/bucket.ts";
import { pieces } from "../../store/staged.ts";
import { brokenOff, skipped } from "./faults.ts";
import type { GivenFile, Source } from "./source.ts";

type Files = Pick<Source, "files" | "read" | "root">;

/** Files below a folder of this machine. */
export function folderFiles(root: string): Files {
  const base = realpath(root);

  /** The real place of a path; `import_skipped` where that is not below the root. */
  async function placed(path: string): Promise<string> {
    const real = await realpath(path).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === "ENOENT" || thrown.code === "ENOTDIR") return null;
      throw thrown;
    });
    if (real === null) throw skipped(`there is no ${path}`);
    return inside(await base, real);
  }

  async function* below(folder: string, path: string): AsyncGenerator<GivenFile> {
    for await (const entry of await opendir(folder)) {
      const here = join(folder, entry.name);
      const name = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) yield* below(here, name);
      else if (entry.isFile()) yield { path: name, size: (await stat(here)).size };
      // A link is read where it leads to a file within the root, and refused else when it is read.
      else if (entry.isSymbolicLink()) yield { path: name, size: null };
    }
  }

  const folderOf = (uri: string): string => {
    const proxied = /^mlflow-artifacts:(?:\/\/[^/?#]+(?=\/)|\/\/(?=\/))?\/*([^?#]*)/.exec(uri)?.[1];
    if (proxied !== undefined) return inside(resolve(root), resolve(root, proxied));
    if (/^file:/i.test(uri)) return localPath(uri);
    if (/^[a-z][a-z0-9+.-]+:/i.test(uri)) throw skipped(`${uri} is not in a folder`);
    return resolve(uri);
  };

  return {
    root: resolve(root),
    files: async function* ({ uri }) {
      const folder = folderOf(uri);
      // What was never written to has no folder.
      const there = await stat(folder).catch(() => null);
      if (there === null) return;
      yield* below(await placed(folder), "");
    },
    read: async function* ({ uri }, path) {
      const file = await placed(join(folderOf(uri), path));
      if (!(await stat(file)).isFile()) throw skipped("it is no file");
      try {
        yield* pieces(file);
      } catch (thrown) {
        throw brokenOff(reasonOf(thrown));
      }
    },
  };
}

/** The path; `import_skipped` where it is not below the root. */
function inside(root: string, path: string): string {
  const way = relative(root, path);
  if (way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) {
    throw skipped(`${path} is not below ${root}, which --artifacts gives`);
  }
  return path;
}

function localPath(uri: string): string {
  try {
    return fileURLToPath(uri.replace(/^file:(?!\/\/)\/*/i, "file:///"));
  } catch (thrown) {
    throw skipped(`${uri} is no path: ${reasonOf(thrown)}`);
  }
}

/** Files below a prefix of a bucket; `root` is as `s3://bucket/prefix`. */
export function bucketFiles(root: string, bucket: Bucket): Files {
  const base = root.replace(/\/+$/, "");
  const [, prefix = ""] = /^s3:\/\/[^/]+\/?(.*)$/.exec(base) ?? [];

  const keyOf = (uri: string): string => {
    const proxied = /^mlflow-artifacts:(?:\/\/[^/?#]+(?=\/)|\/\/(?=\/))?\/*([^?#]*)/.exec(uri)?.[1];
    const rest =
      proxied ?? (uri === base || uri.startsWith(`${base}/`) ? uri.slice(base.length) : null);
    if (rest === null) throw skipped(`${uri} is not below ${base}, which --artifacts gives`);
    return [prefix, ...rest.split("/")].filter((part) => part !== "").join("/");
  };

  return {
    root: base,
    files: async function* ({ uri }) {
      const folder = `${keyOf(uri)}/`;
      for await (const { key, size } of bucket.below(folder)) {
        const path = key.slice(folder.length);
        if (path !== "" && !path.endsWith("/")) yield { path, size };
      }
    },
    read: async function* ({ uri }, path) {
      try {
        yield* bucket.read(`${keyOf(uri)}/${path}`);
      } catch (thrown) {
        throw brokenOff(reasonOf(thrown));
      }
    },
  };
}
