// Pictures of a run that goes on, with the bundled model: they come when asked for, show what becomes of it, and change nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import t from 'tap';
import { Picture } from '../../lib/images/picture.js';
import type { GenerateOptions, JobEvent, Pipeline } from '../../lib/index.js';
import { pipelineParts } from '../../lib/pipeline.js';
import { JobControl } from '../../lib/run/job.js';
import { samplers } from '../../lib/schedulers/index.js';
import { digestOf, failure, opened, scene } from './sketch.js';

const short: GenerateOptions = { ...scene, steps: 8, guidanceScale: 3, width: 128, height: 128 };
type Preview = JobEvent & { readonly type: 'preview' };

const followed = async (pipe: Pipeline, more: Partial<GenerateOptions>) => {
  const events: JobEvent[] = [];
  const { images } = await pipe.generate({ ...short, ...more, onProgress: (event) => events.push(event) });
  return { images, events, previews: events.filter((event): event is Preview => event.type === 'preview') };
};

/** Mean difference in grey levels. */
const distance = (a: { readonly data: Uint8Array }, b: { readonly data: Uint8Array }): number =>
  a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;

t.test('they come after the steps asked for, the last aside, and change nothing', async (test) => {
  const pipe = await opened(test);
  const plain = await followed(pipe, { count: 2 });
  test.same(plain.previews, []);
  const shown = await followed(pipe, { count: 2, preview: { every: 2 } });
  test.same(
    shown.previews.map(({ step, index, pass }) => `${index} ${pass} ${step}`),
    ['0 base 2', '0 base 4', '0 base 6', '1 base 2', '1 base 4', '1 base 6'],
  );
  test.same(
    shown.images.map(({ data }) => digestOf(data)),
    plain.images.map(({ data }) => digestOf(data)),
  );
  for (const [i, event] of shown.events.entries())
    if (event.type === 'preview') test.match(shown.events[i - 1], { type: 'step', step: event.step });
  const hires = { scale: 1.5, strength: 0.5 };
  const two = await followed(pipe, { hires, preview: { every: 3 } });
  test.same(
    two.previews.map(({ step, pass, image }) => [step, pass, image.width]),
    [
      [3, 'base', 128],
      [6, 'base', 128],
      [9, 'hires', 192],
    ],
  );
  const without = await followed(pipe, { hires });
  test.equal(digestOf(two.images[0]!.data), digestOf(without.images[0]!.data));
  test.same((await followed(pipe, { preview: {} })).previews.length, 1, 'every five by itself');
});

t.test('with every sampler they show what becomes of it', async (test) => {
  const pipe = await opened(test);
  for (const sampler of samplers) {
    const { previews, images } = await followed(pipe, { sampler, preview: { every: 7 } });
    const far = distance(previews[0]!.image, images[0]!);
    test.ok(previews.length === 1 && far < 6, `${sampler}: one step before the end ${far.toFixed(1)} grey levels away`);
  }
  const { previews, images } = await followed(pipe, { sampler: 'ddim', preview: { every: 1 } });
  const far = previews.map(({ image }) => distance(image, images[0]!));
  test.comment(`ddim, step by step: ${far.map((one) => one.toFixed(1)).join(', ')}`);
  test.ok(far.at(-1)! < far[0]! / 2, 'nearer in the end than in the beginning');
});

t.test('a preview can be written, without metadata', async (test) => {
  const { previews } = await followed(await opened(test), {});
  test.same(previews, []);
  const picture = new Picture({ width: 2, height: 1, data: Uint8Array.of(255, 0, 0, 0, 0, 255) });
  const { format, width } = await sharp(await picture.toBuffer('webp')).metadata();
  test.same([format, width], ['webp', 2]);
  const { data } = await sharp(await picture.toBuffer())
    .raw()
    .toBuffer({ resolveWithObject: true });
  test.same([...data], [...picture.data]);
  const file = `${test.testdir()}/so-far.png`;
  await picture.toFile(file);
  test.equal((await failure(picture.toFile(file))).code, 'OUTPUT_EXISTS');
});

t.test('a slow reader keeps one pending preview, the last', async (test) => {
  const control = new JobControl();
  const image = new Picture({ width: 1, height: 1, data: new Uint8Array(3) });
  const seen: JobEvent[] = [];
  const reading = (async () => {
    for await (const event of control.job) seen.push(event);
  })();
  for (let step = 1; step <= 9; ++step) {
    control.emit({ type: 'step', step, steps: 9, etaMs: 0, image: 0, pass: 'base' });
    control.emit({ type: 'preview', step, image, index: 0, pass: 'base' });
  }
  control.succeed({
    images: [],
    seeds: [],
    timings: { queueMs: 0, encodeMs: 0, sampleMs: 0, decodeMs: 0, totalMs: 0 },
    warnings: [],
    licenses: [],
  });
  await reading;
  test.ok(seen.length <= 4, `${seen.length} events`);
  test.same(
    seen.slice(-2).map((event) => [event.type, (event as Preview).step]),
    [
      ['step', 9],
      ['preview', 9],
    ],
  );
});

t.test('a preview that cannot be made is told of once and ends no run', async (test) => {
  const pipe = await opened(test);
  const { host } = pipelineParts(pipe);
  const { engine } = host;
  const sample: typeof engine.sample = (spec, onStep) =>
    engine.sample({ ...spec, preview: spec.preview && { ...spec.preview, scalingFactor: 1e-38 } }, onStep);
  Object.assign(host, {
    engine: new Proxy(engine, {
      get: (_, name) => {
        const value: unknown = name === 'sample' ? sample : Reflect.get(engine, name, engine);
        return typeof value === 'function' ? value.bind(engine) : value;
      },
    }),
  });
  const { images, previews, events } = await followed(pipe, { preview: { every: 1 } });
  Object.assign(host, { engine });
  test.equal(previews.length, 0);
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []));
  test.same(warnings, ['PREVIEW_FAILED']);
  test.equal(digestOf(images[0]!.data), digestOf((await followed(pipe, {})).images[0]!.data));
});

t.test('a run with previews can be cancelled', async (test) => {
  const pipe = await opened(test);
  const job = pipe.generate({ ...short, preview: { every: 1 } });
  for await (const event of job) if (event.type === 'preview') break;
  test.equal((await failure(job)).code, 'ABORTED');
  await sleep(0);
  test.match(await failure(pipe.generate({ ...short, preview: { every: 0 } })), {
    code: 'OPTION_RANGE',
    message: /preview.every/,
  });
});
