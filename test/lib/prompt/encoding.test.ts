// Prompts of ComfyUI's and compel's syntax through the bundled text encoder, against the formulas written out here.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startEngine } from '../../../lib/native/engine.js';
import type { NetworkHandle, Tensor } from '../../../lib/native/types.js';
import { emptyChunk, type Fragment, loadTokenizer, syntaxOf } from '../../../lib/prompt/index.js';
import { digestOf, opened } from '../sketch.js';
import { leafOf } from './leaf.js';

const folder = fileURLToPath(new URL('../../../models/sketch/pipeline', import.meta.url));
const tokenizer = await loadTokenizer(join(folder, 'tokenizer'));
const { engine } = startEngine({ threads: 1 });
t.teardown(() => engine.close());
const network: NetworkHandle = await engine.load({
  kind: 'clip_text',
  source: { path: join(folder, 'text_encoder', 'model.safetensors') },
  config: { num_attention_heads: 4, hidden_act: 'quick_gelu' },
});

/** States of one window of ids, tokens of `hidden` seen by nobody. */
const states = async (ids: readonly number[], hidden?: { first: number; count: number }): Promise<Float32Array> => {
  const numbers: Record<string, number> = hidden ? { hidden_first: hidden.first, hidden_count: hidden.count } : {};
  const input: Tensor = { shape: [1, 1, ids.length, 1], data: Float32Array.from(ids) };
  const out = await engine.run(network, 'hidden', { ids: input }, { numbers: { final_norm: 1, ...numbers } });
  return out.hidden!.data;
};

const window = (ids: readonly number[]): number[] => [
  tokenizer.bos,
  ...ids,
  ...new Array<number>(76 - ids.length).fill(tokenizer.eos),
];

const empty = await states(window([]));
const WIDTH = empty.length / 77;

/** z_empty + (z - z_empty) · w, token by token. */
const moved = (z: Float32Array, weights: readonly number[]): Float64Array =>
  Float64Array.from(z, (value, i) => {
    const weight = weights[Math.floor(i / WIDTH)] ?? 1;
    return empty[i]! + (value - empty[i]!) * weight;
  });

type Said = readonly (readonly [text: string, weight: number])[];
const idsOf = (said: Said, byWord: boolean): { ids: number[]; weights: number[] } => {
  const pieces = said.flatMap(([text, weight]) =>
    (byWord ? text.split(' ') : [text]).flatMap((one) => tokenizer.ids(one).map((id) => [id, weight] as const)),
  );
  return { ids: pieces.map(([id]) => id), weights: [1, ...pieces.map(([, weight]) => weight)] };
};

/** What the library makes of one leaf of a prompt. */
const encoded = async (fragments: readonly Fragment[], syntax: 'comfyui' | 'compel'): Promise<Float32Array> => {
  const { windows, emphasis } = syntaxOf(syntax);
  const { chunks, faded = [] } = windows(tokenizer, fragments);
  const input = {
    network,
    chunks: chunks.map(({ ids }) => ids),
    weights: chunks.map(({ weights }) => weights),
    empty: emptyChunk(tokenizer).ids,
    faded,
    skip: 0,
    state: 'last' as const,
  };
  return (await engine.encodeText([input], { emphasis })).context.data;
};

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < a.length; ++i) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return a.length === b.length ? most : Number.POSITIVE_INFINITY;
};

const CLOSE = 2e-5; // f32 states of some 10, one rounding each

const COMFY: readonly (readonly [prompt: string, said: Said])[] = [
  ['portrait of a man', [['portrait of a man', 1]]],
  [
    'portrait of a (man)',
    [
      ['portrait of a', 1],
      ['man', 1.1],
    ],
  ],
  [
    'a ((man))',
    [
      ['a', 1],
      ['man', 1.1 * 1.1],
    ],
  ],
  ['(man:1.3)', [['man', 1.3]]],
  [
    '((man:1.3) smiling)',
    [
      ['man', 1.3],
      ['smiling', 1.1],
    ],
  ],
  [
    '((man:1.3) smiling:0.5) woman',
    [
      ['man', 1.3],
      ['smiling', 0.5],
      ['woman', 1],
    ],
  ],
  ['(blue: hair)', [['blue: hair', 1.1]]],
  [
    '\\(man\\) (woman:0)',
    [
      ['(man)', 1],
      ['woman', 0],
    ],
  ],
  [
    '[man] (hair:-0.5)',
    [
      ['[man]', 1],
      ['hair', -0.5],
    ],
  ],
  [
    'a (green (hoodie:1.4), yellow:0.8) background',
    [
      ['a', 1],
      ['green', 0.8],
      ['hoodie', 1.4],
      [', yellow', 0.8],
      ['background', 1],
    ],
  ],
];

t.test('comfyui: ten prompts', async (test) => {
  for (const [prompt, said] of COMFY) {
    const { ids, weights } = idsOf(said, true);
    const want = moved(await states(window(ids)), weights);
    const far = distance(await encoded(leafOf(prompt, 'comfyui'), 'comfyui'), want);
    test.ok(far < CLOSE, `${prompt}: ${far}`);
  }
});

