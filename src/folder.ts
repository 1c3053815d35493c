/*
 * Where things lie in the data folder.
 */
import { join } from "node:path";
import type { Config } from "./config.ts";

/** The lock beside the embedded database: who holds it, and where the holder listens. */
export const lockPath = ({ data }: Pick<Config, "data">): string => join(data, "db.lock");

/** The administrator's token, when none was configured. */
export const tokenPath = ({ data }: Pick<Config, "data">): string => join(data, "admin.token");

/** The embedded database. */
export const databasePath = ({ data }: Pick<Config, "data">): string => join(data, "db");

/** Artifacts, when no S3 server keeps them. */
export const objectsPath = ({ data }: Pick<Config, "data">): string => join(data, "objects");

/** Copies of artifacts that an S3 server keeps. */
export const artifactsPath = ({ data }: Pick<Config, "data">): string => join(data, "artifacts");

/** Native libraries, unpacked from the program. */
export const nativePath = ({ data }: Pick<Config, "data">): string => join(data, "native");

/** A folder for each training under way. */
export const workPath = ({ data }: Pick<Config, "data">): string => join(data, "work");

/** Payloads of requests that are kept, where SLUICE_SAMPLE asks for it. */
export const samplesPath = ({ data }: Pick<Config, "data">): string => join(data, "samples");

/** Rows of a backup that is being taken. */
export const backupPath = ({ data }: Pick<Config, "data">): string => join(data, "backup");
