// A second pass at a larger size, with the bundled model: what it begins with, who acts in it, and what the run says of it.
import t, { type Test } from 'tap';
import {
  type GeneratedImage,
  type GenerateOptions,
  type HiresOptions,
  type JobEvent,
  type Pipeline,
  readMetadata,
} from '../../lib/index.js';
import type { Engine, Tensor } from '../../lib/native/types.js';
import { pipelineParts } from '../../lib/pipeline.js';
import { digestOf, failure, opened, reference, scene, sketch } from './sketch.js';

const short: GenerateOptions = { ...scene, steps: 4, guidanceScale: 3, width: 128, height: 128 };
const drawn = async (pipe: Pipeline, more: Partial<GenerateOptions> = {}): Promise<GeneratedImage> =>
  (await pipe.generate({ ...short, ...more })).images[0]!;
const bytes = async (pipe: Pipeline, more: Partial<GenerateOptions> = {}): Promise<string> =>
  digestOf((await drawn(pipe, more)).data);
const lanczos: HiresOptions = { scale: 1.5, upscaler: 'lanczos' };

const withPerson = async (test: Test): Promise<Pipeline> => {
  const pipe = await opened(test);
  await pipe.addAdapter(sketch.adapters.plus!, { name: 'plus', encoder: sketch.encoder });
  return pipe;
};
const person = { adapter: 'plus', image: reference('person-5-1.png'), scale: 1 } as const;

t.test('latents between their neighbours, by the formula', async (test) => {
  const { host } = pipelineParts(await opened(test));
  const [h, w, channels] = [5, 3, 4];
  const data = Float32Array.from({ length: h * w * channels }, (_, i) => Math.sin(i * 1.7) * 3);
  for (const [height, width] of [
    [5, 3],
    [10, 6],
    [7, 8],
    [13, 5],
  ] as const) {
    const made = await host.engine.upscale({ shape: [1, h, w, channels], data }, { height, width });
    test.same(made.shape, [1, height, width, channels]);
    // source: torch interpolate, bilinear, align_corners false
    const place = (i: number, from: number, to: number): [number, number, number] => {
      const at = Math.max(((i + 0.5) * from) / to - 0.5, 0);
      const first = Math.min(Math.floor(at), from - 1);
      return [first, Math.min(first + 1, from - 1), at - first];
    };
    let worst = 0;
    for (let y = 0; y < height; ++y)
      for (let x = 0; x < width; ++x)
        for (let c = 0; c < channels; ++c) {
          const [y0, y1, dy] = place(y, h, height);
          const [x0, x1, dx] = place(x, w, width);
          const value = (row: number, column: number): number => data[(row * w + column) * channels + c]!;
          const above = value(y0, x0) * (1 - dx) + value(y0, x1) * dx;
          const below = value(y1, x0) * (1 - dx) + value(y1, x1) * dx;
          const found = made.data[(y * width + x) * channels + c]!;
          worst = Math.max(worst, Math.abs(found - (above * (1 - dy) + below * dy)));
        }
    test.ok(worst < 1e-6, `${height} × ${width}: ${worst}`); // one rounding to f32 of numbers below 4
  }
});

t.test('same seed, same bytes; another size and upscaler, another picture', async (test) => {
  const pipe = await opened(test);
  const image = await drawn(pipe, { hires: { scale: 1.5 } });
  test.same([image.width, image.height], [192, 192]);
  const once = digestOf(image.data);
  test.equal(await bytes(pipe, { hires: { scale: 1.5 } }), once);
  test.equal(
    await bytes(pipe, { hires: { scale: 1.5, steps: 4, strength: 0.7, upscaler: 'latent' } }),
    once,
    'defaults',
  );
  for (const hires of [{ ...lanczos }, { scale: 1.5, steps: 8 }, { scale: 1.5, strength: 0.25 }])
    test.not(await bytes(pipe, { hires }), once, JSON.stringify(hires));
  const odd = await drawn(pipe, { width: 104, height: 72, hires: { scale: 1.3, strength: 0 } });
  test.same([odd.width, odd.height], [136, 96], 'multiples of 8');
});

