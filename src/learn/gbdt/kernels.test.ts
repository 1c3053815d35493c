/* Both sets of kernels, on the same arrays: what they give, and that it is the same to the bit. */
import { beforeAll, describe, expect, test } from "bun:test";
import { makeRandom } from "../random.ts";
import { frameOf, normals, numbers } from "../testing.ts";
import { binFrame } from "./bins.ts";
import { wasmForTests } from "./fixture.ts";
import { gridOf } from "./grid.ts";
import type { Kernels } from "./kernels.ts";
import { plain } from "./plain.ts";

const N = 1301; // odd, and more than two blocks
let wasm: Kernels;
beforeAll(async () => {
  wasm = await wasmForTests();
});
const sets = (): Kernels[] => [plain, wasm];

const integersOf = (columns: number) =>
  frameOf(
    ...Array.from({ length: columns }, (_, c) =>
      numbers(
        `c${c}`,
        normals(N, 10 + c).map((x, i) => (i % 17 === 3 ? Number.NaN : Math.round(x * 2))),
      ),
    ),
  );
const someRows = makeRandom(3).choose(1100, N);

/** The histogram, unpacked, of some rows' random numbers, and those numbers as they were snapped. */
const histogramOf = (kernels: Kernels, columns: number, chosen: number[], rows = someRows) => {
  const arena = kernels.arena();
  const binned = binFrame(integersOf(columns), 255, kernels, arena);
  const pairs = arena.floats(2 * N);
  const [g, h] = [normals(N, 1), normals(N, 2)];
  for (let i = 0; i < N; i++) pairs.set([g[i]!, h[i]! ** 2], 2 * i);
  const grid = gridOf(N, ...kernels.largest(pairs));
  kernels.snap(pairs, grid);
  const list = arena.integers(rows.length);
  list.set(rows);
  const groups = arena.bytes(Math.ceil(columns / 8));
  for (const c of chosen) groups[c >> 3] = 1;
  const drawn = { columns: Int32Array.from(chosen), groups };
  const add = (from: number, to: number) => {
    const histogram = arena.doubles(binned.total * kernels.cell);
    kernels.addRows(histogram, binned, drawn, list, from, to, pairs, grid);
    return histogram;
  };
  const [all, part] = [add(0, rows.length), add(0, 300)];
  const cells = kernels.unpack(all, grid).slice();
  kernels.subtract(all, part);
  const rest = kernels.unpack(all, grid).slice();
  return { cells, rest, other: kernels.unpack(add(300, rows.length), grid).slice(), pairs, binned };
};

describe("addRows", () => {
  // Columns go eight, four, two and one at a time: try every remainder.
  for (const count of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 28]) {
    test(`sums gradients, hessians and rows a bin exactly, ${count} columns`, () => {
      const all = Array.from({ length: count }, (_, c) => c);
      for (const kernels of sets()) {
        const { cells, binned, pairs } = histogramOf(kernels, count, all);
        const expected = new Float64Array(cells.length);
        for (const c of all) {
          for (const row of someRows) {
            const at = (binned.starts[c]! + binned.columns[c]!.bins[row]!) * 3;
            expected[at]! += pairs[2 * row]!;
            expected[at + 1]! += pairs[2 * row + 1]!;
            expected[at + 2]! += 1;
          }
        }
        expect(cells).toEqual(expected);
      }
    });
  }

  test("counts drawn columns, whatever else is counted", () => {
    const whole = histogramOf(
      plain,
      12,
      Array.from({ length: 12 }, (_, c) => c),
    );
    for (const kernels of sets()) {
      const { cells, binned } = histogramOf(kernels, 12, [1, 9]);
      for (const c of [1, 9]) {
        const [from, to] = [
          binned.starts[c]! * 3,
          (binned.starts[c]! + binned.columns[c]!.size) * 3,
        ];
        expect(cells.slice(from, to)).toEqual(whole.cells.slice(from, to));
      }
    }
  });

  test("parent minus one child is the other, exactly", () => {
    for (const kernels of sets()) {
      const { rest, other } = histogramOf(kernels, 5, [0, 1, 2, 3, 4]);
      expect(rest).toEqual(other);
    }
  });
});

