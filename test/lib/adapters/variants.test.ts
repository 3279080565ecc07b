// Every variant of both families on a small UNet: what must hold whatever the weights are (adapters.md, 8.1).
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { adapterParts } from '../../../lib/adapters/adapter.js';
import {
  type Adapter,
  type AddAdapterOptions,
  defaultModel,
  type GenerateOptions,
  Pipeline,
  type Reference,
} from '../../../lib/index.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import type { Form } from '../made/adapters.js';
import { adapterFile, encoderFolder, type Family, modelFolder, scratch } from '../made/models.js';
import { valuesOf } from '../made/rule.js';
import { reference } from '../sketch.js';

interface Row {
  /** Row of the table of variants, and those with the same shapes. */
  readonly row: string;
  readonly family: Family;
  readonly variant: string;
  readonly form: Form;
  readonly options?: AddAdapterOptions;
}

const H = { hidden: 64, projection: 48 };
const G = { hidden: 80, projection: 40 };
const FACE: Form = { projector: 'identity', lora: true };
const PLUS: Form = { projector: 'resampler', encoder: H.hidden, tokens: 16 };
const FACE_PLUS: Form = { projector: 'plus', encoder: H.hidden, lora: true };

const ROWS: readonly Row[] = [
  { row: '1, 2', family: 'sd15', variant: 'base', form: { projector: 'image', encoder: H.projection } },
  { row: '3', family: 'sd15', variant: 'base', form: { projector: 'image', encoder: G.projection } },
  { row: '4, 5, 19', family: 'sd15', variant: 'plus', form: PLUS },
  { row: '6', family: 'sd15', variant: 'full-face', form: { projector: 'tokens', encoder: H.hidden } },
  { row: '7', family: 'sd15', variant: 'faceid', form: FACE },
  { row: '8', family: 'sd15', variant: 'faceid-plus', form: FACE_PLUS, options: { version: 'v1' } },
  { row: '9', family: 'sd15', variant: 'faceid-plus', form: FACE_PLUS, options: { version: 'v2' } },
  { row: '10', family: 'sd15', variant: 'faceid-portrait', form: { projector: 'identity', tokens: 16 } },
  { row: '11', family: 'sdxl', variant: 'base', form: { projector: 'image', encoder: G.projection } },
  { row: '12', family: 'sdxl', variant: 'base', form: { projector: 'image', encoder: H.projection } },
  { row: '13, 14, 20', family: 'sdxl', variant: 'plus', form: PLUS },
  { row: '15', family: 'sdxl', variant: 'faceid', form: FACE },
  { row: '16', family: 'sdxl', variant: 'faceid-plus', form: FACE_PLUS, options: { version: 'v2' } },
  { row: '17', family: 'sdxl', variant: 'faceid-portrait', form: { projector: 'identity', tokens: 16 } },
  { row: '18', family: 'sdxl', variant: 'portrait-unnorm', form: { projector: 'resampler', encoder: 512, tokens: 16 } },
];

const folder = scratch();
const encoders = [H, G].map((widths) => ({ widths, path: encoderFolder(folder, widths) }));
const face = defaultModel().face;
const SIDE = 128;
const STEPS = 2;
const TWIN = ['conv2d', 'linear', 'attend', 'group_norm', 'layer_norm'].map((op) => `${op}:naive`).join(',');

/** Largest difference of two pictures. */
const apart = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

const grey = (value: number): Promise<Buffer> =>
  sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: { r: value, g: value, b: value } } })
    .png()
    .toBuffer();

const draw = async (pipe: Pipeline, options: Partial<GenerateOptions>): Promise<Uint8Array> => {
  const run = { prompt: 'portrait of a woman', width: SIDE, height: SIDE, steps: STEPS, seed: 5, guidanceScale: 4 };
  const { images } = await pipe.generate({ ...run, ...options });
  return images[0]!.data;
};

/** The same on the naive twin of every kernel that matters. */
const drawByTwins = async (pipe: Pipeline, options: Partial<GenerateOptions>): Promise<Uint8Array> => {
  process.env.IPA_KERNEL = TWIN;
  try {
    return await draw(pipe, options);
  } finally {
    delete process.env.IPA_KERNEL;
  }
};

const picture = reference('person-1-1.png');
const other = reference('person-2-1.png');