t.test('the second pass is a run that begins with the first picture made larger', async (test) => {
  const pipe = await opened(test);
  for (const more of [
    {},
    { sampler: 'euler_ancestral' },
    { noise: 'a1111' },
    { sampler: 'dpmpp_sde', eta: 0.5 },
  ] as const)
    for (const strength of [0, 0.5, 0.75, 1]) {
      const base = await drawn(pipe, more);
      const init = { image: { ...base, channels: 3 as const }, strength, posterior: 'mode' as const };
      const byHand = await bytes(pipe, { ...more, width: 192, height: 192, init });
      test.equal(
        await bytes(pipe, { ...more, hires: { ...lanczos, strength } }),
        byHand,
        JSON.stringify({ ...more, strength }),
      );
    }
  const base = await drawn(pipe);
  const init = { image: { ...base, channels: 3 as const }, strength: 0.5, posterior: 'mode' as const };
  const prompt = 'a [man:woman:0.5]';
  const first = await drawn(pipe, { prompt });
  const second = { ...init, image: { ...first, channels: 3 as const } };
  test.equal(
    await bytes(pipe, { prompt, hires: { ...lanczos, strength: 0.5, steps: 8 } }),
    await bytes(pipe, { prompt, width: 192, height: 192, steps: 8, init: second }),
    'prompts change over the steps of each pass',
  );
});

t.test('latent, strength 0: the latents of a run without, made larger', async (test) => {
  const pipe = await opened(test);
  const { host, model } = pipelineParts(pipe);
  const { engine } = host;
  const kept: Tensor[] = [];
  const decode: Engine['decode'] = (vae, latents, options) => {
    kept.push(latents);
    return engine.decode(vae, latents, options);
  };
  Object.assign(host, {
    engine: new Proxy(engine, {
      get: (_, name) => {
        const value: unknown = name === 'decode' ? decode : Reflect.get(engine, name, engine);
        return typeof value === 'function' ? value.bind(engine) : value;
      },
    }),
  });
  await drawn(pipe);
  await drawn(pipe, { hires: { scale: 2, strength: 0 } });
  Object.assign(host, { engine });
  const [without, larger] = kept;
  const { factor } = model;
  const want = await host.engine.upscale(without!, { width: 256 / factor, height: 256 / factor });
  test.same(larger!.shape, want.shape);
  test.ok(Buffer.from(larger!.data.buffer).equals(Buffer.from(want.data.buffer)), 'to the bit');
});

t.test('references act in the passes that they name', async (test) => {
  const pipe = await withPerson(test);
  const hires = { ...lanczos, strength: 0.5 };
  const at = async (passes: 'both' | 'base' | 'hires') => bytes(pipe, { hires, references: [{ ...person, passes }] });
  const byHand = async (first: boolean, second: boolean) => {
    const of = (acts: boolean) => ({ references: acts ? [person] : [] });
    const base = await drawn(pipe, of(first));
    const init = { image: { ...base, channels: 3 as const }, strength: 0.5, posterior: 'mode' as const };
    return bytes(pipe, { ...of(second), width: 192, height: 192, init });
  };
  test.equal(await at('base'), await byHand(true, false));
  test.equal(await at('hires'), await byHand(false, true));
  test.equal(await at('both'), await byHand(true, true));
  test.equal(await bytes(pipe, { hires, references: [person] }), await byHand(true, true), 'both is the default');
  test.equal(new Set([await at('both'), await at('base'), await at('hires')]).size, 3);
  const windowed = { ...person, start: 0.5 };
  const base = await drawn(pipe, { references: [windowed] });
  const init = { image: { ...base, channels: 3 as const }, strength: 0.5, posterior: 'mode' as const };
  test.equal(
    await bytes(pipe, { hires, references: [windowed] }),
    await bytes(pipe, { references: [windowed], width: 192, height: 192, init }),
    'windows count the steps of each pass',
  );
  const { warnings } = await pipe.generate({ ...short, references: [{ ...person, passes: 'hires' }] });
  test.match(warnings, [{ code: 'OPTION_CONFLICT', message: 'references[0] has no effect' }]);
  const strict = await opened(test, { strict: true });
  await strict.addAdapter(sketch.adapters.plus!, { name: 'plus', encoder: sketch.encoder });
  const asked = strict.generate({ ...short, references: [{ ...person, passes: 'hires' }] });
  test.equal((await failure(asked)).code, 'OPTION_CONFLICT');
});

