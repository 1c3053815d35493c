/* Same rows, same bytes: in any process, with kernels or without, by one thread or two. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const source = (file: string) => JSON.stringify(join(import.meta.dir, file));

/** Fits in a process of its own and gives the digests of its models; `threads` 0 is plain. */
const digestsOf = async (threads: number): Promise<string> => {
  const code = `
    const { startKernels } = await import(${source("kernels.ts")});
    const { boost } = await import(${source("learn/gbdt/fit.ts")});
    const { GBDT_DEFAULTS } = await import(${source("learn/gbdt/options.ts")});
    const { plain } = await import(${source("learn/gbdt/plain.ts")});
    const { boostSoftmax } = await import(${source("learn/gbdt/softmax.ts")});
    const { frameOf, mixedSample, normals, numbers } = await import(${source("learn/testing.ts")});
    const { kernels, stop } =
      ${threads} === 0 ? { kernels: plain, stop: () => {} } : await startKernels(${threads});
    const mixed = mixedSample(70_000, 3);
    const more = [1, 2, 3, 4, 5].map((c) => numbers("m" + c, normals(70_000, 90 + c)));
    const frame = frameOf(...mixed.frame.columns, ...more);
    const weight = mixed.target.map((_, i) => 1 + (i % 7) / 10);
    const few = { ...GBDT_DEFAULTS, rounds: 4 };
    const sample = { frame, target: mixed.target, weight: null };
    const fits = [
      boost(sample, few, 1, { kernels }),
      boost({ ...sample, weight }, { ...few, rowShare: 0.95, columnShare: 0.5 }, 2, { kernels }),
      boost(sample, { ...few, objective: "quantile", quantile: 0.9 }, 1, { kernels }),
      boost(sample, { ...few, objective: "poisson", monotone: { a: 1 } }, 1, { kernels }),
      boostSoftmax(sample, 3, { ...few, rounds: 2 }, 1, { kernels }),
    ];
    await stop();
    const text = (value) =>
      JSON.stringify(value, (_, v) => (ArrayBuffer.isView(v) ? [...v] : v));
    const digests = fits.map((fit) => Bun.hash(text(fit)).toString(16));
    process.stdout.write([kernels.name + kernels.threads, ...digests].join(" "));
  `;
  const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit" });
  return new Response(child.stdout).text();
};

test("models do not depend on kernels, threads or processes", async () => {
  const said = await Promise.all([0, 1, 1, 2].map(digestsOf));
  const [kinds, digests] = [
    said.map((line) => line.split(" ")[0]),
    said.map((line) => line.split(" ").slice(1)),
  ];
  expect(kinds).toEqual(["plain1", "wasm1", "wasm1", "wasm2"]);
  expect(digests[0]).toHaveLength(5);
  expect(new Set(digests[0]).size).toBe(5);
  for (const others of digests.slice(1)) expect(others).toEqual(digests[0]!);
}, 60_000);
