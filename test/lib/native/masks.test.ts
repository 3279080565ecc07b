// Masks of image prompts at the addon's door, and through a whole run of the bundled model.
import t from 'tap';
import type { GenerateOptions, Pipeline } from '../../../lib/index.js';
import type { RegionMask } from '../../../lib/native/types.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { drawn, opened, reference, sketch } from '../sketch.js';

const scene: Partial<GenerateOptions> = { steps: 2, guidanceScale: 4, width: 72, height: 64 };
const references: GenerateOptions['references'] = [
  { adapter: 'base', image: reference('person-5-1.png'), scale: 0.6 },
  { adapter: 'plus', image: reference('person-2-2.png'), scale: 0.5 },
];

const grey = (value: (x: number, y: number) => number, mode: RegionMask['mode'] = 'linear'): RegionMask => {
  const [width, height] = [45, 40];
  const data = Float32Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));
  return { data, width, height, mode };
};
const white = grey(() => 1);
const black = grey(() => 0);
const left = grey((x) => (x < 22 ? 1 : 0));

const pipeline = opened(t, { device: 'cpu', dtype: 'f32' }).then(async (pipe) => {
  await pipe.addAdapter(sketch.adapters.base, { name: 'base' });
  await pipe.addAdapter(sketch.adapters.plus, { name: 'plus' });
  return pipe;
});

/** A run whose i-th image prompt has the i-th of these masks, as the engine takes them. */
const masked = async (pipe: Pipeline, masks: readonly unknown[]): Promise<string> => {
  const { engine } = pipelineParts(pipe).host;
  const sample: typeof engine.sample = (spec, onStep) => {
    const prompts = spec.prompts.map((prompt, i) => ({ ...prompt, mask: masks[i] as RegionMask }));
    return Object.getPrototypeOf(engine).sample.call(engine, { ...spec, prompts }, onStep);
  };
  Object.defineProperty(engine, 'sample', { value: sample, configurable: true });
  try {
    return await drawn(pipe, { ...scene, references });
  } finally {
    Reflect.deleteProperty(engine, 'sample');
  }
};

t.test('white is no mask, black no reference; prompts with and without one in a run', async (test) => {
  const pipe = await pipeline;
  const without = await drawn(pipe, { ...scene, references });
  test.equal(await masked(pipe, [white, white]), without);
  test.equal(await masked(pipe, [undefined, white]), without);
  test.equal(await masked(pipe, [undefined, black]), await drawn(pipe, { ...scene, references: [references[0]!] }));
  test.equal(await masked(pipe, [black, black]), await drawn(pipe, scene));
  const pictures = new Set([without]);
  for (const mode of ['linear', 'diffusers', 'comfy'] as const)
    pictures.add(await masked(pipe, [{ ...left, mode }, undefined]));
  test.ok(pictures.size >= 3, 'black and white bicubic is another picture than bilinear');
});

t.test('what is no mask is refused with its name', async (test) => {
  const pipe = await pipeline;
  const refused = (mask: unknown, code: string, message: string | RegExp) =>
    test.rejects(masked(pipe, [undefined, mask]), { code, message });
  await refused({ ...white, width: 44 }, 'OPTION_RANGE', 'a mask of 44 x 40 pixels holds 1800 values');
  await refused({ ...white, height: 0 }, 'OPTION_RANGE', /mask\.height/);
  await refused({ ...white, width: 45.5 }, 'OPTION_RANGE', /mask\.width/);
  await refused(
    { ...white, mode: 'cubic' },
    'OPTION_RANGE',
    'Expected linear, diffusers or comfy for mask.mode but received "cubic"',
  );
  await refused(
    grey((x, y) => (x === 3 && y === 2 ? Number.NaN : 1)),
    'OPTION_RANGE',
    'a mask holds NaN in column 3, row 2',
  );
  await refused(
    grey(() => 255),
    'OPTION_RANGE',
    /^a mask holds 255/,
  );
  await refused({ ...white, data: 'white' }, 'OPTION_TYPE', /mask\.data/);
  await refused('white', 'OPTION_TYPE', /for mask/);
});
