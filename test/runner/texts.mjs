// Prompts: ids of both tokenizers, weights, chunks, directives. Emphasis on tensors is the native half's.
import { chunksOf } from '../../dist/prompt/chunks.js';
import { withoutDirectives } from '../../dist/prompt/directives.js';
import { publicTokenizer } from '../../dist/prompt/tokenizer.js';
import { weighted } from '../../dist/prompt/weighting.js';

/** @typedef {import('./cases.mjs').Case} Case @typedef {import('./verdict.mjs').Verdict} Verdict */

/** @param {unknown} a @param {unknown} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
/** @param {string} text */
const shown = (text) => JSON.stringify(text.slice(0, 60));
/** The first tokenizer, and SDXL's second. */
const bothTokenizers = () => Promise.all([publicTokenizer(), publicTokenizer('!')]);

/** @param {Case} c @param {Verdict} verdict */
const checkTokens = async (c, verdict) => {
  const tokenizers = await bothTokenizers();
  for (const row of c.table.rows) {
    const want = [
      { ids: row.ids, tail: row.padded_tail },
      { ids: row.ids_2 ?? row.ids, tail: row.padded_2_tail },
    ];
    for (const [k, tokenizer] of tokenizers.entries()) {
      const what = `${shown(row.text)}, tokenizer ${k + 1}`;
      verdict.close(what, tokenizer.ids(row.text), want[k].ids, 0);
      const window = tokenizer.window(row.text);
      verdict.require(window.length === 77, `${what}: a window of ${window.length}`);
      verdict.close(`${what}: tail`, window.slice(-3), want[k].tail, 0);
    }
  }
};

/** @param {Case} c @param {Verdict} verdict */
const checkWeights = (c, verdict) => {
  for (const row of c.table.rows) {
    const got = weighted(row.text);
    verdict.require(
      same(
        got.map(({ text }) => text),
        row.parsed.map(([text]) => text),
      ),
      `${shown(row.text)}: other pieces`,
    );
    verdict.close(
      shown(row.text),
      got.map(({ weight }) => weight),
      row.parsed.map(([, weight]) => weight),
      1e-6,
    ); // six digits
  }
};

/** @param {Case} c @param {Verdict} verdict */
const checkChunks = async (c, verdict) => {
  const tokenizers = await bothTokenizers();
  for (const row of c.table.rows) {
    const what = `${shown(row.text)}, ${row.text.length} characters, tokenizer ${row.tokenizer}`;
    const chunks = chunksOf(tokenizers[row.tokenizer - 1], weighted(row.text));
    verdict.require(
      same(
        chunks.map(({ ids }) => ids),
        row.chunks,
      ),
      `${what}: other ids`,
    );
    for (const [i, { weights }] of chunks.entries())
      verdict.close(`${what}: weights of chunk ${i}`, weights, row.weights[i] ?? new Array(77).fill(1), 1e-5); // five digits
  }
};

/** @param {Case} c @param {Verdict} verdict */
const checkDirectives = (c, verdict) => {
  for (const row of c.table.rows) {
    const { text, found } = withoutDirectives(row.text);
    verdict.require(text === row.clean, `${shown(row.text)}: ${shown(text)} is left, expected ${shown(row.clean)}`);
    verdict.require(
      same(found, row.found),
      `${shown(row.text)}: ${JSON.stringify(found)}, expected ${JSON.stringify(row.found)}`,
    );
  }
};

export const checks = {
  'text/tokens': checkTokens,
  'text/weights': checkWeights,
  'text/chunks': checkChunks,
  'text/directives': checkDirectives,
};
