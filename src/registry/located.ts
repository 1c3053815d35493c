/*
 * Files by the address that a version or a logged model has of them.
 */
import { and, asc, eq, like, or } from "drizzle-orm";
import type { Orm } from "../store/database.ts";
import { artifacts, files, runs } from "../store/schema.ts";
import { type Place, placeOf, proxyPath } from "./sources.ts";

/** A file: its path below the place that was asked for, its sha256 and its size in bytes. */
export interface LocatedFile {
  /** Empty where the place is the file itself. */
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** How many are looked at: a model has a few. */
const MOST = 10_000;

/** The files at an address, by path; null where nothing is kept here of such an address. */
export async function filesAt(within: Orm, location: string): Promise<LocatedFile[] | null> {
  const place = placeOf(location);
  if (place === null) return null;
  const ofRun = place.of === "run" ? place : await runOf(within, place.path);
  const [run, proxied] = await Promise.all([
    ofRun === null ? [] : runFiles(within, ofRun.runId, ofRun.path),
    proxyFiles(within, place),
  ]);
  return [...run, ...proxied].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function runFiles(within: Orm, runId: string, path: string): Promise<LocatedFile[]> {
  const rows = await within
    .select({ path: artifacts.path, digest: artifacts.digest, size: artifacts.size })
    .from(artifacts)
    .where(
      and(
        eq(artifacts.runId, runId),
        path === ""
          ? undefined
          : or(eq(artifacts.path, path), like(artifacts.path, `${escaped(path)}/%`)),
      ),
    )
    .orderBy(asc(artifacts.path))
    .limit(MOST);
  return rows.map((row) => ({ ...row, path: below(path, row.path) }));
}

/** Files that belong to no run: those of logged models. */
async function proxyFiles(within: Orm, place: Place): Promise<LocatedFile[]> {
  if (place.of === "run") return [];
  const { path } = place;
  const rows = await within
    .select({ path: files.path, digest: files.digest, size: files.size })
    .from(files)
    .where(
      path === "" ? undefined : or(eq(files.path, path), like(files.path, `${escaped(path)}/%`)),
    )
    .orderBy(asc(files.path))
    .limit(MOST);
  return rows.map((row) => ({ ...row, path: below(path, row.path) }));
}

/** The run that a path below the proxy's root is of, and the path in it. */
async function runOf(within: Orm, path: string): Promise<{ runId: string; path: string } | null> {
  const segments = path.split("/");
  for (let at = 1; at < segments.length; at++) {
    const runId = segments[at - 1]!;
    if (segments[at] !== "artifacts" || runId.startsWith("m-")) continue;
    const rows = await within
      .select({ uri: runs.artifactUri })
      .from(runs)
      .where(eq(runs.runId, runId));
    const root = segments.slice(0, at + 1).join("/");
    if (rows[0] !== undefined && proxyPath(rows[0].uri) === root) {
      return { runId, path: segments.slice(at + 1).join("/") };
    }
  }
  return null;
}

const below = (root: string, path: string): string =>
  root === "" ? path : path.slice(root.length + 1);

const escaped = (path: string): string => path.replace(/[\\%_]/g, (char) => `\\${char}`);
