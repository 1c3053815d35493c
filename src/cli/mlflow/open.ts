/*
 * Which source an address means.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Config, trackingAccess } from "../../config.ts";
import { openBucket } from "../../store/bucket.ts";
import { usageError } from "../failure.ts";
import type { Io } from "../io.ts";
import { makeMlflowClient } from "./client.ts";
import { openFileStore } from "./filestore/open.ts";
import { bucketFiles, type Files, folderFiles } from "./folder-files.ts";
import { makeRestSource } from "./rest/source.ts";
import { openRows, openSqlite } from "./rows.ts";
import type { Source } from "./source.ts";
import { makeTableSource } from "./tables.ts";

const ACCEPTED =
  "Give --from http://HOST:5000, or a folder of the file store as --from ./mlruns, or " +
  "--from sqlite:///mlflow.db or postgresql://… and --artifacts with the folder or the " +
  "s3://bucket/prefix of its files.";

/** Opens the source; exit code 2 for an address that means none. */
export async function openSource(
  io: Pick<Io, "environment">,
  config: Pick<Config, "s3">,
  from: string,
  artifacts: string | undefined,
): Promise<Source> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(from)?.[1]?.toLowerCase() ?? "";
  const [kind] = scheme.split("+");
  if (kind === "http" || kind === "https") {
    if (!URL.canParse(from)) throw usageError(`"${from}" is no address.`, ACCEPTED);
    if (artifacts !== undefined) {
      throw usageError("A running server gives its files itself.", "Leave --artifacts out.");
    }
    const url = new URL(from);
    const authorization = trackingAccess(io.environment, url);
    const base = `${url.origin}${url.pathname}`;
    const client = makeMlflowClient({ url: base, authorization });
    return makeRestSource(base.replace(/\/+$/, ""), client);
  }
  if (kind === "sqlite") {
    // Three slashes and a relative path, four and an absolute one, as SQLAlchemy has it.
    const path = from.replace(/^sqlite[^:]*:(\/\/)?\/?/i, "");
    const files = filesOf(config, artifacts);
    return makeTableSource(from, await openSqlite(resolve(path)), files);
  }
  if (kind === "postgresql" || kind === "postgres") {
    const url = from.replace(/^[^:]+:/, "postgres:");
    if (!URL.canParse(url)) throw usageError("--from is no address of a Postgres.", ACCEPTED);
    const { host, pathname } = new URL(url);
    const name = `postgresql://${host}${pathname}`;
    const files = filesOf(config, artifacts);
    return makeTableSource(name, await openRows(url), files);
  }
  if (kind === "" || kind === "file") {
    return openFileStore(from, artifacts === undefined ? null : filesOf(config, artifacts));
  }
  throw usageError(`--from ${shown(from)} cannot be read${why(kind ?? "")}`, ACCEPTED);
}

function filesOf({ s3 }: Pick<Config, "s3">, artifacts: string | undefined): Files {
  if (artifacts === undefined) {
    throw usageError("A database does not hold the files.", ACCEPTED);
  }
  const bucket = /^s3:\/\/([^/]+)/.exec(artifacts)?.[1];
  if (bucket === undefined) {
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(artifacts)) {
      throw usageError(`--artifacts ${artifacts} cannot be read.`, ACCEPTED);
    }
    if (!existsSync(artifacts)) throw usageError(`There is no folder "${artifacts}".`, ACCEPTED);
    return folderFiles(artifacts);
  }
  if (s3 === null) {
    throw usageError(
      `--artifacts ${artifacts} wants an S3 server, and none is configured.`,
      "Set S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY: the same server is " +
        "read from and written to.",
    );
  }
  return bucketFiles(artifacts, openBucket(s3, bucket));
}

/** What to do about sources that are none. */
const why = (kind: string): string =>
  kind === "mysql" || kind === "mssql"
    ? ": start `mlflow server` on it, and give the address of that."
    : ".";

/** Without a password. */
const shown = (from: string): string => from.replace(/\/\/[^/@]*@/, "//…@").slice(0, 200);
