/*
 * What the embedded database is made of: its code, its files, and the image of a new one. Other
 * threads read and compile them, so that a start begins with it and does all else meanwhile.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readAsset } from "../assets.ts";

export interface Parts {
  readonly code: Promise<WebAssembly.Module>;
  readonly files: Promise<Blob>;
  /** A tar; null where the database is there already. */
  readonly image: Promise<Uint8Array<ArrayBuffer>> | null;
}

export const hasDatabase = (folder: string): boolean => existsSync(join(folder, "PG_VERSION"));

let begun: { readonly folder: string; readonly parts: Parts } | null = null;

/** Begins to read what `takeParts` gives of that folder; nothing is written. */
export function beginParts(folder: string): void {
  begun = { folder, parts: readParts(folder) };
}

/** The parts for the database in that folder, as begun before, or begun now. They are given once. */
export function takeParts(folder: string): Parts {
  const parts = begun?.folder === folder ? begun.parts : readParts(folder);
  begun = null;
  return parts;
}

function readParts(folder: string): Parts {
  const parts = {
    code: readAsset("pgliteWasm").then((bytes) => WebAssembly.compile(bytes)),
    files: readAsset("pgliteData").then((bytes) => new Blob([bytes])),
    image: hasDatabase(folder) ? null : readAsset("cluster"),
  };
  // Where the start fails before it takes them, nobody is told.
  for (const part of Object.values(parts)) part?.catch(() => {});
  return parts;
}
