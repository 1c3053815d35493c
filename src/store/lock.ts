/*
 * The lock beside an embedded database. Two processes on one folder lose acknowledged rows without
 * an error, so the second must be refused at once. An advisory lock of the kernel (flock) is used
 * rather than a file whose age or pid is judged: it is gone the moment its holder dies, whatever
 * way it dies, and no stale lock can be taken twice.
 */
import { dlopen } from "bun:ffi";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { SluiceError } from "../errors.ts";

/** What a holder writes into the lock file, so that others can name it and talk to it. */
export interface Holder {
  readonly pid: number;
  readonly url: string | null;
}

export interface Lock {
  /** Tells others where the holder listens. */
  announce(url: string): void;
  release(): void;
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const GLANCE_MS = 100;

/** Takes the lock or throws `folder_locked` (exit code 3) naming the holder. */
export function takeLock(path: string): Lock {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // "a+" neither empties a file that another process holds nor fails when there is none.
  const fd = openSync(path, "a+", 0o600);
  if (!lockWithin(fd, GLANCE_MS)) {
    closeSync(fd);
    const holder = readHolder(path);
    throw new SluiceError({
      code: "folder_locked",
      status: 409,
      detail: `The data folder ${dirname(path)} is held by ${nameOf(holder)}.`,
      fix: "Stop that process, or set SLUICE_DATA to another folder, or use DATABASE_URL.",
    });
  }
  const write = (holder: Holder) => {
    ftruncateSync(fd, 0);
    writeSync(fd, JSON.stringify(holder), 0);
  };
  write({ pid: process.pid, url: null });
  return {
    announce: (url) => write({ pid: process.pid, url }),
    release: () => {
      ftruncateSync(fd, 0);
      closeSync(fd);
    },
  };
}

/**
 * Takes the lock, waiting a moment for it: a command that looks whether anybody holds it
 * (`lockHolder`) holds it itself for as long as the look takes.
 */
function lockWithin(fd: number, ms: number): boolean {
  const deadline = Date.now() + ms;
  for (;;) {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
    if (Date.now() >= deadline) return false;
    Bun.sleepSync(10);
  }
}

/** The live holder of a lock file, or null when nobody holds it. */
export function lockHolder(path: string): Holder | null {
  let fd: number;
  try {
    fd = openSync(path, "r+");
  } catch {
    return null;
  }
  try {
    return flock(fd, LOCK_EX | LOCK_NB) === 0 ? null : readHolder(path);
  } finally {
    // Closing also gives back the lock that the look may have taken.
    closeSync(fd);
  }
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch {
    return null;
  }
}

const nameOf = (holder: Holder | null): string =>
  holder === null
    ? "another process that has just started"
    : `process ${holder.pid}${holder.url === null ? "" : ` (listening on ${holder.url})`}`;

function flock(fd: number, operation: number): number {
  const name = process.platform === "darwin" ? "libSystem.dylib" : "libc.so.6";
  const libc = dlopen(name, { flock: { args: ["i32", "i32"], returns: "i32" } });
  try {
    return libc.symbols.flock(fd, operation);
  } finally {
    libc.close();
  }
}
