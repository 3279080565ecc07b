// Files of tokenizers, chunks of several prompts, LoRA directives, and time on hostile prompts.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import {
  chunksOf,
  type Fragment,
  loadTokenizer,
  MAX_PROMPT_CHARS,
  type PromptSyntax,
  publicTokenizer,
  wordingOf,
} from '../../../lib/prompt/index.js';
import { weighted } from '../../../lib/prompt/weighting.js';

const sketch = fileURLToPath(new URL('../../../models/sketch/pipeline/tokenizer', import.meta.url));

const read = (text: string, syntax: PromptSyntax = 'a1111', attached: readonly string[] = []) =>
  wordingOf(text, syntax, { steps: 2, attached, isNegative: false });

const copied = (test: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  cpSync(sketch, folder, { recursive: true });
  return folder;
};

t.test('the bundled tokenizer', async (test) => {
  const vocab = JSON.parse(readFileSync(join(sketch, 'vocab.json'), 'utf8')) as Record<string, number>;
  const tokenizer = await loadTokenizer(sketch);
  test.equal(tokenizer.bos, vocab['<|startoftext|>']);
  test.equal(tokenizer.eos, vocab['<|endoftext|>']);
  test.equal(tokenizer.pad, tokenizer.eos);
  test.equal(tokenizer.maxLength, 77);
  test.equal(tokenizer.vocabSize, Math.max(...Object.values(vocab)) + 1);
  test.same(tokenizer.ids('portrait, A Hair'), [
    vocab['portrait</w>'],
    vocab[',</w>'],
    vocab['a</w>'],
    vocab['hair</w>'],
  ]);
  const window = tokenizer.window('a portrait of a woman');
  test.equal(window.length, 77);
  test.equal(window[0], tokenizer.bos);
  test.equal(window[6], tokenizer.eos);
});

t.test('tokenizer.json says the same as vocab.json and merges.txt', async (test) => {
  const folder = copied(test);
  const vocab = JSON.parse(readFileSync(join(folder, 'vocab.json'), 'utf8'));
  const merges = readFileSync(join(folder, 'merges.txt'), 'utf8').trim().split('\n').slice(1);
  rmSync(join(folder, 'merges.txt'));
  const text = 'Portrait of a WOMAN wearing pink glasses, 猫 🐱!';
  const want = (await loadTokenizer(sketch)).ids(text);
  for (const form of [merges, merges.map((line) => line.split(' '))]) {
    writeFileSync(
      join(folder, 'tokenizer.json'),
      JSON.stringify({
        model: { type: 'BPE', vocab, merges: form },
        added_tokens: [{ id: 5, content: '<new>', special: true }],
      }),
    );
    const tokenizer = await loadTokenizer(folder);
    test.same(tokenizer.ids(text), want);
    test.same(tokenizer.ids('<new>'), [5], 'an added token');
  }
});

t.test('pad token and window length come from the files', async (test) => {
  const folder = copied(test);
  writeFileSync(
    join(folder, 'special_tokens_map.json'),
    JSON.stringify({ pad_token: { content: '!', lstrip: false } }),
  );
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ pad_token: '?', model_max_length: 12 }));
  const tokenizer = await loadTokenizer(folder);
  test.equal(tokenizer.pad, 0);
  test.equal(tokenizer.window('a').length, 12);
  test.same(tokenizer.window('a').slice(-2), [0, 0]);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ model_max_length: 1e30 }));
  test.equal((await loadTokenizer(folder)).maxLength, 77);
});

t.test('damaged files are refused by name', async (test) => {
  const refused = async (file: string, text: string | undefined, code: string) => {
    const folder = copied(test);
    if (text === undefined) rmSync(join(folder, file));
    else writeFileSync(join(folder, file), text);
    await test.rejects(loadTokenizer(folder), { code }, `${file}: ${text}`);
  };
  await refused('vocab.json', undefined, 'MODEL_NOT_FOUND');
  await refused('vocab.json', '{', 'MODEL_HEADER_INVALID');
  await refused('vocab.json', '{"a": -1}', 'MODEL_HEADER_INVALID');
  await refused('vocab.json', '{"a": 1e12}', 'MODEL_HEADER_INVALID');
  await refused('vocab.json', '{"a": 1}', 'MODEL_HEADER_INVALID');
  await refused('merges.txt', '#version: 0.2\na b c\n', 'MODEL_HEADER_INVALID');
  await refused('tokenizer_config.json', '[]', 'MODEL_HEADER_INVALID');
  await refused('tokenizer_config.json', '{"added_tokens_decoder": {"x": {"content": "y"}}}', 'MODEL_HEADER_INVALID');
  await test.rejects(loadTokenizer(join(sketch, 'nowhere')), { code: 'MODEL_NOT_FOUND' });
});