t.test('from a picture, and into a mask', async (test) => {
  const pipe = await opened(test);
  const photo = { image: reference('person-5-1.png'), strength: 0.5, posterior: 'mode' as const };
  const first = await drawn(pipe, { init: photo });
  const init = { image: { ...first, channels: 3 as const }, strength: 0.5, posterior: 'mode' as const };
  test.equal(
    await bytes(pipe, { init: photo, hires: { ...lanczos, strength: 0.5 } }),
    await bytes(pipe, { width: 192, height: 192, init }),
  );
  const mask = { width: 64, height: 64, data: new Uint8Array(64 * 64), channels: 1 as const };
  for (let y = 20; y < 44; ++y) mask.data.fill(255, y * 64 + 20, y * 64 + 44);
  const whole = { width: 128, height: 128 };
  for (const upscaler of ['latent', 'lanczos'] as const) {
    const masked = await drawn(pipe, { ...whole, init: { ...photo, mask }, hires: { scale: 1.5, upscaler } });
    const kept = await drawn(pipe, { width: 192, height: 192, init: { ...photo, mask, strength: 0.25 } });
    test.same([masked.width, masked.height], [192, 192]);
    const corner = (image: GeneratedImage) => Buffer.from(image.data.subarray(0, 192 * 3 * 40));
    test.ok(corner(masked).equals(corner(kept)), `${upscaler}: outside the mask the picture stays`);
    test.notOk(Buffer.from(masked.data).equals(Buffer.from(kept.data)), 'inside it is painted');
  }
});

t.test('events count the steps of both passes, and the record tells of them', async (test) => {
  const pipe = await opened(test);
  const events: JobEvent[] = [];
  const hires = { scale: 1.5, steps: 6, strength: 0.5 };
  const { images } = await pipe.generate({ ...short, count: 2, hires, onProgress: (event) => events.push(event) });
  const steps = events.flatMap((event) => (event.type === 'step' ? [event] : []));
  test.same(
    steps.map(({ step, pass, image }) => `${image} ${pass} ${step}`),
    [0, 1].flatMap((image) => [1, 2, 3, 4, 5, 6, 7].map((step) => `${image} ${step > 4 ? 'hires' : 'base'} ${step}`)),
  );
  test.ok(steps.every((event) => event.steps === 7 && event.etaMs >= 0));
  test.equal(steps.at(-1)!.etaMs, 0);
  test.equal(events.filter((event) => event.type === 'encode' && event.part === 'hires').length, 2);
  const { width, height, hires: record } = images[1]!.metadata;
  test.same([width, height], [128, 128], 'of the first pass, for the run to be repeated');
  test.same(record, { ...hires, upscaler: 'latent' });
  const { parameters } = await readMetadata(await images[1]!.toBuffer());
  const fields = 'Denoising strength: 0.5, Hires upscale: 1.5, Hires steps: 6, Hires upscaler: Latent';
  test.ok(parameters?.includes(fields), parameters ?? 'no text');
  test.equal(digestOf(images[1]!.data), await bytes(pipe, { seed: 4, hires }));
});

t.test('what cannot be drawn is said before anything is', async (test) => {
  const pipe = await opened(test);
  const error = (more: Partial<GenerateOptions>) => failure(pipe.generate({ ...short, ...more }));
  test.match(await error({ width: 2048, hires: { scale: 2.5 } }), {
    code: 'OPTION_RANGE',
    hint: /hires.scale 2 or less/,
  });
  test.match(await error({ hires: { strength: 0.1 } }), { code: 'OPTION_RANGE', message: /hires.strength/ });
  test.match(await error({ hires: { scale: 5 } }), { code: 'OPTION_RANGE', message: /hires.scale/ });
  test.match(await error({ hires: { upscaler: 'lanzcos' as 'lanczos' } }), { code: 'OPTION_UNKNOWN' });
});
