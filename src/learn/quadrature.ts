/** Points in (0, 1) and their weights: the integral of f over [0, 1] is the sum of weight x f(point). */
export interface Quadrature {
  readonly points: Float64Array;
  readonly weights: Float64Array;
}

/**
 * Gauss and Legendre's rule on [0, 1] with n >= 1 points: exact for polynomials of degree up to
 * 2 n - 1. The points are the roots of the Legendre polynomial P_n, which lie one each between
 * those of P_(n-1); bisection finds them with additions and multiplications alone, so they have
 * the same bytes everywhere.
 */
export const gaussLegendre = (n: number): Quadrature => {
  let roots: number[] = [];
  for (let degree = 1; degree <= n; degree++) {
    const ends = [-1, ...roots, 1];
    roots = Array.from({ length: degree }, (_, i) => rootBetween(degree, ends[i]!, ends[i + 1]!));
  }
  const points = Float64Array.from(roots, (x) => (1 + x) / 2);
  const weights = Float64Array.from(roots, (x) => {
    // P_n'(x) = n (x P_n(x) - P_(n-1)(x)) / (x^2 - 1), where P_n(x) is 0.
    const slope = (n * legendre(n, x)[1]) / (1 - x * x);
    return 1 / ((1 - x * x) * slope * slope);
  });
  return { points, weights };
};

/** P_n(x) and P_(n-1)(x) by Bonnet's recursion. */
const legendre = (n: number, x: number): readonly [number, number] => {
  let [before, value] = [1, x];
  for (let k = 2; k <= n; k++) {
    [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
  }
  return [value, before];
};

/** Halves the interval around the one root of P_n in it until float64 has nothing between. */
const rootBetween = (n: number, low: number, high: number): number => {
  const isAbove = legendre(n, high)[0] > 0;
  for (;;) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    if (legendre(n, middle)[0] > 0 === isAbove) high = middle;
    else low = middle;
  }
};
