// A picture is drawn again from its record alone: the same pixels, with every file found by its hash under another name.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import {
  Embedding,
  type GeneratedImage,
  type GenerateOptions,
  type LoadOptions,
  Pipeline,
  type Recipe,
  type RunRecord,
  readMetadata,
  recipeOf,
} from '../../../lib/index.js';
import { readSafetensors, writeSafetensors } from '../ldm-file.js';
import { kohya, LAYERS, written } from '../loras.js';
import { goldenPart, modelFolder } from '../made/models.js';
import { writeMade } from '../made/rule.js';
import { digestOf, failure, opened, reference, sketch } from '../sketch.js';

const folder = mkdtempSync(join(tmpdir(), 'ipa-recipe-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => join(folder, ...names);
mkdirSync(at('deep', 'er'), { recursive: true });
const found = at('deep');

const SIDE = 128;
const short: GenerateOptions = { prompt: 'portrait of a woman', seed: 5, steps: 2, guidanceScale: 2 };
const people = [1, 2, 3, 4].map((n) => reference(`person-${n}-1.png`)) as [string, string, string, string];

/** Raw pixels, and the same in a file of the folder that is searched. */
const square = async (name: string, from: number, to: number) => {
  const data = new Uint8Array(SIDE * SIDE);
  for (let y = from; y < to; ++y) data.fill(255, y * SIDE + from, y * SIDE + to);
  await sharp(data, { raw: { width: SIDE, height: SIDE, channels: 1 } })
    .png()
    .toFile(at('deep', 'er', `${name}.png`));
  return { data, width: SIDE, height: SIDE, channels: 1 as const };
};

const repeated = async (recipe: Recipe, change: Partial<GenerateOptions> = {}): Promise<GeneratedImage> => {
  await using pipe = await Pipeline.load(recipe.model, recipe.load);
  for (const { file, options } of recipe.adapters) await pipe.addAdapter(file, options);
  for (const { file, options } of recipe.loras) await pipe.addLora(file, options);
  for (const { file, options } of recipe.textEmbeddings) await pipe.addTextEmbedding(file, options);
  for (const { file, options } of recipe.controlNets) await pipe.addControlNet(file, options);
  const { images } = await pipe.generate({ ...recipe.options, ...change });
  return images[recipe.keep]!;
};

/** The record as a file carries it. */
const recordIn = async (image: GeneratedImage): Promise<RunRecord> =>
  (await readMetadata(await image.toBuffer('png'))).record!;

const expectAgain = async (test: Test, image: GeneratedImage, what: string): Promise<Recipe> => {
  const recipe = await recipeOf(await recordIn(image), { search: [found] });
  const again = await repeated(recipe);
  test.equal(digestOf(again.data), digestOf(image.data), `${what}: the same pixels`);
  test.same(again.metadata, image.metadata, `${what}: the same record`);
  return recipe;
};

const attach = (pipe: Pipeline, name: string, more: object = {}) =>
  pipe.addAdapter(sketch.adapters[name]!, { encoder: sketch.encoder, face: sketch.face, name, ...more });

t.test('text alone, several pictures, and all pictures as one draw', async (test) => {
  const pipe = await opened(test);
  const { images } = await pipe.generate({ ...short, seed: 2n ** 63n, count: 2, negativePrompt: 'a hat', clipSkip: 1 });
  await expectAgain(test, images[1]!, 'the second of two');
  const one = await pipe.generate({ ...short, count: 3, noise: 'comfyui', sampler: 'euler_ancestral', eta: 0.5 });
  const recipe = await expectAgain(test, one.images[2]!, 'the third of one draw');
  test.equal(recipe.keep, 2);
  test.match(recipe.options, { count: 3, batchNoise: 'single' });
});

t.test('a second pass, and work left out', async (test) => {
  const pipe = await opened(test, { memory: { vaeTiling: 'always' } });
  await attach(pipe, 'plus');
  const hires = { scale: 2, steps: 2, strength: 0.6, upscaler: 'lanczos' } as const;
  const references = [{ image: people[0], passes: 'base' as const }];
  const less = { freeU: { b1: 1.3, s2: 0.4 }, reuse: { every: 2 }, guidanceEnd: 0.8 } as const;
  const { images } = await pipe.generate({ ...short, steps: 4, hires, references, ...less });
  const recipe = await expectAgain(test, images[0]!, 'two passes in tiles');
  test.match(recipe, { load: { memory: { vaeTiling: 'always' } }, options: { hires, reuse: { every: 2 } } });
});

t.test('a picture to begin with, and masks', async (test) => {
  const pipe = await opened(test);
  const mask = await square('where', 40, 88);
  const draw = async (init: GenerateOptions['init']) => (await pipe.generate({ ...short, init })).images[0]!;
  await expectAgain(test, await draw({ image: people[0], strength: 0.5 }), 'img2img');
  await expectAgain(test, await draw({ image: people[0], mask, maskPadding: 8, fill: 'noise' }), 'into a mask');
  await attach(pipe, 'faceid', { name: 'eyes' });
  const recipe = await expectAgain(test, await draw({ image: people[0], mask: 'face' }), 'a face without a reference');
  test.match(recipe.adapters, [{ options: { name: 'eyes', face: { detector: sketch.face.detector } } }]);
});

t.test('references: faces, regions, weights, kinds of strength, negative pictures', async (test) => {
  const pipe = await opened(test);
  const face = await attach(pipe, 'faceid-plusv2', {
    face: { ...sketch.face, detSize: 128, detThreshold: 0.4 },
    faceCrop: 448,
  });
  const plus = await attach(pipe, 'plus', { name: 'renamed' });
  const draw = async (options: Partial<GenerateOptions>) => (await pipe.generate({ ...short, ...options })).images[0]!;
  const swap = {
    init: { image: people[0], mask: 'face', maskPadding: 16 },
    references: [{ adapter: face, image: people[1] }],
  };
  await expectAgain(test, await draw(swap as Partial<GenerateOptions>), 'a face put in');
  const halves = [
    { adapter: face, image: people[0], region: [0, 0, 0.5, 1] as const },
    { adapter: face, image: people[1], region: [0.5, 0, 0.5, 1] as const },
  ];
  await expectAgain(test, await draw({ faces: halves, width: 256 }), 'two people');
  for (const weights of ['quality', [3, 0.7, 0]] as const) {
    const images = people.slice(0, 3);
    const outliers = 'off' as const;
    await expectAgain(test, await draw({ references: [{ adapter: face, images, weights, outliers }] }), 'weights');
  }
  const mask = await square('acts', 0, 64);
  const styled = { adapter: plus, image: people[3], weightType: 'style transfer precise', mask, tiles: true } as const;
  await expectAgain(test, await draw({ references: [styled] }), 'a weight type, a mask and tiles');
  for (const negative of [people[2], { noise: 'shuffle', blur: 3 }] as const)
    await expectAgain(
      test,
      await draw({
        references: [{ adapter: plus, image: people[3], negative, compositionImage: people[0], scale: { mid: 1 } }],
      }),
      'a negative picture',
    );
  const read = await plus.encode([people[0], people[1]], { name: 'both' });
  writeFileSync(at('deep', 'both.ipae'), read.toBuffer());
  const embedding = Embedding.from(read.toBuffer());
  const options = { references: [{ adapter: plus, embedding, weights: [1, 0.5] }] };
  await expectAgain(test, await draw(options), 'an embedding');
});

t.test('LoRAs, words and controls, found under other names', async (test) => {
  const pipe = await opened(test);
  const [ink, dust] = [written('ink', kohya(LAYERS.unet)), written('dust', kohya(LAYERS.text))];
  copyFileSync(ink, at('deep', 'er', '1.safetensors'));
  copyFileSync(dust, at('deep', 'er', '2.safetensors'));
  const word = at('word.safetensors');
  const numbers = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i));
  writeSafetensors(
    word,
    new Map([['emb_params', { dtype: 'F32', shape: [1, 128], bytes: Buffer.from(numbers.buffer) }]]),
  );
  copyFileSync(word, at('deep', 'er', '3.safetensors'));
  await pipe.addLora(ink, { name: 'ink', scale: 0.4, textScale: 0 });
  await pipe.addLora(dust, { name: 'dust' });
  await pipe.addTextEmbedding(word, { token: 'glimmer' });
  const prompt = 'portrait of a glimmer woman <lora:ink:0.7>';
  const { images } = await pipe.generate({ ...short, prompt, loras: [{ lora: 'dust', scale: 0.5 }] });
  const recipe = await expectAgain(test, images[0]!, 'LoRAs and a word');
  test.same(
    recipe.loras.map(({ options }) => options.name),
    ['dust', 'ink'],
  );
  test.match(recipe.textEmbeddings, [{ options: { token: 'glimmer' } }]);
});

