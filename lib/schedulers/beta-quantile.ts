/** ln Γ of a positive number. source: Lanczos 1964, g = 7, nine terms: 15 digits */
const logGamma = (z: number): number => {
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const base = z + 6.5;
  const sum = terms.reduce((total, term, i) => total + (i === 0 ? term : term / (z - 1 + i)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (z - 0.5) * Math.log(base) - base + Math.log(sum);
};

/** Share of Beta(a, a) below x ≤ ½, by its power series: the ratio of terms tends to x. */
const lowerShare = (x: number, a: number): number => {
  let term = 1;
  let sum = 1 / a;
  for (let k = 1; k < 200 && term > 1e-17; ++k) {
    term *= ((k - a) * x) / k;
    sum += term / (a + k);
  }
  return (x ** a * sum) / Math.exp(2 * logGamma(a) - logGamma(2 * a));
};

/** Where Beta(a, a) has the share p below it, 0 < a ≤ 1. */
export const betaQuantile = (p: number, a: number): number => {
  if (p > 0.5) return 1 - betaQuantile(1 - p, a);
  let low = 0;
  let high = 0.5;
  for (let i = 0; i < 100; ++i) {
    const middle = (low + high) / 2;
    if (lowerShare(middle, a) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
};
