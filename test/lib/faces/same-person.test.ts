import t from 'tap';
import { cosine, mostDropped, outliersOf } from '../../../lib/faces/same-person.js';

/**
 * Vectors of any length with these cosines to each other, by Cholesky's factors: row i has the cosines to those before it.
 */
const vectors = (cosines: readonly (readonly number[])[], width = 512): Float32Array[] => {
  const rows: number[][] = [];
  for (const [i, row] of cosines.entries()) {
    const own = new Array<number>(width).fill(0);
    for (let k = 0; k < i; ++k) {
      const before = rows[k]!;
      const dot = own.reduce((sum, value, j) => sum + value * before[j]!, 0);
      own[k] = (row[k]! - dot) / before[k]!;
    }
    own[i] = Math.sqrt(1 - own.reduce((sum, value) => sum + value * value, 0));
    rows.push(own);
  }
  return rows.map((row, i) => Float32Array.from(row, (value) => value * (i + 1))); // lengths do not matter
};

const found = (cosines: readonly (readonly number[])[], width = 512): (readonly [number, number])[] =>
  outliersOf(vectors(cosines, width)).map(({ index, value }) => [index, Math.round(value * 1000) / 1000] as const);

t.test('cosines are those that were asked for', async (test) => {
  const [a, b, c] = vectors([[], [0.6], [0.3, 0.8]]);
  for (const [one, other, want] of [
    [a, b, 0.6],
    [a, c, 0.3],
    [b, c, 0.8],
  ] as const)
    test.ok(Math.abs(cosine(one!, other!) - want) < 1e-6);
});

t.test('another person', async (test) => {
  test.same(found([[]]), [], 'one alone');
  test.same(found([[], [0.9], [0.9, 0.9]]), [], 'one person');
  test.same(found([[], [0.9], [0.05, 0.1]]), [[2, 0.075]], 'the third is another');
  test.match(outliersOf(vectors([[], [0.9], [0.05, 0.1]])), [{ reason: /below 0\.30, the least of one person/ }]);
  test.same(found([[], [0.31], [0.31, 0.31]]), [], 'just above the least');
  test.same(found([[], [0.29], [0.29, 0.29]]).length, 3, 'just below it');
  test.same(found([[], [0.31], [0.31, 0.31]], 128).length, 3, 'SFace: 0.363 is the least');
});

t.test('two', async (test) => {
  test.same(found([[], [0.31]]), []);
  test.same(
    found([[], [0.2]]),
    [
      [1, 0.2],
      [0, 0.2],
    ],
    'both, and neither more than the other',
  );
});

t.test('far from the others, though it may be the same person', async (test) => {
  // medians 0.8, 0.8, 0.8, 0.8 and 0.4: the spread is 0, and 0.4 is below 0.45
  const four = [[], [0.8], [0.8, 0.8], [0.8, 0.8, 0.8]];
  test.same(found([...four, [0.4, 0.4, 0.4, 0.4]]), [[4, 0.4]]);
  test.match(outliersOf(vectors([...four, [0.4, 0.4, 0.4, 0.4]])), [
    { reason: /below 0\.80, far from the others' 0\.80/ },
  ]);
  test.same(found([...four, [0.46, 0.46, 0.46, 0.46]]), [], 'above 0.45 it is trusted, however close the others are');
  // medians 0.6, 0.5, 0.55, 0.4: usual 0.525, deviations 0.075, 0.025, 0.025, 0.125, spread 0.05, least 0.375
  test.same(found([[], [0.6], [0.6, 0.5], [0.4, 0.4, 0.55]]), [], 'within three spreads');
});

t.test('the worst come first, of equals the later one; the larger part stays', async (test) => {
  test.same(
    found([[], [0.9], [0.9, 0.9], [0.1, 0.1, 0.1], [0, 0, 0, 0.2]]).map(([index]) => index),
    [4, 3],
  );
  test.same([1, 2, 3, 4, 5, 16].map(mostDropped), [0, 0, 1, 1, 2, 7]);
});
