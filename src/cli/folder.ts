/*
 * Where things lie in the data folder, for those who look from outside without opening the app.
 */
import { join } from "node:path";
import type { Config } from "../config.ts";

/** The lock beside the embedded database: who holds it, and where the holder listens. */
export const lockPath = (config: Config): string => join(config.data, "db.lock");

/** The administrator's token, when none was configured. */
export const tokenPath = (config: Config): string => join(config.data, "admin.token");

/** The embedded database. */
export const databasePath = (config: Config): string => join(config.data, "db");
