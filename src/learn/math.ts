/*
 * exp, log and their kin from additions, multiplications, divisions and bit moves alone. IEEE 754
 * fixes the result of those to the last bit, while Math.exp and Math.log may differ between
 * engines and machines; a model trained anywhere from the same rows must have the same bytes.
 */

// ln 2 in two pieces: HIGH has 32 significant bits, so an exponent (11 bits) times HIGH is exact.
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** Powers of two for the exponents -600..600, exact. */
const POWERS = new Float64Array(1201);
POWERS[600] = 1;
for (let k = 1; k <= 600; k++) {
  POWERS[600 + k] = POWERS[599 + k]! * 2;
  POWERS[600 - k] = POWERS[601 - k]! / 2;
}

/**
 * e to the power x, within 1 unit in the last place; 0 and Infinity where it under- or overflows.
 * With x = k ln 2 + r it is 2^k e^r, and e^r = 1 + 2r / (r coth(r/2) - r), whose r coth(r/2) is a
 * short series in r^2 (Bernoulli numbers).
 */
export const exp = (x: number): number => {
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY;
  if (!(x >= -745.1332191019412)) return Number.isNaN(x) ? x : 0;
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  const z = r * r;
  const series =
    1 / 6 +
    z *
      (-1 / 360 +
        z * (1 / 15120 + z * (-1 / 604800 + z * (1 / 23950080 + z * (-691 / 653837184000)))));
  const tail = z * series;
  // e^r - 1 - r, kept apart from r so that only the last addition rounds noticeably.
  const curve = (r * (r - tail)) / (2 + tail - r);
  const power = 1 + (high + (curve - low));
  // Two factors: 2^k alone may not be a normal number at the ends of the range.
  const half = k >> 1;
  return power * POWERS[600 + half]! * POWERS[600 + (k - half)]!;
};

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer); // little-endian: word 1 holds sign and exponent

/**
 * The natural logarithm, within 1 unit in the last place; -Infinity at 0, NaN below.
 * With x = 2^k (1 + f) and s = f / (2 + f), log(1 + f) = 2 artanh(s), an odd series in s.
 */
export const log = (x: number): number => {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  // Subnormal numbers carry no exponent of their own: lift them first.
  const lift = x < 2.2250738585072014e-308 ? 54 : 0;
  bits[0] = lift === 0 ? x : x * 18014398509481984;
  let k = ((words[1]! >>> 20) & 0x7ff) - 1023 - lift;
  words[1] = (words[1]! & 0xfffff) | 0x3ff00000;
  let mantissa = bits[0]!;
  // Centre the mantissa on 1, where the series is shortest.
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    k += 1;
  }
  const f = mantissa - 1;
  const s = f / (2 + f);
  const z = s * s;
  let series = 2 / 23;
  for (let odd = 21; odd >= 3; odd -= 2) series = 2 / odd + z * series;
  const half = (f * f) / 2;
  return k * LN2_HIGH - (half - (s * (half + z * series) + k * LN2_LOW) - f);
};

/** 1 / (1 + e^-x): the probability of a margin, in [0, 1]. */
export const sigmoid = (x: number): number => {
  const e = exp(x < 0 ? x : -x);
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
};

/** log(1 + e^x) without overflow: the log-loss of a margin m is softplus(-m) where the outcome is 1. */
export const softplus = (x: number): number => Math.max(x, 0) - log(sigmoid(Math.abs(x)));

/** log(p / (1 - p)): the margin of a probability; infinite at 0 and 1. */
export const logit = (p: number): number => log(p / (1 - p));

/** The value held within [low, high]. */
export const clamp = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high);
