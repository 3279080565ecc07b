// Another VAE than the model's own: in every naming, full and tiny.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { inspect, type JobEvent, Pipeline } from '../../../lib/index.js';
import { readSafetensors, writeLdmFile, writeSafetensors } from '../ldm-file.js';
import { scratch } from '../made/models.js';
import { type Shapes, valuesOf } from '../made/rule.js';
import { digestOf, drawn, failure, reference, scene, sketch } from '../sketch.js';

const folder = scratch();
const own = join(sketch.path, 'vae', 'diffusion_pytorch_model.safetensors');

const withVae = async (vae: string): Promise<string> => {
  await using pipe = await Pipeline.load(sketch.path, { vae });
  return await drawn(pipe);
};

/** Tensors of a tiny autoencoder in diffusers' names. */
const tinyShapes = (): Shapes => {
  const shapes: Record<string, readonly number[]> = {};
  const conv = (name: string, from: number, to: number, bias = true): void => {
    shapes[`${name}.weight`] = [to, from, 3, 3];
    if (bias) shapes[`${name}.bias`] = [to];
  };
  const block = (name: string): void => {
    for (const i of [0, 2, 4]) conv(`${name}.conv.${i}`, 64, 64);
  };
  const encoder = (i: number): string => `encoder.layers.${i}`;
  const decoder = (i: number): string => `decoder.layers.${i}`;
  conv(encoder(0), 3, 64);
  block(encoder(1));
  for (const first of [2, 6, 10]) {
    conv(encoder(first), 64, 64, false);
    for (const i of [1, 2, 3]) block(encoder(first + i));
  }
  conv(encoder(14), 64, 4);
  conv(decoder(0), 4, 64);
  for (const first of [2, 7, 12]) {
    for (const i of [0, 1, 2]) block(decoder(first + i));
    conv(decoder(first + 4), 64, 64, false);
  }
  block(decoder(17));
  conv(decoder(18), 64, 3);
  return shapes;
};

/** Writes those tensors that `rename` names. */
const writeTiny = (name: string, rename: (name: string) => string | undefined): string => {
  const path = join(folder, name);
  const all = Object.entries(tinyShapes()).flatMap(([tensor, shape]) => {
    const to = rename(tensor);
    if (to === undefined) return [];
    return [[to, { dtype: 'F32', shape, bytes: Buffer.from(valuesOf('taesd', tensor, shape).buffer) }] as const];
  });
  writeSafetensors(path, new Map(all));
  return path;
};

t.test('the same VAE in other names and places draws the same', async (test) => {
  await using pipe = await Pipeline.load(sketch.path);
  const without = await drawn(pipe);
  test.equal(await withVae(own), without, 'a file beside its config.json');
  test.equal(await withVae(join(sketch.path, 'vae')), without, 'a folder');
  const checkpoint = join(folder, 'checkpoint.safetensors');
  writeLdmFile(sketch.path, checkpoint, (name) => name.startsWith('first_stage_model.'));
  const bare = join(folder, 'bare.safetensors');
  const tensors = [...readSafetensors(checkpoint)];
  writeSafetensors(bare, new Map(tensors.map(([name, entry]) => [name.replace('first_stage_model.', ''), entry])));
  const scaled = join(folder, 'scaled');
  mkdirSync(scaled);
  for (const [i, file] of [checkpoint, bare].entries()) {
    const place = join(scaled, String(i));
    mkdirSync(place);
    cpSync(file, join(place, 'vae.safetensors'));
    cpSync(join(sketch.path, 'vae', 'config.json'), join(place, 'config.json')); // its own scaling factor
    test.equal(await withVae(join(place, 'vae.safetensors')), without, 'names of a checkpoint');
  }
});

