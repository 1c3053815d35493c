import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { greedyBytes } from "../onnx/fixtures.ts";
import { foreignBytes } from "../serve/fixture.ts";
import { LONG_MS, until } from "../testing.ts";
import { trainingIn } from "./fixtures.ts";
import { makeTryOut, type TryOutDeps } from "./tryout.ts";

// A machine that is busy keeps what is tried waiting: who is served comes first.
setDefaultTimeout(300_000);

let root: string;
let folders: Pick<TryOutDeps, "workFolder" | "cacheFolder">;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-tryout-"));
  folders = { workFolder: join(root, "work"), cacheFolder: join(root, "cache") };
});
afterAll(() => rm(root, { recursive: true, force: true }));

const refusal = (thrown: unknown) => ({ code: "onnx_refused", status: 422, message: thrown });

test(
  "what loads and answers passes, and leaves nothing",
  async () => {
    await makeTryOut(folders)(foreignBytes(1));
    expect(await readdir(folders.workFolder)).toEqual([]);
  },
  LONG_MS,
);

test(
  "what is no model is refused as the loading itself would",
  async () => {
    const tried = makeTryOut(folders)(Uint8Array.from([8, 1, 2, 3]));
    expect(tried).rejects.toMatchObject({ code: "artifact_corrupt", status: 422 });
    await tried.catch(() => {});
  },
  LONG_MS,
);

test(
  "what takes more memory, or longer, than it may is refused",
  async () => {
    const small = makeTryOut({ ...folders, memoryBytes: 500_000_000 })(greedyBytes(2));
    expect(small).rejects.toMatchObject(refusal(expect.stringContaining("500 MB of memory")));
    await small.catch(() => {});
    const quick = makeTryOut({ ...folders, tryMs: 1 })(greedyBytes(2));
    expect(quick).rejects.toMatchObject(refusal(expect.stringContaining("longer than 0.001 s")));
    await quick.catch(() => {});
    expect(await readdir(folders.workFolder)).toEqual([]);
  },
  LONG_MS,
);

test(
  "what gave its memory back before anybody looked is refused all the same",
  async () => {
    const late = makeTryOut({ ...folders, memoryBytes: 500_000_000, watchMs: 60_000 });
    const tried = late(greedyBytes(0.4));
    expect(tried).rejects.toMatchObject(refusal(expect.stringContaining("500 MB of memory")));
    await tried.catch(() => {});
    await makeTryOut({ ...folders, watchMs: 60_000 })(foreignBytes(1));
  },
  LONG_MS,
);

test(
  "what only waits for a busy machine is not taken for slow",
  async () => {
    const tryMs = 3_000;
    const tried = makeTryOut({ ...folders, tryMs })(foreignBytes(1));
    await until(() => trainingIn(folders.workFolder).length > 0, LONG_MS, "it has begun", 1);
    const [pid] = trainingIn(folders.workFolder);
    process.kill(pid!, "SIGSTOP");
    await Bun.sleep(tryMs + 500);
    process.kill(pid!, "SIGCONT");
    await tried;
  },
  LONG_MS,
);
