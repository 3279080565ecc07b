import t from 'tap';
import { type Sites, siteScales } from '../../../lib/adapters/scales.js';
import type { OptionError } from '../../../lib/errors.js';

// The cross-attentions of SD1.5, and two of SDXL's kind, in execution order
const site = (path: string, index: number) => ({ path: `${path}.attn2`, width: 320, index });
const sd15: Sites = [
  ...[0, 1, 2].flatMap((b) => [0, 1].map((a) => `down_blocks.${b}.attentions.${a}.transformer_blocks.0`)),
  'mid_block.attentions.0.transformer_blocks.0',
  ...[1, 2, 3].flatMap((b) => [0, 1, 2].map((a) => `up_blocks.${b}.attentions.${a}.transformer_blocks.0`)),
].map(site);
const twoBlocks: Sites = [0, 0, 1, 1].map((index, i) =>
  site(`down_blocks.1.attentions.${index}.transformer_blocks.${i % 2}`, index),
);
const failure = (work: () => unknown): OptionError => {
  try {
    work();
  } catch (error) {
    return error as OptionError;
  }
  throw new Error('nothing was thrown');
};

t.test('one number is for all', async (test) => {
  test.same(siteScales(0.7, sd15, 'scale'), new Array(16).fill(0.7));
});

t.test('flat lists, one per cross-attention or per transformer', async (test) => {
  const list = Array.from({ length: 16 }, (_, i) => (i === 3 ? null : i / 10));
  test.same(
    siteScales(list, sd15, 'scale'),
    list.map((v) => v ?? 0),
  );
  test.same(siteScales([1, 2], twoBlocks, 'scale'), [1, 1, 2, 2]);
  test.same(siteScales([1, 2, 3, 4], twoBlocks, 'scale'), [1, 2, 3, 4]);
  test.match(
    failure(() => siteScales([1, 2, 3], twoBlocks, 'scale')),
    { code: 'OPTION_RANGE', message: '4 or 2' },
  );
});

t.test('text: pairs of transformer and scale, others off', async (test) => {
  const scales = siteScales('3:2.5, 6:1', sd15, 'scale');
  test.same(
    scales,
    scales.map((_, i) => (i === 3 ? 2.5 : i === 6 ? 1 : 0)),
  );
  test.same(siteScales('1:-0.5', twoBlocks, 'scale'), [0, 0, -0.5, -0.5]);
  for (const text of ['high', '3', '3:', '16:1', '3:9', '', '3:1;4:1']) {
    test.ok(
      ['OPTION_TYPE', 'OPTION_RANGE'].includes(failure(() => siteScales(text, sd15, 'scale')).code),
      JSON.stringify(text),
    );
  }
});

t.test('block dictionary: what is not mentioned is 0', async (test) => {
  const scales = siteScales({ down: { block_2: [0, 1] }, up: { block_1: [0, 0.5, 0] }, mid: 0.3 }, sd15, 'scale');
  test.same(scales, [0, 0, 0, 0, 0, 1, 0.3, 0, 0.5, 0, 0, 0, 0, 0, 0, 0]);
  test.same(siteScales({ up: 1 }, sd15, 'scale'), [...new Array(7).fill(0), ...new Array(9).fill(1)]);
  test.same(siteScales({ down: { block_0: [0.4] } }, sd15, 'scale').slice(0, 3), [0.4, 0.4, 0]);
  test.match(
    failure(() => siteScales({ down: { block_3: 1 } }, sd15, 'scale')),
    { code: 'OPTION_UNKNOWN', hint: 'block_0, block_1, block_2' },
  );
  test.match(
    failure(() => siteScales({ down: { block_2: [1, 1, 1] } }, sd15, 'scale')),
    { code: 'OPTION_RANGE' },
  );
  test.equal(failure(() => siteScales({ side: 1 }, sd15, 'scale')).code, 'OPTION_UNKNOWN');
  test.equal(failure(() => siteScales({ down: [1, 1] }, sd15, 'scale')).code, 'OPTION_TYPE');
  test.equal(failure(() => siteScales({ up: { block_1: 'x' } }, sd15, 'scale')).code, 'OPTION_TYPE');
});

t.test('values from -1 to 5', async (test) => {
  for (const value of [-1.01, 5.01, Number.NaN, Infinity]) {
    test.equal(failure(() => siteScales(value, sd15, 'references[0].scale')).code, 'OPTION_RANGE');
  }
  for (const value of [true, null, undefined, 1n])
    test.equal(failure(() => siteScales(value, sd15, 'scale')).code, 'OPTION_TYPE');
});
