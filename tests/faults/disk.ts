/*
 * A disk that can be full: a small file system in memory, shrunk to what it holds.
 */
import { mkdirSync, statfsSync } from "node:fs";

export interface Disk {
  readonly folder: string;
  /** Leaves no room for another page; false where the disk is not ours to fill. */
  fill(): boolean;
  free(): void;
  close(): void;
}

const ROOM_BYTES = 1 << 30;

function run(...command: string[]): string | null {
  const { exitCode, stderr } = Bun.spawnSync(command);
  return exitCode === 0 ? null : stderr.toString().trim() || `${command[0]} ended ${exitCode}`;
}

/** Why no file system can be mounted here, or null where it can. */
export function whyNoDisk(folder: string): string | null {
  if (process.platform !== "linux") return "no tmpfs on this system";
  if (process.getuid?.() !== 0) return "only root may mount a tmpfs";
  mkdirSync(folder, { recursive: true });
  const fault = run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder);
  return fault ?? run("umount", folder);
}

/** A folder on a disk of its own, or an ordinary one where none can be had. */
export function openDisk(folder: string, isOwn: boolean): Disk {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (!isOwn) return { folder, fill: () => false, free: () => {}, close: () => {} };
  const must = (...command: string[]) => {
    const fault = run(...command);
    if (fault !== null) throw new Error(fault);
  };
  must("mount", "-t", "tmpfs", "-o", `size=${ROOM_BYTES},mode=755`, "tmpfs", folder);
  const resize = (bytes: number) => run("mount", "-o", `remount,size=${bytes}`, folder);
  return {
    folder,
    fill: () => {
      // Somebody may write between the look and the shrinking, which is then refused.
      for (let tries = 0; tries < 20; tries++) {
        const { blocks, bfree, bsize } = statfsSync(folder);
        if (resize(Math.max(1, blocks - bfree) * bsize) === null) return true;
      }
      return false;
    },
    free: () => must("mount", "-o", `remount,size=${ROOM_BYTES}`, folder),
    // Lazily: the processes that wrote here may take a moment to end.
    close: () => void run("umount", "-l", folder),
  };
}
