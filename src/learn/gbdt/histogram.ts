import type { Arena, Histogram, Kernels } from "./kernels.ts";

/** A stack of histograms that are used again, since a fit needs thousands and few at a time. */
export interface HistogramPool {
  /** A histogram of zeros. */
  take(): Histogram;
  give(histogram: Histogram): void;
}

/** A pool of histograms of `total` bins. */
export const makeHistogramPool = (total: number, kernels: Kernels, arena: Arena): HistogramPool => {
  const free: Histogram[] = [];
  return {
    take: () => free.pop()?.fill(0) ?? arena.doubles(total * kernels.cell),
    give: (histogram) => {
      free.push(histogram);
    },
  };
};
