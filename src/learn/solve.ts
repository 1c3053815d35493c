/**
 * Solves A x = b for a symmetric positive definite A (n x n, row by row; only its lower triangle
 * is read) by Cholesky's A = L L'. Null where A is not positive definite to working precision.
 * Additions run in one fixed order, so the answer has the same bytes everywhere.
 */
export const solve = (matrix: Float64Array, right: Float64Array): Float64Array | null => {
  const n = right.length;
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
      if (i > j) lower[i * n + j] = sum / lower[j * n + j]!;
      else if (sum > matrix[i * n + i]! * 1e-14) lower[i * n + i] = Math.sqrt(sum);
      else return null;
    }
  }
  const x = right.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i * n + k]! * x[k]!;
    x[i]! /= lower[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= lower[k * n + i]! * x[k]!;
    x[i]! /= lower[i * n + i]!;
  }
  return x;
};
