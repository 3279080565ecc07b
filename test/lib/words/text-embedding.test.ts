// Text embeddings of every file format on the bundled model: a word's own vector under another name draws what the word draws.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { GenerateOptions, LoadOptions, Pipeline } from '../../../lib/index.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { writeSafetensors } from '../ldm-file.js';
import { type Saved, type Tree, torchSaved } from '../made/torch.js';
import { digestOf, drawn, failure, opened, scene, sketch } from '../sketch.js';
import { tokenTable } from './tokens.js';

const folder = mkdtempSync(join(tmpdir(), 'ipa-words-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const short: Partial<GenerateOptions> = { steps: 1 };
const { width, rows } = tokenTable(join(sketch.path, 'text_encoder', 'model.safetensors'));

/** Vectors of these words, which are one token each. */
const vectors = (pipe: Pipeline, words: string): Saved => {
  const [tower] = pipelineParts(pipe).model.text;
  const ids = tower!.tokenizer.ids(words);
  return { shape: [ids.length, width], data: Float32Array.from(ids.flatMap((id) => [...rows(id)])) };
};
const file = (name: string, bytes: Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const pickled = (name: string, tree: Tree): string => file(name, torchSaved(tree));
const safe = (name: string, tensors: Readonly<Record<string, Saved>>): string => {
  const path = join(folder, name);
  const entries = Object.entries(tensors).map(
    ([key, { shape, data }]) => [key, { dtype: 'F32', shape, bytes: Buffer.from(data.buffer) }] as const,
  );
  writeSafetensors(path, new Map(entries));
  return path;
};
const start = async (test: Test, options: LoadOptions = {}) => {
  const pipe = await opened(test, options);
  return { pipe, hat: vectors(pipe, 'pink'), draw: (prompt: string) => drawn(pipe, { ...short, prompt }) };
};
const said = (word: string): string => `portrait of a man, smiling, wearing a ${word} hoodie`;

t.test('every format: one vector, and the name that the file gives', async (test) => {
  const { pipe, hat, draw } = await start(test);
  const want = await draw(said('pink'));
  const other = await draw(said('green'));
  test.not(want, other, 'the words act');
  const flat: Saved = { shape: [width], data: hat.data };
  const files: readonly (readonly [string, string])[] = [
    [pickled('learned_embeds.bin', { '<my-hat>': hat }), '<my-hat>'],
    [pickled('flat.bin', { hat: flat }), 'hat'],
    [safe('learned_embeds.safetensors', { 'My Hat': flat }), 'My Hat'],
    [pickled('a1111.pt', { string_to_token: {}, string_to_param: { '*': hat }, name: 'inked', step: '5' }), 'inked'],
    [pickled('nameless.pt', { string_to_param: { '*': hat } }), 'nameless'],
    [safe('kohya.safetensors', { emb_params: hat }), 'kohya'],
  ];
  for (const [path, name] of files) {
    const embedding = await pipe.addTextEmbedding(path);
    test.equal(embedding.name, name);
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    test.same(embedding.info, { vectors: 1, widths: [width], encoders: 1, sha256 });
    test.same(pipe.info.textEmbeddings, [name]);
    test.equal(await draw(said(name)), want, name);
    test.equal(await draw(said('green')), other, 'a prompt that does not name it');
    await embedding.dispose();
    test.ok(embedding.disposed);
    test.same(pipe.info.textEmbeddings, []);
    test.not(await draw(said(name)), want, `${name}: gone`);
  }
});

t.test('emphasis, negative prompts, several vectors, the record', async (test) => {
  const { pipe, hat } = await start(test);
  const path = pickled('hat.pt', { string_to_param: { '*': hat } });
  await using embedding = await pipe.addTextEmbedding(path, { token: 'zqx' });
  await using two = await pipe.addTextEmbedding(safe('two.safetensors', { emb_params: vectors(pipe, 'pink hoodie') }));
  const run = async (options: Partial<GenerateOptions>) => {
    const { images } = await pipe.generate({ ...scene, ...short, guidanceScale: 4, ...options });
    return { picture: digestOf(images[0]!.data), words: images[0]!.metadata.textEmbeddings };
  };
  const same = async (made: Partial<GenerateOptions>, own: Partial<GenerateOptions>, names: string[]) => {
    const [a, b] = [await run(made), await run(own)];
    test.equal(a.picture, b.picture, `${made.prompt} ${made.negativePrompt}`);
    test.same(
      a.words?.map(({ name }) => name),
      names,
    );
    test.equal(b.words, undefined);
    return a;
  };
  const emphasised = await same({ prompt: 'a (zqx:1.4) hoodie' }, { prompt: 'a (pink:1.4) hoodie' }, ['zqx']);
  test.same(emphasised.words, [{ name: 'zqx', sha256: embedding.info.sha256 }]);
  test.not((await run({ prompt: 'a zqx hoodie' })).picture, emphasised.picture, 'emphasis acts');
  await same(
    { prompt: 'a man', negativePrompt: '[zqx] hoodie' },
    { prompt: 'a man', negativePrompt: '[pink] hoodie' },
    ['zqx'],
  );
  await same({ prompt: 'a two, zqx' }, { prompt: 'a pink hoodie, pink' }, ['zqx', 'two']);
  test.equal(two.info.vectors, 2);
  const [syntax, other] = [{ promptSyntax: 'comfyui' }, { promptSyntax: 'compel' }] as const;
  await same(
    { ...syntax, prompt: 'a (embedding:zqx:1.4), embedding:two' },
    { ...syntax, prompt: 'a (pink:1.4) , pink hoodie' },
    ['zqx', 'two'],
  );
  await same({ ...other, prompt: 'a two- (zqx)1.4' }, { ...other, prompt: 'a (pink hoodie)- (pink)1.4' }, [
    'zqx',
    'two',
  ]);
  await same(
    { ...other, prompt: '("a zqx", "hair").blend(0.7, 0.3)' },
    { ...other, prompt: '("a pink", "hair").blend(0.7, 0.3)' },
    ['zqx'],
  );
  await same(
    { steps: 3, prompt: 'a [zqx:green:2] hoodie AND two', negativePrompt: '[zqx|hair]' },
    { steps: 3, prompt: 'a [pink:green:2] hoodie AND pink hoodie', negativePrompt: '[pink|hair]' },
    ['zqx', 'two'],
  );
  const { warnings } = await pipe.generate({ ...scene, ...short, ...syntax, prompt: 'a embedding:nobody hoodie' });
  test.match(warnings, [{ code: 'PROMPT_SYNTAX', message: /"embedding:nobody"/ }]);
  await same({ ...syntax, prompt: 'embedding:zqx embedding:nobody' }, { ...syntax, prompt: 'pink' }, ['zqx']);
  const plain = await run({ prompt: 'a zqx hoodie', promptSyntax: 'plain' });
  test.equal(plain.words, undefined, 'plain text has no words of its own');
  test.not(plain.picture, (await run({ prompt: 'a zqx hoodie' })).picture);
  test.equal((await run({ prompt: 'a man', negativePrompt: 'zqx', guidanceScale: 1 })).words, undefined, 'not read');
});

t.test('75 vectors fill a window', async (test) => {
  const { pipe, draw } = await start(test);
  const one = vectors(pipe, 'pink');
  const data = Float32Array.from({ length: 75 * width }, (_, i) => one.data[i % width]!);
  await pipe.addTextEmbedding(safe('full.safetensors', { emb_params: { shape: [75, width], data } }));
  test.equal(await draw('full'), await draw(new Array(75).fill('pink').join(' ')));
  test.equal(await draw('full hoodie'), await draw(`${new Array(75).fill('pink').join(' ')} hoodie`));
});

t.test('what does not fit is refused by name', async (test) => {
  const { pipe, hat } = await start(test);
  const refused = async (path: string, expected: object, options = {}) =>
    test.match(await failure(pipe.addTextEmbedding(path, options)), expected, path);
  const zeros = (...shape: number[]): Saved => ({
    shape,
    data: new Float32Array(shape.reduce((product, side) => product * side, 1)),
  });
  await refused(pickled('sd15.pt', { string_to_param: { '*': zeros(2, 768) } }), {
    code: 'TENSOR_SHAPE',
    message: /sd15\.pt": "string_to_param\.\*" \[2, 768\], expected \[n, 128\]/,
    hint: /made for SD1\.5/,
  });
  await refused(safe('xl.safetensors', { clip_l: zeros(1, 768), clip_g: zeros(1, 1280) }), {
    code: 'TENSOR_SHAPE',
    hint: /made for SDXL/,
  });
  await refused(safe('none.safetensors', { emb_params: zeros(0, width) }), { code: 'TENSOR_SHAPE' });
  await refused(safe('long.safetensors', { emb_params: zeros(76, width) }), { code: 'TENSOR_SHAPE', hint: /1 to 75/ });
  await refused(safe('deep.safetensors', { emb_params: zeros(1, 1, width) }), { code: 'TENSOR_SHAPE' });
  await refused(pickled('many.bin', { one: hat, two: hat }), { code: 'MODEL_FORMAT_UNSUPPORTED', message: /"two"/ });
  await refused(sketch.adapters.base!, { code: 'MODEL_FORMAT_UNSUPPORTED', hint: /addAdapter/ });
  await refused(join(folder, 'missing.pt'), { code: 'MODEL_NOT_FOUND' });
  const path = safe('hat.safetensors', { emb_params: hat });
  await refused(path, { code: 'OPTION_RANGE', hint: /letters/ }, { token: '<|endoftext|>' });
  await refused(path, { code: 'OPTION_TYPE' }, { token: 5 });
  await refused(path, { code: 'OPTION_UNKNOWN' }, { name: 'hat' });
  await pipe.addTextEmbedding(path, { token: 'Ink Pot' });
  await refused(path, { code: 'OPTION_CONFLICT', message: /"Ink Pot"/ }, { token: 'ink pot' });
  const both = await Promise.allSettled([1, 2].map(() => pipe.addTextEmbedding(path, { token: 'twice' })));
  test.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'at the same time');
  test.match(await failure(pipe.addLora(path)), { code: 'LORA_KEYS_UNMATCHED', hint: /addTextEmbedding/ });
  const holed = { shape: [1, width], data: Float32Array.from(hat.data, (value, i) => (i === 7 ? Number.NaN : value)) };
  const damaged = safe('holed.safetensors', { emb_params: holed });
  await refused(damaged, { code: 'TENSOR_NONFINITE', message: /first at 7/ });
  const { pipe: trusting } = await start(test, { allowNonFinite: true });
  test.equal((await trusting.addTextEmbedding(damaged)).name, 'holed');
  await pipe.dispose();
  await refused(path, { code: 'CLOSED' });
});
