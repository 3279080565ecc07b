// Draws one picture with models of true size, the numbers made by rule, and tells what memory that took.
//   full-size.child.ts sd15|sdxl THREADS
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { GenerateOptions, Pipeline, Reference } from '../../lib/index.js';
import { startEngine } from '../../lib/native/engine.js';
import { loadPipelineWith } from '../../lib/pipeline.js';
import { adapterShapes, type Form } from '../lib/made/adapters.js';
import { goldenPart, type MadePart, modelFolder, scratch, shapesOf } from '../lib/made/models.js';
import type { Shapes } from '../lib/made/rule.js';
import { SparseFiles } from '../lib/made/sparse.js';
import { digestOf, reference } from '../lib/sketch.js';

const PARTS: Readonly<Record<string, Readonly<Record<string, MadePart>>>> = {
  sd15: { unet: goldenPart('true-unet15'), vae: goldenPart('true-vae'), text_encoder: goldenPart('true-clip-l') },
  sdxl: {
    unet: goldenPart('true-unetxl'),
    vae: goldenPart('true-vae'),
    text_encoder: goldenPart('true-clip-l'),
    text_encoder_2: goldenPart('true-clip-g'),
  },
};

const family = process.argv[2] as 'sd15' | 'sdxl';
const threads = Number(process.argv[3]);
const folder = scratch();
const files = new SparseFiles();
const unet = PARTS[family]!.unet!.shapes;

/** An adapter: a projector of true size, and keys and values for the family's UNet. */
const adapter = (name: string, projector: string, form: Form): string => {
  const shapes: Record<string, readonly number[]> = {};
  for (const [tensor, shape] of Object.entries(shapesOf(`${projector}/image_proj`)))
    shapes[`image_proj.${tensor}`] = shape;
  for (const [tensor, shape] of Object.entries(adapterShapes(form, unet) as Shapes))
    if (tensor.startsWith('ip_adapter.')) shapes[tensor] = shape;
  const path = join(folder, `${name}.safetensors`);
  files.write(path, name, shapes);
  return path;
};

const half = async (side: 'left' | 'right'): Promise<Buffer> => {
  const white = { create: { width: 8, height: 16, channels: 3 as const, background: '#fff' } };
  return sharp({ create: { width: 16, height: 16, channels: 3, background: '#000' } })
    .composite([{ input: await sharp(white).png().toBuffer(), left: side === 'left' ? 0 : 8, top: 0 }])
    .png()
    .toBuffer();
};

/** FaceID Plus v2, and two more that act on one half each. */
const threeAdapters = async (pipe: Pipeline): Promise<Partial<GenerateOptions>> => {
  const faceid = { projector: 'plus', lora: true } as const;
  await pipe.addAdapter(adapter('faceid', 'ipa-true-sdxl-faceid-plusv2', faceid), { version: 'v2' });
  await pipe.addAdapter(adapter('plus', 'ipa-true-sdxl-plus-vit-h', { projector: 'resampler' }));
  await pipe.addAdapter(adapter('base', 'ipa-true-sdxl-vit-h', { projector: 'image' }));
  const { data, info } = await sharp(reference('person-1-1.png'))
    .resize(224, 224)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const identity = Float32Array.from({ length: 512 }, (_, i) => Math.sin(i));
  const crop = { data, width: info.width, height: info.height, channels: info.channels as 3 };
  return {
    width: 1024,
    height: 1024,
    references: [
      { adapter: 'faceid', face: { identity, crop } },
      { adapter: 'plus', image: reference('person-2-1.png'), mask: await half('left') },
      { adapter: 'base', image: reference('person-3-1.png'), mask: await half('right') },
    ],
  };
};

const tenReferences = async (pipe: Pipeline): Promise<Partial<GenerateOptions>> => {
  await pipe.addAdapter(adapter('plus', 'ipa-true-sd15-plus', { projector: 'resampler' }));
  const references = Array.from({ length: 10 }, (_, i): Reference => {
    const image = reference(`person-${1 + (i % 8)}-${1 + (i >> 3)}.png`);
    return { image, scale: 0.1 * (i + 1) };
  });
  return { width: 512, height: 512, references };
};

const path = await modelFolder(folder, family, PARTS[family], files.write);
const encoder = join(folder, family, 'image_encoder');
mkdirSync(encoder);
files.write(join(encoder, 'model.safetensors'), 'image_encoder', shapesOf('true-vision-h'));
const pipe = await loadPipelineWith((options) => files.over(startEngine(options)), path, { threads });
const options = family === 'sdxl' ? await threeAdapters(pipe) : await tenReferences(pipe);
const { images, timings } = await pipe.generate({
  prompt: 'portrait of a woman',
  negativePrompt: 'blurry',
  steps: 2,
  seed: 1,
  sampler: 'euler',
  ...options,
});
const planned = files.networks.reduce((sum, network) => sum + network.memory(), 0);
const peak = 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
const { dtype, level } = pipe.info;
const result = {
  family,
  threads,
  level,
  dtype,
  planned,
  peak,
  seconds: timings.totalMs / 1000,
  digest: digestOf(images[0]!.data),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
await pipe.dispose();