describe("the same to the bit", () => {
  /** Runs a thing on arrays of each set's arena. */
  const both = <T>(run: (kernels: Kernels) => T): void => {
    expect(run(wasm)).toEqual(run(plain));
  };

  test("log-loss, near and far from 0, with weights and without", () => {
    const margins = [
      ...normals(997, 5).map((x) => x * 3),
      0,
      -0,
      1e-300,
      36,
      -36,
      700,
      -700.5,
      1e4,
    ];
    margins.push(-1e4, 745, -746);
    const n = margins.length;
    for (const isWeighted of [false, true]) {
      both((kernels) => {
        const arena = kernels.arena();
        const [m, y, w] = [arena.doubles(n), arena.doubles(n), arena.doubles(n)];
        m.set(margins);
        for (let i = 0; i < n; i++) {
          y[i] = i % 3 === 0 ? 1 : 0;
          w[i] = (i % 5) * 0.37;
        }
        const pairs = arena.floats(2 * n);
        kernels.logLoss(m, y, isWeighted ? w : null, pairs);
        return pairs.slice();
      });
    }
  });

  test("largest, and snapping to a grid", () => {
    for (const n of [1, 2, 5, 1000]) {
      both((kernels) => {
        const pairs = kernels.arena().floats(2 * n);
        const values = normals(2 * n, 7);
        for (let i = 0; i < 2 * n; i++) pairs[i] = i % 2 === 1 ? Math.abs(values[i]!) : values[i]!;
        const largest = kernels.largest(pairs);
        const grid = gridOf(1 << 22, ...largest);
        kernels.snap(pairs, grid);
        for (let i = 0; i < n; i++) {
          expect(Number.isInteger(pairs[2 * i]! * grid.gradient)).toBe(true);
          expect(Number.isInteger(pairs[2 * i + 1]! * grid.hessian)).toBe(true);
        }
        return [largest, pairs.slice()];
      });
    }
  });

  test("parting rows", () => {
    for (const [from, to] of [
      [0, N],
      [5, 6],
      [100, 1000],
      [7, 7],
    ] as const) {
      both((kernels) => {
        const arena = kernels.arena();
        const [rows, scratch, bins] = [arena.integers(N), arena.integers(N), arena.bytes(N)];
        const random = makeRandom(1);
        for (let i = 0; i < N; i++) {
          rows[i] = N - 1 - i;
          bins[i] = random.integer(256);
        }
        const goesLeft = Uint8Array.from({ length: 256 }, (_, b) => (b % 3 === 0 ? 1 : 0));
        const middle = kernels.part(rows, from, to, bins, goesLeft, scratch);
        const isLeft = Array.from(rows.subarray(from, to), (row) => goesLeft[bins[row]!]!);
        expect(isLeft.lastIndexOf(1)).toBeLessThan(middle - from);
        expect(isLeft.slice(middle - from).includes(1)).toBe(false);
        return [middle, rows.slice()];
      });
    }
  });

  test("bins, with edges up to 255, NaN, infinities and the edges themselves", () => {
    for (const count of [1, 2, 3, 100, 254, 255]) {
      both((kernels) => {
        const edges = normals(count, 11).sort();
        const [values, bins] = [kernels.arena(), N + 4] as const;
        const given = values.floats(bins);
        given.set(normals(N, 12));
        given.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0], N);
        given.set(Float32Array.from(edges), 0);
        const out = values.bytes(bins);
        kernels.binNumbers(given, Float32Array.from(edges), out);
        return out.slice();
      });
    }
  });

  test("adding a leaf's value", () => {
    both((kernels) => {
      const arena = kernels.arena();
      const [margins, rows] = [arena.doubles(10), arena.integers(4)];
      rows.set([9, 2, 5, 0]);
      kernels.addValue(margins, rows, 1, 4, 0.1);
      return margins.slice();
    });
  });
});
