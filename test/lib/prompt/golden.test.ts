// Prompts of the reference: ids of both tokenizers, weights, chunks, directives. Emphasis on tensors is tested natively.
import t from 'tap';
import { chunksOf } from '../../../lib/prompt/chunks.js';
import { withoutDirectives } from '../../../lib/prompt/directives.js';
import { type ClipTokenizer, publicTokenizer } from '../../../lib/prompt/tokenizer.js';
import { weighted } from '../../../lib/prompt/weighting.js';
import { goldenJson } from '../../golden.js';

const tokenizers: ClipTokenizer[] = [await publicTokenizer(), await publicTokenizer('!')];

interface TokenRow {
  text: string;
  ids: number[];
  ids_2?: number[];
  padded_tail: number[];
  padded_2_tail: number[];
}

t.test('text/tokens', async (test) => {
  for (const row of goldenJson<{ rows: TokenRow[] }>('text/tokens').rows) {
    const name = JSON.stringify(row.text.slice(0, 60));
    const want = [
      { ids: row.ids, tail: row.padded_tail },
      { ids: row.ids_2 ?? row.ids, tail: row.padded_2_tail },
    ];
    for (const [k, tokenizer] of tokenizers.entries()) {
      const { ids, tail } = want[k]!;
      test.same(tokenizer.ids(row.text), ids, `${name}, tokenizer ${k + 1}`);
      const window = tokenizer.window(row.text);
      test.equal(window.length, 77, `${name}: window`);
      test.same(window.slice(-3), tail, `${name}: tail, tokenizer ${k + 1}`);
    }
  }
});

t.test('text/weights', async (test) => {
  for (const row of goldenJson<{ rows: { text: string; parsed: [string, number][] }[] }>('text/weights').rows) {
    const got = weighted(row.text);
    test.same(
      got.map(({ text }) => text),
      row.parsed.map(([text]) => text),
      `${row.text}: pieces`,
    );
    // the file has six digits
    const worst = got.reduce(
      (most, { weight }, i) => Math.max(most, Math.abs(weight - (row.parsed[i]?.[1] ?? Number.NaN))),
      0,
    );
    test.ok(worst <= 1e-6, `${row.text}: weights differ by ${worst}`);
  }
});

interface ChunkRow {
  text: string;
  tokenizer: 1 | 2;
  chunks: number[][];
  weights: (number[] | null)[];
}

t.test('text/chunks', async (test) => {
  for (const row of goldenJson<{ rows: ChunkRow[] }>('text/chunks').rows) {
    const name = `${JSON.stringify(row.text.slice(0, 40))}, ${row.text.length} characters, tokenizer ${row.tokenizer}`;
    const chunks = chunksOf(tokenizers[row.tokenizer - 1]!, weighted(row.text));
    test.same(
      chunks.map(({ ids }) => ids),
      row.chunks,
      `${name}: ids`,
    );
    for (const [i, { weights }] of chunks.entries()) {
      const want = row.weights[i] ?? new Array<number>(77).fill(1);
      test.equal(weights.length, want.length, `${name}: as many weights as tokens`);
      const worst = weights.reduce((most, weight, k) => Math.max(most, Math.abs(weight - want[k]!)), 0);
      test.ok(worst <= 1e-5, `${name}: weights of chunk ${i} differ by ${worst}`); // the file has five digits
    }
  }
});

interface DirectiveRow {
  text: string;
  clean: string;
  found: object[];
}

t.test('text/directives', async (test) => {
  for (const row of goldenJson<{ rows: DirectiveRow[] }>('text/directives').rows) {
    const { text, found } = withoutDirectives(row.text);
    test.equal(text, row.clean, `${row.text}: text`);
    test.same(found, row.found, `${row.text}: directives`);
  }
});
