/*
 * The inner loops as WebAssembly (kernels/gbdt.ts, where they can be read), by one thread or a
 * team. The compiled module is handed in by whoever has a disk; arrays live in one memory, and a
 * kernel is told their addresses.
 */
import { type Arena, type Histogram, type Kernels, WIDTH } from "./kernels.ts";
import type { Calls, Team } from "./team.ts";

/** Doubles in a cell: two 64-bit numbers, which are not doubles but take their room. */
const CELL = 2;
const PAGE = 65_536;
/** A kernel may read this far beyond the end of an array. */
const SLACK = 64;
/** Bytes of `addRows`' scratch: 20 a row of its block of 256, and 8 more. */
const SCRATCH = 256 * 20 + 8;
const EDGES = 255;

// Below these a job is done before the others have heard of it.
const SHARED_UPDATES = 1 << 19;
const SHARED_ROWS = 1 << 16;

/** A memory for kernels, here and in other threads; it grows as a fit needs. */
export const makeMemory = (): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: 16, maximum: 65_536, shared: true });

/** The kernels of a compiled module in a memory. Throws where the engine has no SIMD. */
export const callsOf = (module: WebAssembly.Module, memory: WebAssembly.Memory): Calls =>
  new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Calls;

/** Kernels on a memory of `makeMemory`; a team must have been started on the same. */
export const makeWasmKernels = (
  calls: Calls,
  memory: WebAssembly.Memory,
  team: Team | null = null,
): Kernels => {
  const size = team?.size ?? 1;
  const members = Array.from({ length: size }, (_, member) => member);
  // The first page is the team's.
  let end = PAGE;
  let scratches: readonly number[] = [];
  let table: Uint8Array = new Uint8Array(0);
  let two: Float64Array = new Float64Array(0);
  let unpacked: Float64Array = new Float64Array(0);
  let partial: readonly Histogram[] = [];

  const take = (bytes: number): number => {
    const at = end;
    end = Math.ceil((end + bytes + SLACK) / 64) * 64;
    const missing = end + PAGE - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    new Uint8Array(memory.buffer, at, end - at).fill(0);
    return at;
  };
  // Arrays made before a shared memory grew stay good. Its buffer is asked for after it grew.
  const arena: Arena = {
    bytes: (length) => {
      const at = take(length);
      return new Uint8Array(memory.buffer, at, length);
    },
    integers: (length) => {
      const at = take(4 * length);
      return new Int32Array(memory.buffer, at, length);
    },
    floats: (length) => {
      const at = take(4 * length);
      return new Float32Array(memory.buffer, at, length);
    },
    doubles: (length) => {
      const at = take(8 * length);
      return new Float64Array(memory.buffer, at, length);
    },
  };
  const begin = (): Arena => {
    end = PAGE;
    scratches = members.map(() => take(SCRATCH));
    table = arena.bytes(256);
    two = arena.doubles(2 * size);
    unpacked = new Float64Array(0);
    partial = [];
    return arena;
  };
  const binsOf = (histogram: Histogram) => histogram.length / CELL;
  /** The team, if so many rows are worth its while. */
  const teamFor = (rows: number): Team | null => (rows < SHARED_ROWS ? null : team);
  /** Where a member's share of from..to begins; that of member `size` is `to`. */
  const bound = (from: number, to: number, member: number): number =>
    from + Math.floor(((to - from) * member) / size);

  return {
    name: "wasm",
    threads: size,
    arena: begin,
    cell: CELL,

    addRows: (histogram, { records, stride, starts }, { groups }, rows, from, to, pairs, grid) => {
      // Written out: this is called thousands of times for a few rows each.
      const add = (cells: number, begin: number, end: number, scratch: number) =>
        [
          cells,
          starts.byteOffset,
          groups.byteOffset,
          starts.length,
          records.byteOffset,
          stride,
          rows.byteOffset,
          begin,
          end,
          pairs.byteOffset,
          grid.gradient,
          grid.hessian,
          grid.shift,
          scratch,
        ] as const;
      if (team === null || (to - from) * starts.length < SHARED_UPDATES) {
        calls.addRows(...add(histogram.byteOffset, from, to, scratches[0]!));
        return;
      }
      // Sums are exact, so each member may add a share of the rows up for itself.
      if (partial.length === 0) {
        partial = members.slice(1).map(() => arena.doubles(histogram.length));
      }
      for (const part of partial) calls.clear(part.byteOffset, binsOf(part));
      team.run("addRows", (member) => {
        const cells = member === 0 ? histogram : partial[member - 1]!;
        const [begin, end] = [bound(from, to, member), bound(from, to, member + 1)];
        return add(cells.byteOffset, begin, end, scratches[member]!);
      });
      for (const part of partial) {
        calls.merge(histogram.byteOffset, part.byteOffset, binsOf(part));
      }
    },

    subtract: (parent, smaller) => {
      calls.subtract(parent.byteOffset, smaller.byteOffset, binsOf(parent));
    },

    unpack: (histogram, grid) => {
      const bins = binsOf(histogram);
      if (unpacked.length !== bins * WIDTH) unpacked = arena.doubles(bins * WIDTH);
      calls.unpack(
        histogram.byteOffset,
        bins,
        1 / grid.gradient,
        1 / grid.hessian,
        grid.shift,
        unpacked.byteOffset,
      );
      return unpacked;
    },

    part: (rows, from, to, bins, goesLeft, spare) => {
      table.set(goesLeft);
      const at = (row: number) => rows.byteOffset + 4 * row;
      const spareAt = (row: number) => spare.byteOffset + 4 * (row - from);
      const helpers = teamFor(to - from);
      if (helpers === null) {
        const left = calls.part(
          rows.byteOffset,
          from,
          to,
          bins.byteOffset,
          table.byteOffset,
          spare.byteOffset,
        );
        calls.copy(at(from + left), spare.byteOffset, 4 * (to - from - left));
        return from + left;
      }
      const begins = members.map((member) => bound(from, to, member));
      const lefts = helpers.run("part", (member) => [
        rows.byteOffset,
        begins[member]!,
        bound(from, to, member + 1),
        bins.byteOffset,
        table.byteOffset,
        spareAt(begins[member]!),
      ]);
      // Each share has its left rows in front, its right ones in its part of the spare array.
      let end = from;
      for (const [member, begin] of begins.entries()) {
        if (member > 0) calls.copy(at(end), at(begin), 4 * lefts[member]!);
        end += lefts[member]!;
      }
      const middle = end;
      for (const [member, begin] of begins.entries()) {
        const right = bound(from, to, member + 1) - begin - lefts[member]!;
        calls.copy(at(end), spareAt(begin), 4 * right);
        end += right;
      }
      return middle;
    },

    addValue: (margins, rows, from, to, value) => {
      calls.addValue(margins.byteOffset, rows.byteOffset, from, to, value);
    },

    logLoss: (margins, target, weight, pairs) => {
      const rows = margins.length;
      const numbersOf = (from: number, to: number) => [
        margins.byteOffset,
        target.byteOffset,
        weight?.byteOffset ?? 0,
        from,
        to,
        pairs.byteOffset,
      ];
      const helpers = teamFor(rows);
      if (helpers === null) calls.logLoss(...numbersOf(0, rows));
      else helpers.run("logLoss", (m) => numbersOf(bound(0, rows, m), bound(0, rows, m + 1)));
    },

    largest: (pairs) => {
      const rows = pairs.length / 2;
      const helpers = teamFor(rows);
      two.fill(0);
      if (helpers === null) calls.largest(pairs.byteOffset, 0, rows, two.byteOffset);
      else {
        helpers.run("largest", (m) => [
          pairs.byteOffset,
          bound(0, rows, m),
          bound(0, rows, m + 1),
          two.byteOffset + 16 * m,
        ]);
      }
      let [gradient, hessian] = [0, 0];
      for (let i = 0; i < two.length; i += 2) {
        gradient = Math.max(gradient, two[i]!);
        hessian = Math.max(hessian, two[i + 1]!);
      }
      return [gradient, hessian];
    },

    snap: (pairs, grid) => {
      const rows = pairs.length / 2;
      const numbersOf = (from: number, to: number) => [
        pairs.byteOffset,
        from,
        to,
        grid.gradient,
        grid.hessian,
      ];
      const helpers = teamFor(rows);
      if (helpers === null) calls.snap(...numbersOf(0, rows));
      else helpers.run("snap", (m) => numbersOf(bound(0, rows, m), bound(0, rows, m + 1)));
    },

    binNumbers: (values, edges, bins) => {
      // The search always looks at 255 edges; those that are none lie above every number.
      const all = arena.floats(EDGES).fill(Number.POSITIVE_INFINITY);
      all.set(edges);
      const rows = bins.length;
      const numbersOf = (from: number, to: number) => [
        values.byteOffset + 4 * from,
        to - from,
        all.byteOffset,
        edges.length,
        bins.byteOffset + from,
      ];
      const helpers = teamFor(rows);
      if (helpers === null) calls.binNumbers(...numbersOf(0, rows));
      else helpers.run("binNumbers", (m) => numbersOf(bound(0, rows, m), bound(0, rows, m + 1)));
    },
  };
};
