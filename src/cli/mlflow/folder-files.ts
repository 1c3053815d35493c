/*
 * Files that a tracking server has left in a folder or a bucket. An address is whatever somebody
 * wrote into a database, often on another machine, so that nothing outside the root that was given
 * is ever read, not by dots and not by links.
 */
import { opendir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { reasonOf } from "../../errors.ts";
import type { Bucket } from "../../store/bucket.ts";
import { pieces } from "../../store/staged.ts";
import { brokenOff, isSkip, skipped } from "./faults.ts";
import type { GivenFile, Holder, Source } from "./source.ts";

export interface Files extends Pick<Source, "files" | "read" | "root"> {
  /** Where a holder's files are, or would be; `import_skipped` where that is not below the root. */
  place(holder: Holder): Promise<string>;
}

/**
 * Files below a folder of this machine. `origins`: where else the folder was when addresses were
 * written, as far as that is known.
 */
export function folderFiles(root: string, origins: readonly string[] = []): Files {
  const base = realpath(root);
  const top = resolve(root);

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

  const isThere = (path: string): Promise<boolean> =>
    stat(path).then(
      () => true,
      () => false,
    );

  /**
   * Where a path of the machine on which it was written is here: below the root, if it was so there
   * and the root was moved. By default the files of a run are in `EXPERIMENT/RUN/artifacts`, and the
   * experiment may have gone into the trash since.
   */
  async function moved(path: string, { of, id }: Holder): Promise<string | null> {
    const parts = path.split("/").filter((part) => part !== "");
    const own = of === "run" ? [id, "artifacts"] : ["models", id, "artifacts"];
    const experiment = parts.at(-own.length - 1) ?? "";
    const isOwn = own.every((part, at) => parts.at(at - own.length) === part);
    const ways = isOwn && /^\w[\w-]*$/.test(experiment) ? [[experiment, ...own]] : [];
    for (const origin of origins) {
      if (path.startsWith(`${origin}/`)) ways.push(path.slice(origin.length + 1).split("/"));
    }
    const all = ways.flatMap((way) => [join(top, ...way), join(top, ".trash", ...way)]);
    for (const there of all) if (await isThere(there)) return there;
    // What was never written to has no folder, where the experiment has one.
    for (const way of ways) {
      for (const at of [join(top, way[0] ?? ""), join(top, ".trash", way[0] ?? "")]) {
        if (way.length > 1 && (await isThere(at))) return join(top, ...way);
      }
    }
    return null;
  }

  async function place(holder: Holder): Promise<string> {
    const { uri } = holder;
    const proxied = proxiedPath(uri);
    if (proxied !== null) return inside(top, resolve(top, proxied));
    if (!isLocal(uri)) throw skipped(`${uri} is not in a folder`);
    const path = /^file:/i.test(uri) ? localPath(uri) : uri.replaceAll("\\", "/");
    const there = (await moved(path, holder)) ?? resolve(path);
    try {
      return inside(top, there);
    } catch {
      return inside(await base, there);
    }
  }

  return {
    root: top,
    place,
    files: async function* (holder) {
      const folder = await place(holder);
      if (await isThere(folder)) yield* below(await placed(folder), "");
    },
    read: async function* (holder, path) {
      const file = await placed(join(await place(holder), path));
      if (!(await stat(file)).isFile()) throw skipped("it is no file");
      try {
        yield* pieces(file);
      } catch (thrown) {
        throw brokenOff(reasonOf(thrown));
      }
    },
  };
}

/** Files of the first, and of the second where an address is not below the first. */
export function eitherFiles(first: Files, second: Files): Files {
  const one = async (holder: Holder): Promise<Files> => {
    // Its own server wrote them through its proxy into another folder than that of its records.
    if (proxiedPath(holder.uri) !== null) return second;
    return first.place(holder).then(
      () => first,
      (thrown) => {
        if (isSkip(thrown)) return second;
        throw thrown;
      },
    );
  };
  return {
    root: `${first.root} ${second.root}`,
    place: async (holder) => (await one(holder)).place(holder),
    files: async function* (holder) {
      yield* (await one(holder)).files(holder);
    },
    read: async function* (holder, path) {
      yield* (await one(holder)).read(holder, path);
    },
  };
}

/** A path, or `file:`; a single letter before a colon is a drive. */
const isLocal = (uri: string): boolean => /^file:/i.test(uri) || !/^[a-z][a-z0-9+.-]+:/i.test(uri);

/** The path below what a server keeps behind its proxy; null for what it does not. */
function proxiedPath(uri: string): string | null {
  return /^mlflow-artifacts:(?:\/\/[^/?#]+(?=\/)|\/\/(?=\/))?\/*([^?#]*)/.exec(uri)?.[1] ?? null;
}

/** The path; `import_skipped` where it is not below the root. */
function inside(root: string, path: string): string {
  const way = relative(root, path);
  if (way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) {
    throw skipped(`${path} is not below ${root}`);
  }
  return path;
}

/** The path of a `file:` address, of whatever system. */
export function localPath(uri: string): string {
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
    const rest =
      proxiedPath(uri) ??
      (uri === base || uri.startsWith(`${base}/`) ? uri.slice(base.length) : null);
    if (rest === null) throw skipped(`${uri} is not below ${base}, which --artifacts gives`);
    return [prefix, ...rest.split("/")].filter((part) => part !== "").join("/");
  };

  return {
    root: base,
    place: async ({ uri }) => keyOf(uri),
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