t.test('a model whose UNet lies in shards, which count and not their index alone', async (test) => {
  const model = at('deep', 'sharded');
  cpSync(sketch.path, model, { recursive: true });
  const [base, unet] = ['diffusion_pytorch_model', join(model, 'unet')];
  const whole = join(unet, `${base}.safetensors`);
  const tensors = [...readSafetensors(whole)];
  const map: Record<string, string> = {};
  for (const [i, some] of [tensors.slice(0, 40), tensors.slice(40)].entries()) {
    const shard = `${base}-0000${i + 1}-of-00002.safetensors`;
    writeSafetensors(join(unet, shard), new Map(some));
    for (const [name] of some) map[name] = shard;
  }
  writeFileSync(join(unet, `${base}.safetensors.index.json`), JSON.stringify({ weight_map: map }));
  rmSync(whole);
  const pipe = await Pipeline.load(model, { device: 'cpu' });
  test.teardown(() => pipe.dispose());
  const image = (await pipe.generate(short)).images[0]!;
  const { model: path } = await expectAgain(test, image, 'shards');
  test.equal(path, model);

  const record = await recordIn(image);
  const last = join(unet, `${base}-00002-of-00002.safetensors`);
  const bytes = readFileSync(last);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(last, bytes);
  const missing = failure(recipeOf(record, { search: [found] }));
  test.match(await missing, { code: 'MODEL_NOT_FOUND', details: { missing: [{ what: 'model', name: 'sharded' }] } });
  rmSync(model, { recursive: true });
});