t.test('comfyui: words are not split between windows, unless they are long', async (test) => {
  const { windows } = syntaxOf('comfyui');
  const ids = (prompt: string) => windows(tokenizer, leafOf(prompt, 'comfyui')).chunks.map((chunk) => chunk.ids);
  const word = tokenizer.ids('zzzzz');
  test.ok(word.length > 1 && word.length < 8, `a word of ${word.length} tokens`);
  const [first, second] = ids(`${'a '.repeat(74)}zzzzz`);
  test.equal(first!.indexOf(tokenizer.eos), 75, 'the window ends early');
  test.same(second!.slice(1, 1 + word.length), word);
  const long = tokenizer.ids('z'.repeat(40));
  test.ok(long.length >= 8, `a word of ${long.length} tokens`);
  test.same(ids(`${'a '.repeat(74)}${'z'.repeat(40)}`)[0]![75], long[0], 'a long one is split');
});

const COMPEL: readonly (readonly [prompt: string, said: Said])[] = [
  ['portrait of a man', [['portrait of a man', 1]]],
  [
    'portrait of a man+',
    [
      ['portrait of a', 1],
      ['man', 1.1],
    ],
  ],
  [
    'a man++ smiling',
    [
      ['a', 1],
      ['man', 1.1 ** 2],
      ['smiling', 1],
    ],
  ],
  [
    'a man- smiling',
    [
      ['a', 1],
      ['man', 0.9],
      ['smiling', 1],
    ],
  ],
  [
    'a (green hoodie)1.3',
    [
      ['a', 1],
      ['green hoodie', 1.3],
    ],
  ],
  [
    'a (green hoodie)0.2, yellow background',
    [
      ['a', 1],
      ['green hoodie', 0.2],
      [', yellow background', 1],
    ],
  ],
  [
    '(a man (smiling)1.2)++',
    [
      ['a man', 1.1 ** 2],
      ['smiling', 1.1 ** 2 * 1.2],
    ],
  ],
  [
    'man-- woman+ hair---',
    [
      ['man', 0.9 ** 2],
      ['woman', 1.1],
      ['hair', 0.9 ** 3],
    ],
  ],
  ['a man \\(smiling\\)', [['a man (smiling)', 1]]],
  [
    'hair (man)0 woman',
    [
      ['hair', 1],
      ['man', 0],
      ['woman', 1],
    ],
  ],
];

/** The mean of the prompt and of the prompt without each fragment that weighs less than 1. */
const compelNaive = async (said: Said): Promise<Float64Array> => {
  const { ids, weights } = idsOf(said, false);
  const all = [{ share: 1, z: moved(await states(window(ids)), weights) }];
  let first = 1;
  for (const [text, weight] of said) {
    const count = tokenizer.ids(text).length;
    if (weight < 1) {
      const share = Math.tan(((1 - Math.max(weight, 1e-5)) * Math.PI) / 2);
      all.push({ share, z: moved(await states(window(ids), { first, count }), weights) });
    }
    first += count;
  }
  const total = all.reduce((sum, { share }) => sum + share, 0);
  return all[0]!.z.map((_, i) => all.reduce((sum, { share, z }) => sum + (share / total) * z[i]!, 0));
};

t.test('compel: ten prompts', async (test) => {
  for (const [prompt, said] of COMPEL) {
    const far = distance(await encoded(leafOf(prompt, 'compel'), 'compel'), await compelNaive(said));
    test.ok(far < CLOSE, `${prompt}: ${far}`);
  }
});

t.test('compel: what is hidden has no part in what is around it', async (test) => {
  const [a, b] = [tokenizer.ids('a green man smiling'), tokenizer.ids('a blue man smiling')];
  const around = (z: Float32Array) => [...z.subarray(0, 2 * WIDTH), ...z.subarray(3 * WIDTH)];
  const hidden = { first: 2, count: 1 };
  test.equal(distance(around(await states(window(a), hidden)), around(await states(window(b), hidden))), 0);
  test.ok(distance(around(await states(window(a))), around(await states(window(b)))) > 0.01);
});

t.test('blends and rows are sums and joins of encodings', async (test) => {
  const pipe = await opened(test);
  const drawn = async (prompt: string): Promise<string> => {
    const { images } = await pipe.generate({ prompt, promptSyntax: 'compel', seed: 3, steps: 2 });
    test.equal(images[0]!.metadata.promptSyntax, 'compel');
    return digestOf(images[0]!.data);
  };
  const alone = await drawn('portrait of a man');
  test.equal(await drawn('("portrait of a man", "hair").blend(1, 0)'), alone);
  test.equal(await drawn('("portrait of a man", "portrait of a man").blend(2, 2)'), alone);
  test.not(await drawn('("portrait of a man", "hair").and()'), alone);
});