t.test('tiny autoencoders', async (test) => {
  const both = writeTiny('taesd.safetensors', (name) => name);
  const decoder = writeTiny('taesd_decoder.safetensors', (name) => {
    const [, layer, rest] = /^decoder\.layers\.(\d+)(\..*)$/.exec(name) ?? [];
    return layer && `${Number(layer) + 1}${rest}`;
  });
  const encoder = writeTiny('taesd_encoder.safetensors', (name) =>
    name.startsWith('encoder.') ? name.replace('encoder.layers.', '') : undefined,
  );
  for (const file of [both, decoder, encoder]) test.equal((await inspect(file)).kind, 'VAE');
  await using pipe = await Pipeline.load(sketch.path);
  const without = await drawn(pipe);
  const tiny = await withVae(both);
  test.not(tiny, without);
  test.equal(await withVae(decoder), tiny, "the authors' decoder alone");
  test.match(await failure(Pipeline.load(sketch.path, { vae: encoder })), { code: 'MODEL_FORMAT_UNSUPPORTED' });

  const init = { image: reference('person-1-1.png'), strength: 0.5 };
  await using full = await Pipeline.load(sketch.path, { vae: both });
  test.not(await drawn(full, { init }), tiny, 'a picture is read by its encoder');
  await using half = await Pipeline.load(sketch.path, { vae: decoder });
  const alone = await failure(half.generate({ ...scene, init }));
  test.match(alone, { code: 'MODEL_FORMAT_UNSUPPORTED' }, 'which a decoder alone has not');
});

t.test("a tiny one beside the full decodes previews, and the picture is the full one's", async (test) => {
  const tiny = writeTiny('preview.safetensors', (name) => name);
  const encoder = writeTiny('preview_encoder.safetensors', (name) =>
    name.startsWith('encoder.') ? name.replace('encoder.layers.', '') : undefined,
  );
  await using plain = await Pipeline.load(sketch.path);
  await using both = await Pipeline.load(sketch.path, { previewVae: tiny });
  await using small = await Pipeline.load(sketch.path, { vae: tiny });
  test.ok(both.info.memory > plain.info.memory);
  const shownBy = async (pipe: Pipeline) => {
    const shown: string[] = [];
    const onProgress = (event: JobEvent) => event.type === 'preview' && shown.push(digestOf(event.image.data));
    const picture = await drawn(pipe, { preview: { every: 4 }, onProgress });
    return { shown, picture };
  };
  const [own, beside, alone] = [await shownBy(plain), await shownBy(both), await shownBy(small)];
  test.equal(beside.picture, own.picture);
  test.same(beside.shown, alone.shown, 'what the tiny one makes of the same latents');
  test.notSame(beside.shown, own.shown);
  test.equal(beside.shown.length, 1);
  const refused = await failure(Pipeline.load(sketch.path, { previewVae: encoder }));
  test.match(refused, { code: 'MODEL_FORMAT_UNSUPPORTED' }, 'an encoder decodes nothing');
});

t.test('tiny ones run in tiles, too', async (test) => {
  const vae = writeTiny('tiled.safetensors', (name) => name);
  const init = { image: reference('person-1-1.png'), strength: 0 };
  const pictures: string[] = [];
  for (const vaeTiling of ['auto', 'always'] as const) {
    await using pipe = await Pipeline.load(sketch.path, { vae, memory: { vaeTiling } });
    for (const side of [128, 640]) pictures.push(await drawn(pipe, { init, width: side, height: side }));
  }
  test.equal(pictures[0], pictures[2], 'one tile is the whole');
  test.not(pictures[1], pictures[3]);
});

t.test('what is no VAE is refused', async (test) => {
  const load = async (vae: string): Promise<string> => (await failure(Pipeline.load(sketch.path, { vae }))).code;
  test.equal(await load(sketch.adapters.plus!), 'MODEL_FORMAT_UNSUPPORTED');
  test.equal(await load(join(sketch.path, 'tokenizer')), 'MODEL_NOT_FOUND');
  test.equal(await load(join(folder, 'none.safetensors')), 'MODEL_NOT_FOUND');
});
