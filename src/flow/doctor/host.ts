/*
 * This machine: the data folder, who may read it, and what is left on its disk.
 */
import { access, constants, stat, statfs } from "node:fs/promises";
import type { Config } from "../../config.ts";
import { tokenPath } from "../../folder.ts";
import { bytesText, type Finding, failed, found, ok, warning } from "./finding.ts";

const FEW_BYTES = 1_000_000_000;
const NO_BYTES = 100_000_000;

/** Findings of the data folder. Windows' permissions are no such bits, so none are looked at. */
export async function hostFindings(config: Config): Promise<readonly Finding[]> {
  const { data } = config;
  const folder = await stat(data).catch(() => null);
  if (folder === null) {
    const start = "Start Sluice, or set SLUICE_DATA to the folder that is meant.";
    return [warning("data folder", `${data} is not there; the first start makes it`, start)];
  }
  return [
    ...(await found("data folder", `Set SLUICE_DATA to a folder.`, () =>
      folderFinding(data, folder),
    )),
    ...(await found("admin token", "Look at its file.", () => tokenFinding(config))),
    ...(await found("disk", "Look at the disk of SLUICE_DATA.", () => diskFinding(data))),
  ];
}

async function folderFinding(data: string, { mode }: { mode: number }): Promise<Finding> {
  const isWritable = await access(data, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isWritable) {
    const fix = `Give it to the user that runs Sluice: chown -R USER ${data}`;
    return failed("data folder", `${data} cannot be written by this user`, fix);
  }
  if ((mode & 0o077) !== 0) {
    const told = `${data} has mode ${octal(mode)}: others on this machine may read what is in it`;
    return warning("data folder", told, `chmod 700 ${data}`);
  }
  return ok("data folder", `${data} is writable, for its owner alone`);
}

async function tokenFinding(config: Config): Promise<readonly Finding[]> {
  const path = tokenPath(config);
  const file = await stat(path).catch(() => null);
  if (file !== null && (file.mode & 0o077) !== 0) {
    const told = `${path} has mode ${octal(file.mode)}: others may read the administrator's token`;
    const fix = `chmod 600 ${path}, and make a new token: remove the file and restart.`;
    return [failed("admin token", told, fix)];
  }
  if (config.adminToken !== null) return [ok("admin token", "is SLUICE_ADMIN_TOKEN")];
  if (config.databaseUrl !== null) {
    const told = "SLUICE_ADMIN_TOKEN is not set: each replica makes a token of its own";
    return [warning("admin token", told, "Set it to one secret for all replicas.")];
  }
  if (file === null) return [ok("admin token", "is made at the first start")];
  return [ok("admin token", `${path} is readable by its owner alone`)];
}

async function diskFinding(data: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(data);
  const free = bavail * bsize;
  const told = `${bytesText(free)} free where ${data} is`;
  const fix = "Make room, keep less (SLUICE_RETAIN_…), or move SLUICE_DATA to a larger disk.";
  if (free < NO_BYTES) return failed("disk", told, fix);
  return free < FEW_BYTES ? warning("disk", told, fix) : ok("disk", told);
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, "0");
