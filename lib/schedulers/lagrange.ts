/** At `t`, the polynomial that is 1 at points[k] and 0 at the others. */
export const lagrange = (points: readonly number[], k: number, t: number): number =>
  points.reduce((product, p, j) => (j === k ? product : (product * (t - p)) / (points[k]! - p)), 1);
