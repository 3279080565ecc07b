// Models whose UNet reads a mask and the masked picture beside the latents.
import { join } from 'node:path';
import t from 'tap';
import { type GenerateOptions, type InitOptions, Pipeline } from '../../../lib/index.js';
import { modelFolder, scratch, shapesOf } from '../made/models.js';
import { digestOf, failure, reference } from '../sketch.js';

const folder = scratch();
const text = { shapes: shapesOf('text') };
const vae = { shapes: shapesOf('vae') };
const nine = shapesOf('unet15-inpaint');
const path = await modelFolder(folder, 'sd15', { unet: { shapes: nine }, vae, text_encoder: text });
const photo = reference('person-5-1.png');
const scene: GenerateOptions = { prompt: 'a cat', width: 128, height: 64, steps: 3, seed: 5, guidanceScale: 4 };

/** White in the left part of a picture. */
const left = (share: number) => {
  const data = new Uint8Array(64 * 32).map((_, i) => (i % 64 < share * 64 ? 255 : 0));
  return { data, width: 64, height: 32, channels: 1 as const };
};

t.test('an inpainting model paints into a mask and reads what is around it', async (test) => {
  const pipe = await Pipeline.load(path);
  test.teardown(() => pipe.dispose());
  const drawn = async (init: InitOptions, more: Partial<GenerateOptions> = {}): Promise<string> =>
    digestOf((await pipe.generate({ ...scene, ...more, init })).images[0]!.data);
  const masked = await drawn({ image: photo, mask: left(0.5) });
  test.equal(await drawn({ image: photo, mask: left(0.5) }), masked, 'the same again');
  test.not(await drawn({ image: photo, mask: left(0.25) }), masked);
  test.not(await drawn({ image: photo, mask: left(0.5), strength: 0.7 }), masked, 'from the picture');
  test.not(await drawn({ image: reference('person-3-1.png'), mask: left(0.5) }), masked);
  test.type(await drawn({ image: photo, mask: left(0.5) }, { guidanceScale: 1 }), 'string');
  const init = { image: photo, mask: left(0.5) };
  const pixels = async (prompt: string) => (await pipe.generate({ ...scene, prompt, init })).images[0]!.data;
  const [one, halves] = [await pixels('a cat'), await pixels('a cat :0.5 AND a cat :0.5')];
  const far = halves.reduce((most, value, i) => Math.max(most, Math.abs(value - one[i]!)), 0);
  test.ok(far <= 2, `every row of the batch reads the mask: rounded after each of two, ${far} of 255`);
  for (const init of [undefined, { image: photo }]) {
    const error = await failure(pipe.generate({ ...scene, ...(init && { init }) }));
    test.match(error, { code: 'OPTION_CONFLICT', message: /inpainting model/ });
  }
});

t.test('another number of channels is refused', async (test) => {
  const [out, , ...kernel] = nine['conv_in.weight']!;
  const five = { ...nine, 'conv_in.weight': [out!, 5, ...kernel] };
  const other = await modelFolder(join(folder, 'five'), 'sd15', { unet: { shapes: five }, vae, text_encoder: text });
  const error = await failure(Pipeline.load(other));
  test.match(error, { code: 'MODEL_FORMAT_UNSUPPORTED', message: /5/ });
});
