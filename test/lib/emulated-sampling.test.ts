// Sampling on the emulated device through the public API, held against the CPU: latents, bytes, cancelling, and the
// quickstart's picture.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import type { GenerateOptions, Pipeline } from '../../lib/index.js';
import type { Tensor } from '../../lib/native/types.js';
import { pipelineParts } from '../../lib/pipeline.js';
import { failure, opened, program, reference, scene, sketch } from './sketch.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

const guided: GenerateOptions = {
  ...scene,
  steps: 3,
  guidanceScale: 4,
  width: 64,
  height: 64,
  references: [
    { adapter: 'base', image: reference('person-5-1.png'), scale: 0.6 },
    { adapter: 'plus', image: reference('person-2-2.png'), scale: 0.5 },
  ],
};

const withAdapters = async (test: Test, device: 'cpu' | 'emulated', dtype: 'f32' | 'f16'): Promise<Pipeline> => {
  const pipe = await opened(test, { device, dtype });
  await pipe.addAdapter(sketch.adapters.base, { name: 'base' });
  await pipe.addAdapter(sketch.adapters.plus, { name: 'plus' });
  return pipe;
};

/** What the step loop hands to the decoder, and the picture. */
const drawn = async (pipe: Pipeline): Promise<{ latents: Tensor; pixels: Uint8Array }> => {
  const { engine } = pipelineParts(pipe).host;
  let latents: Tensor | undefined;
  const decode: typeof engine.decode = (vae, given, options) => {
    latents = given;
    return Object.getPrototypeOf(engine).decode.call(engine, vae, given, options);
  };
  Object.defineProperty(engine, 'decode', { value: decode, configurable: true });
  const { images } = await pipe.generate(guided);
  Reflect.deleteProperty(engine, 'decode');
  return { latents: latents!, pixels: images[0]!.data };
};

const rms = (numbers: Iterable<number>): number => {
  let [sum, count] = [0, 0];
  for (const x of numbers) {
    sum += x * x;
    count += 1;
  }
  return Math.sqrt(sum / count);
};

t.test('three guided steps with two adapters: latents near the CPU, the same bytes again', async (test) => {
  const onCpu = await drawn(await withAdapters(test, 'cpu', 'f32'));
  const pipe = await withAdapters(test, 'emulated', 'f16');
  const first = await drawn(pipe);
  test.same(first.latents.shape, onCpu.latents.shape);
  const error = rms(first.latents.data.map((x, i) => x - onCpu.latents.data[i]!)) / rms(onCpu.latents.data);
  test.ok(error > 0 && error < 0.1, `latents differ by ${error.toFixed(4)} of their rms`);
  const again = await drawn(pipe);
  test.same(again.latents.data, first.latents.data);
  test.same(again.pixels, first.pixels);
});

t.test('a cancelled run ends within a step, and the next one is good', async (test) => {
  const pipe = await withAdapters(test, 'emulated', 'f16');
  const want = await drawn(pipe);
  const { unet } = pipelineParts(pipe).model;
  const before = unet.runs('step');
  const controller = new AbortController();
  const job = pipe.generate({
    ...guided,
    steps: 20,
    signal: controller.signal,
    onProgress: (event) => {
      if (event.type === 'step' && event.step === 2) controller.abort();
    },
  });
  test.equal((await failure(job)).code, 'ABORTED');
  const again = await drawn(pipe);
  const runs = unet.runs('step') - before - 3;
  test.ok(runs >= 2 && runs <= 3, `${runs} steps were begun`);
  test.same(again.pixels, want.pixels);
});

t.test('the quickstart draws its picture', async (test) => {
  const folder = test.testdir();
  const quickstart = readFileSync(join(root, 'scripts/quickstart.mjs'), 'utf8');
  const given = (flag: string): string => new RegExp(`'${flag}': '(.*)'`).exec(quickstart)![1]!;
  const flags = ['--prompt', given('--prompt'), '--seed', given('--seed'), '--reference', reference('person-3-1.png')];
  test.match(quickstart, 'person-3-1.png');
  const pixels = async (device: string, dtype: string): Promise<Uint8Array> => {
    const out = join(folder, `${device}.png`);
    const args = [...flags, '--device', device, '--dtype', dtype, '--out', out];
    const { code, err } = await program([join(root, 'dist/cli/index.js'), 'generate', ...args]);
    test.equal(code, 0, err);
    return sharp(out).raw().toBuffer();
  };
  const onCpu = await pixels('cpu', 'f32');
  const emulated = await pixels('emulated', 'auto');
  test.equal(emulated.length, onCpu.length);
  const mean = emulated.reduce((sum, x, i) => sum + Math.abs(x - onCpu[i]!), 0) / onCpu.length;
  test.ok(mean > 0 && mean <= 2, `mean difference ${mean.toFixed(2)} of 255`);
});