const identities = async (test: Test, pipe: Pipeline, twins: Pipeline, row: Row): Promise<void> => {
  const stem = `${row.family}-${row.row.replace(/, /g, '-')}`;
  const file = adapterFile(join(folder, `${stem}.safetensors`), row.form, row.family);
  const encoder = encoders.find(({ widths }) => Object.values(widths).includes(row.form.encoder ?? 0));
  const needsFace = row.form.projector === 'identity' || row.form.projector === 'plus' || row.form.encoder === 512;
  const how: AddAdapterOptions = {
    ...(encoder && { encoder: encoder.path }),
    ...(needsFace && { face }),
    ...row.options,
  };
  const { unet } = pipelineParts(pipe).model;
  const before = unet.digest();
  const without = await draw(pipe, {});
  const adapter: Adapter = await pipe.addAdapter(file, how);
  test.equal(adapter.info.variant, row.variant);
  test.equal(adapter.info.version, row.options?.version);
  const of = (more: Partial<Reference>): Partial<GenerateOptions> => ({
    references: [{ image: picture, ...more } as Reference],
  });
  const several = (count: number, more: Partial<Reference>): Partial<GenerateOptions> => ({
    references: [{ images: new Array(count).fill(picture), ...more } as Reference],
  });
  const once = await draw(pipe, of({}));
  test.ok(apart(once, without) > 8, 'it acts');
  test.ok(apart(once, await draw(pipe, of({ image: other }))) > 0, 'another picture is another');
  test.same(await draw(pipe, {}), without, 'a run without a reference is as before it was attached');

  const naive = await twins.addAdapter(file, how);
  test.ok(apart(once, await drawByTwins(twins, of({}))) <= 1, 'the fast kernels agree with their twins');
  await naive.dispose();

  test.ok(apart(once, await draw(pipe, several(2, { combine: 'concat' }))) <= 1, 'twice side by side is once');
  const thirds = several(3, { combine: 'separate', weights: [1 / 3, 1 / 3, 1 / 3] });
  test.ok(apart(once, await draw(pipe, thirds)) <= 1, 'three apart at a third are one');
  test.ok(apart(once, await draw(pipe, of({ mask: await grey(255) }))) <= 1, 'a white mask is none');
  const off = row.form.lora ? { loraScale: 0 } : {}; // its LoRA is in force wherever a reference acts
  test.same(await draw(pipe, of({ mask: await grey(0), ...off })), without, 'a black mask is no reference');
  test.same(await draw(pipe, of({ scale: 0, ...off })), without, 'scale 0 is no reference');
  const late = of({ start: 0.9, end: 0.95, ...off });
  test.same(await draw(pipe, late), without, 'no step lies in the window');
  const [low, high] = [await draw(pipe, of({ scale: 0.5 })), await draw(pipe, of({ scale: 0.55 }))];
  test.ok(apart(low, high) > 0, 'neighbouring scales differ');
  const products = async (steps: number): Promise<number> => {
    const { network } = adapterParts(adapter);
    const so = network.runs('image_kv');
    await draw(pipe, { ...of({}), steps });
    return network.runs('image_kv') - so;
  };
  test.equal(await products(2), 1, 'keys and values of a reference are made once');
  test.equal(await products(8), 1, 'however many steps read them');

  await adapter.dispose();
  test.same(await draw(pipe, {}), without, 'and as before when it is gone');
  test.equal(unet.digest(), before, 'the weights are what they were');
};

t.test('made weights follow the rule of the goldens', async (test) => {
  const near = (got: Float32Array, want: readonly number[]): void => {
    for (const [i, value] of want.entries()) test.ok(Math.abs(got[i]! - value) < 1e-7, `${got[i]} is ${value}`);
  };
  near(valuesOf('unet', 'conv_in.weight', [4, 3]), [0.24838901, -0.0374403, 0.82967532, 0.74049485]);
  near(valuesOf('n', 'norm.weight', [4]), [0.92464477, 0.93386811, 1.06760478, 1.07826555]);
});

for (const family of ['sd15', 'sdxl'] as const)
  t.test(`variants of ${family}`, async (test) => {
    const path = await modelFolder(folder, family);
    const pipe = await Pipeline.load(path, { dtype: 'f32' });
    const twins = await Pipeline.load(path, { dtype: 'f32' });
    for (const row of ROWS.filter((one) => one.family === family))
      await test.test(`row ${row.row}: ${row.variant}`, (sub) => identities(sub, pipe, twins, row));
    await pipe.dispose();
    await twins.dispose();
  });
