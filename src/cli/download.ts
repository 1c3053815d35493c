/*
 * Getting a file that a model file names: bounded in size and time, from its own host only, and
 * thrown away unless its bytes are the ones that were promised.
 */
import { open, rm } from "node:fs/promises";
import { reasonOf, SluiceError } from "../errors.ts";
import { inTime } from "../late.ts";

export interface Download {
  readonly url: string;
  readonly sha256: string;
  /** Where the bytes go; removed again when they are not the promised ones. */
  readonly to: string;
  readonly mostBytes?: number;
  /** How long nothing may come. */
  readonly silenceMs?: number;
  /** How long it may take in all. */
  readonly deadlineMs?: number;
  /** Told of bytes that have come, and of how many there will be where that is known. */
  readonly onProgress?: (bytes: number, of: number | null) => void;
}

const MOST_BYTES = 256 * 1024 * 1024;
const SILENCE_MS = 30_000;
const DEADLINE_MS = 30 * 60_000;
const MOST_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Downloads to a file. Throws `download_failed`, `download_redirected` (a redirect to another
 * host, or from https to http) or `digest_mismatch`; nothing is left of the file then.
 */
export async function download(wanted: Download): Promise<void> {
  const { url, to, deadlineMs = DEADLINE_MS } = wanted;
  const overall = AbortSignal.timeout(deadlineMs);
  try {
    const found = await written(wanted, await opened(url, overall));
    if (found !== wanted.sha256) throw mismatch(url, wanted.sha256, found);
  } catch (thrown) {
    await rm(to, { force: true });
    if (thrown instanceof SluiceError) throw thrown;
    throw failed(url, overall.aborted ? `not done in ${deadlineMs / 1000} s` : reasonOf(thrown));
  }
}

/** The answer that has the bytes, after redirects within the host. */
async function opened(first: string, overall: AbortSignal): Promise<Response> {
  let url = new URL(first);
  for (let hops = 0; ; hops++) {
    const response = await fetch(url, {
      redirect: "manual",
      headers: { accept: "*/*", "accept-encoding": "identity" },
      signal: overall,
    });
    if (response.status === 200) return response;
    await response.body?.cancel();
    if (!REDIRECTS.has(response.status)) throw failed(first, `it answered ${response.status}`);
    const next = new URL(response.headers.get("location") ?? "", url);
    const safe = next.protocol === url.protocol || next.protocol === "https:";
    if (next.host !== url.host || !safe) throw redirected(first, next.href);
    if (hops === MOST_REDIRECTS) throw failed(first, `more than ${MOST_REDIRECTS} redirects`);
    url = next;
  }
}

/** Writes the body to the file; the sha256 of its bytes. */
async function written(
  { url, to, mostBytes = MOST_BYTES, silenceMs = SILENCE_MS, onProgress }: Download,
  response: Response,
): Promise<string> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const of = Number.isSafeInteger(length) ? length : null;
  if ((of ?? 0) > mostBytes) throw tooLarge(url, mostBytes);
  const hash = new Bun.CryptoHasher("sha256");
  const reader = response.body?.getReader();
  const file = await open(to, "wx", 0o600);
  let bytes = 0;
  try {
    for (;;) {
      const next = await withinSilence(reader?.read() ?? Promise.resolve(END), silenceMs, url);
      if (next.done) break;
      bytes += next.value.byteLength;
      if (bytes > mostBytes) throw tooLarge(url, mostBytes);
      hash.update(next.value);
      await file.writeFile(next.value);
      onProgress?.(bytes, of);
    }
  } finally {
    await file.close();
    reader?.cancel().catch(() => {});
  }
  if (of !== null && bytes !== of) throw failed(url, `${bytes} of ${of} bytes came`);
  return hash.digest("hex");
}

const END = { done: true, value: undefined } as const;

const withinSilence = <Result>(
  work: Promise<Result>,
  silenceMs: number,
  url: string,
): Promise<Result> =>
  inTime(work, silenceMs, () => {
    throw failed(url, `nothing came for ${silenceMs / 1000} s`);
  });

const failed = (url: string, reason: string): SluiceError =>
  new SluiceError({
    code: "download_failed",
    status: 502,
    detail: `${url} could not be downloaded: ${reason}.`,
    fix: "Try again, or get the file otherwise and name it: sluice import MODEL FILE.",
  });

const tooLarge = (url: string, most: number): SluiceError =>
  failed(url, `it is larger than ${most} bytes`);

const redirected = (url: string, to: string): SluiceError =>
  new SluiceError({
    code: "download_redirected",
    status: 502,
    detail: `${url} leads to ${to}, which is not on its host.`,
    fix: "Name the address that has the file in [[table.files]] of the model file.",
  });

const mismatch = (url: string, wanted: string, found: string): SluiceError =>
  new SluiceError({
    code: "digest_mismatch",
    status: 502,
    detail: `${url} gave bytes with the sha256 ${found}, not ${wanted}. Nothing was stored.`,
    fix: "Find out what has changed there; if the new bytes are right, set their sha256 in the model file.",
  });
