/*
 * Reading a backup file: whole and checked once, then part by part.
 */
import { createTarDecoder } from "modern-tar";
import { reasonOf } from "../../errors.ts";
import {
  damaged,
  MANIFEST,
  type Manifest,
  objectPart,
  type Part,
  parseManifest,
  rowsPart,
  SUMS,
} from "./manifest.ts";
import { sumsOf } from "./take.ts";

/** What a backup tells of itself may not be larger. */
const MOST_TEXT = 256 * 1024 * 1024;

/**
 * Reads every byte and returns the manifest. Throws `backup_damaged` unless each part is there
 * once, with the size and the sha256 that it had; `backup_too_new` for a newer format.
 */
export async function checkBackup(path: string): Promise<Manifest> {
  const found: Part[] = [];
  const texts = new Map<string, string>();
  const look = async (name: string, body: Body): Promise<void> => {
    const isText = name === MANIFEST || name === SUMS;
    const hash = new Bun.CryptoHasher("sha256");
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      hash.update(chunk);
      size += chunk.byteLength;
      if (isText && size <= MOST_TEXT) chunks.push(chunk);
    }
    if (isText) texts.set(name, Buffer.concat(chunks).toString());
    found.push({ name, size, sha256: hash.digest("hex") });
  };
  await eachPart(path, look).catch((thrown) => {
    throw isSystem(thrown) ? thrown : damaged(path, reasonOf(thrown).replace(/\.$/, ""));
  });
  const text = texts.get(MANIFEST);
  const sums = texts.get(SUMS);
  if (text === undefined) throw damaged(path, `it has no ${MANIFEST}`);
  const manifest = parseManifest(text, path);
  if (sums === undefined || found.at(-1)?.name !== SUMS) throw damaged(path, "its end is missing");
  const own = found.filter(({ name }) => name !== SUMS && name !== MANIFEST);
  compare(path, own, manifest.parts);
  if (sumsOf(found.slice(0, -1)) !== sums) throw damaged(path, `${SUMS} and its parts differ`);
  assertHolds(path, manifest);
  return manifest;
}

function compare(path: string, found: readonly Part[], told: readonly Part[]): void {
  const at = found.findIndex(({ name, size, sha256 }, i) => {
    const other = told[i];
    return other?.name !== name || other.size !== size || other.sha256 !== sha256;
  });
  const name = found[at]?.name ?? told[found.length]?.name;
  if (name === undefined) return;
  throw damaged(path, `the part ${name} is not as ${MANIFEST} says`);
}

/** Whether there is a part for each table and as many objects as it says. */
function assertHolds(path: string, { tables, parts, objects }: Manifest): void {
  const names = new Set(parts.map(({ name }) => name));
  const absent = tables.find(({ name }) => !names.has(rowsPart(name)));
  if (absent !== undefined) throw damaged(path, `the rows of ${absent.name} are missing`);
  const stored = parts.filter(({ name, sha256 }) => name === objectPart(sha256));
  if (stored.length !== objects) throw damaged(path, "objects are missing");
}

type Body = AsyncIterable<Uint8Array>;

/**
 * Calls back for each part in order. A body that is not read is passed over by reading it: one that
 * is cancelled can leave the decoder waiting for ever.
 */
export async function eachPart(
  path: string,
  use: (name: string, body: Body) => Promise<void>,
): Promise<void> {
  const decoder = createTarDecoder({ strict: true });
  for await (const { header, body } of Bun.file(path).stream().pipeThrough(decoder)) {
    await use(header.name, body);
    if (!body.locked) for await (const _ of body);
  }
}

/** An error of the disk tells of itself; any other says that the bytes are no tar file. */
const isSystem = (thrown: unknown): boolean =>
  typeof (thrown as { code?: unknown } | null)?.code === "string";
