/*
 * Files of runs and logged models: a few at once, each as its bytes come, again where it broke off.
 */
import pLimit from "p-limit";
import { reasonOf, SluiceError } from "../../../errors.ts";
import type { KnownFile } from "../../../registry/intake/files.ts";
import type { Intake } from "../../../registry/intake/intake.ts";
import { readable } from "../../../registry/paths.ts";
import { brokenOff, isSkip } from "../faults.ts";
import type { GivenFile, Holder, Source } from "../source.ts";
import type { Tally } from "../tally.ts";

export interface Wanted extends Holder {
  /** Fetches also what seems to be here: the thing has changed since it was brought. */
  readonly again: boolean;
}

const AT_ONCE = 4;
const TRIES = 5;
const WAIT_MS = 100;

/** Carries the files of holders of one kind over; the ids of those of which not all came. */
export function makeFileCarrier(
  source: Pick<Source, "files" | "read">,
  intake: Pick<Intake, "files">,
  tally: Tally,
  /** Told of bytes as they come, those of a file that breaks off too. */
  onBytes: (many: number) => void = () => {},
): (holders: readonly Wanted[]) => Promise<Set<string>> {
  const listing = pLimit(AT_ONCE);
  const fetching = pLimit(AT_ONCE);
  /** What ended the import: those that wait their turn then do nothing any more. */
  let end: { readonly thrown: unknown } | null = null;
  const unlessEnded = async (work: () => Promise<void>): Promise<void> => {
    if (end !== null) throw end.thrown;
    try {
      await work();
    } catch (thrown) {
      end ??= { thrown };
      throw thrown;
    }
  };

  async function* told(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      onBytes(chunk.byteLength);
      yield chunk;
    }
  }

  /** Whether the file is here afterwards, or can never be. */
  async function fetchFile(holder: Wanted, file: GivenFile, known?: KnownFile): Promise<boolean> {
    const what = `file ${file.path} of ${holder.of} ${holder.id}`;
    for (let tries = 1; ; tries++) {
      try {
        const path = intake.files.path(file.path);
        const { digest, size } = await intake.files.put(
          ...([holder, path, told(source.read(holder, file.path))] as const),
          (bytes) => {
            if (file.size === null || file.size === bytes) return;
            throw brokenOff(`${bytes} bytes came, and ${file.size} are listed`);
          },
        );
        tally.count("files", known?.digest === digest ? "there" : "brought");
        tally.addBytes(size);
        return true;
      } catch (thrown) {
        if (isSkip(thrown)) {
          tally.skip("files", what, reasonOf(thrown));
          return true;
        }
        const mayPass = thrown instanceof SluiceError && thrown.code === "import_broken_off";
        if (mayPass && tries < TRIES) {
          await Bun.sleep(WAIT_MS * 2 ** tries * Math.random());
          continue;
        }
        if (!isOfFile(thrown)) throw thrown;
        tally.fail("files", what, reasonOf(thrown));
        return false;
      }
    }
  }

  async function filesOf(holder: Wanted): Promise<GivenFile[] | null> {
    const what = `files of ${holder.of} ${holder.id}`;
    try {
      return await Array.fromAsync(source.files(holder));
    } catch (thrown) {
      if (isSkip(thrown)) {
        tally.skip("files", what, reasonOf(thrown));
        return [];
      }
      if (!isOfFile(thrown)) throw thrown;
      tally.fail("files", what, reasonOf(thrown));
      return null;
    }
  }

  return async (holders) => {
    const unfinished = new Set<string>();
    if (holders.length === 0) return unfinished;
    const ids = holders.map(({ id }) => id);
    const known = Map.groupBy(await intake.files.known(holders[0]!.of, ids), ({ id }) => id);
    const work = holders.map((holder) =>
      listing(unlessEnded, async () => {
        const files = await filesOf(holder);
        if (files === null) unfinished.add(holder.id);
        const here = new Map(known.get(holder.id)?.map((file) => [file.path, file]));
        await allOf(
          (files ?? []).map((file) =>
            fetching(unlessEnded, async () => {
              const there = here.get(readable(file.path));
              if (there !== undefined && !holder.again && there.size === file.size) {
                tally.count("files", "there");
              } else if (!(await fetchFile(holder, file, there))) unfinished.add(holder.id);
            }),
          ),
        );
      }),
    );
    await allOf(work);
    return unfinished;
  };
}

/** What a source says of one file, when it still answers: the others may come. */
const isOfFile = (thrown: unknown): boolean =>
  thrown instanceof SluiceError &&
  (thrown.code === "import_broken_off" ||
    (thrown.code === "import_unreachable" && thrown.cause === undefined));

/** Waits for all, and throws what the first threw when none is under way any more. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(work);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