t.test('letters are lower-cased without looking at their neighbours', async (test) => {
  const tokenizer = await publicTokenizer();
  test.same(tokenizer.ids('ΟΔΟΣ'), tokenizer.ids('οδοσ'), 'a sigma at the end of a word');
  test.same(tokenizer.ids('İ'), tokenizer.ids('i\u0307'));
});

t.test('plain text stays as it is', async (test) => {
  const text = '(a:1.3) [b] BREAK <lora:x:1> \\(';
  test.same(read(text, 'plain'), {
    parts: [{ weight: 1, texts: [{ fragments: [[{ text, weight: 1 }]] }], steps: [0, 0] }],
    loras: [],
    remarks: [],
  });
});

t.test('LoRA directives are names of what is attached', async (test) => {
  const uses = (text: string) => read(text, 'a1111', ['ink', 'oil paint']).loras;
  test.same(uses('a <lora:ink:0.8>'), [{ name: 'ink', textScale: 0.8, scale: 0.8, rank: undefined }]);
  test.same(uses('<lora:ink>'), [{ name: 'ink', textScale: 1, scale: 1, rank: undefined }]);
  test.same(uses('<lora:oil paint:0.5:-0.25:dyn=8>'), [{ name: 'oil paint', textScale: 0.5, scale: -0.25, rank: 8 }]);
  test.same(uses('<lora:ink:te=0.1:unet=0.2>'), [{ name: 'ink', textScale: 0.1, scale: 0.2, rank: undefined }]);
  test.throws(() => uses('<lora:inc:1>'), { code: 'OPTION_UNKNOWN', hint: /ink/ });
  test.throws(() => uses('<lora:../../x:1>'), { code: 'OPTION_UNKNOWN' });
  test.throws(() => uses('<hypernet:ink:1>'), { code: 'OPTION_UNKNOWN' });
  const malformed = ['<lora:>', '<lora::1>', '<lora: :1>', '<lora:ink:high>', '<lora:ink::2>', '<lora:ink:1e999>'];
  for (const text of [...malformed, '<lora:ink:1:1:1>', '<lora:ink:dyn=x>', '<lora:nobody:y>', '<lora:ink'])
    test.throws(() => uses(`a ${text}`), { code: 'OPTION_RANGE', message: text }, text);
  test.same(read('a <b:> c').loras, [], 'no directive, no error');
});

t.test('hostile prompts take linear time and end in text or a typed error', async (test) => {
  const n = MAX_PROMPT_CHARS;
  const filled = (unit: string) => unit.repeat(Math.floor(n / unit.length));
  const tokenizer = await publicTokenizer();
  const prompts = [
    '(',
    '[',
    ')',
    '(a',
    '[(',
    '(a:1)',
    ':',
    ': ',
    ' ',
    'BREAK',
    ' BREAK ',
    '\\',
    '<a:',
    '<',
    '<lora',
    'a<',
    '((a)b',
    '🐱',
    '\ud800',
    '\0',
    'a',
    'é',
    '!',
    ',',
    'a b ',
    '\u0301',
  ].map(filled);
  prompts.push(`${'(a'.repeat(n / 5)}${':1)'.repeat(n / 5)}`, `:${' '.repeat(n - 1)}`, `:${'1'.repeat(n - 1)}`);
  for (const prompt of prompts) {
    const name = `${prompt.length} × ${JSON.stringify(prompt.slice(0, 8))}`;
    let fragments: readonly Fragment[] = [];
    let parsed = Number.POSITIVE_INFINITY; // ms, best of three: other processes may be busy
    for (let i = 0; i < 3; ++i) {
      const start = performance.now();
      try {
        const text = read(prompt).parts[0]!.texts[0]!;
        fragments = 'fragments' in text ? text.fragments[0]! : [];
      } catch (e) {
        test.match(e, { code: /^OPTION_/ }, name);
      }
      parsed = Math.min(parsed, performance.now() - start);
    }
    const start = performance.now();
    const chunks = chunksOf(tokenizer, fragments);
    const cut = performance.now() - start;
    test.ok(chunks.length > 0 && parsed < 250, `${name}: parsed in ${parsed.toFixed(1)} ms`); // 50 ms on an idle machine
    test.ok(cut < 20_000, `${name}: ${chunks.length} chunks in ${cut.toFixed(0)} ms`);
  }
  test.throws(() => read('a'.repeat(n + 1)), { code: 'PROMPT_TOO_LONG' });
  test.throws(() => weighted(`(a:${'9'.repeat(400)})`), { code: 'OPTION_RANGE' });
});