t.test('another VAE than the model has', async (test) => {
  const vae = at('deep', 'vae');
  cpSync(join(sketch.path, 'vae'), vae, { recursive: true });
  const file = join(vae, 'diffusion_pytorch_model.safetensors');
  const bytes = readFileSync(file);
  const begin = 8 + Number(bytes.readBigUInt64LE());
  for (let i = begin; i < bytes.length; i += 2) bytes[i]! &= 0xc0; // coarser numbers
  writeFileSync(file, bytes);
  const pipe = await opened(test, { vae });
  const recipe = await expectAgain(test, (await pipe.generate(short)).images[0]!, 'another VAE');
  test.equal(recipe.load.vae, file);
  const usual = await repeated({ ...recipe, load: {} });
  test.not(digestOf(usual.data), digestOf((await repeated(recipe)).data), 'it acts');
});

t.test('a model of elsewhere with a control', async (test) => {
  const model = await modelFolder(at('deep'), 'sd15');
  const net = at('deep', 'net.safetensors');
  writeMade(net, 'controlnet15', goldenPart('controlnet15').shapes);
  const how: LoadOptions = { dtype: 'f32', device: 'cpu', images: { background: '#102030' } };
  await using pipe = await Pipeline.load(model, how);
  await pipe.addControlNet(net, { name: 'edges' });
  const controls = [{ image: people[0], preprocess: 'canny', start: 0.2, scale: 0.5 } as const];
  const { images } = await pipe.generate({ prompt: 'a', width: 64, height: 64, steps: 2, seed: 1, controls });
  const recipe = await expectAgain(test, images[0]!, 'a control');
  test.equal(recipe.model, model);
  test.match(recipe.load, { images: { background: '#102030' }, device: 'cpu', dtype: 'f32' });
});

t.test('all that is missing is named at once', async (test) => {
  const pipe = await opened(test);
  const raw = { data: new Uint8Array(SIDE * SIDE * 3).fill(77), width: SIDE, height: SIDE, channels: 3 as const };
  await attach(pipe, 'plus');
  await pipe.addLora(written('lonely', kohya(LAYERS.unet, 3)), { name: 'lonely' });
  const { images } = await pipe.generate({ ...short, references: [{ image: raw }], init: { image: raw } });
  const record = await recordIn(images[0]!);
  const error = (await failure(recipeOf(record, { search: [found] }))) as { code: string; details?: unknown };
  test.match(error, { code: 'MODEL_NOT_FOUND', message: 'lonely' });
  test.match(error.details, {
    missing: [
      { what: 'loras[0]', name: 'lonely', sha256: record.loras[0]!.sha256 },
      { what: 'references[0].images[0]', sha256: record.references[0]!.images[0] },
      { what: 'init.image' },
    ],
  });
  test.match(await failure(recipeOf(record, { search: [at('nowhere')] })), {
    code: 'MODEL_NOT_FOUND',
    message: 'nowhere',
  });
});

t.test('a record that is damaged, cut or hostile is refused', async (test) => {
  const pipe = await opened(test);
  const { images } = await pipe.generate(short);
  const record = await recordIn(images[0]!);
  const wrong = (change: object) => failure(recipeOf({ ...record, ...change } as RunRecord));
  test.match(await wrong({ truncated: true }), { code: 'OPTION_CONFLICT' });
  for (const change of [
    { references: [{ adapter: 'a', images: ['../../etc/passwd'] }] },
    { references: 'many' },
    { model: { name: 'm', sha256: { unet: '..' } } },
    { seed: 'x' },
    { width: 1e9 },
    { batch: { index: 1e9, count: 2 } },
    { device: 7 },
    { init: { image: 5 } },
    JSON.parse('{"references":[{"__proto__":{"adapter":"a"},"images":[]}]}') as object,
  ])
    test.match(await wrong(change), { code: 'OPTION_TYPE', message: 'damaged' }, JSON.stringify(change));
  test.match(await wrong({ model: { name: 'pipeline', family: 'sd15' } }), { code: 'MODEL_NOT_FOUND' });
  test.match(await failure(recipeOf(record, { search: 'here' } as never)), { code: 'OPTION_TYPE' });
  test.match(await failure(recipeOf(record, { signal: AbortSignal.abort() })), { code: 'ABORTED' });
  const { model } = await recipeOf({ ...record, model: { name: 'x', family: 'y' } }, { model: sketch.path });
  test.equal(model, sketch.path, 'another model in its place');
});
