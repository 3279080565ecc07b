// Whose noise a run draws: what the native core is asked for, what the record says, and that pictures follow it.
import t, { type Test } from 'tap';
import type { GenerateOptions } from '../../lib/index.js';
import { defaultModel } from '../../lib/models/default-model.js';
import { loadPipelineWith } from '../../lib/pipeline.js';
import { type FakeEngine, fakeEngine } from './fake-engine.js';
import { drawn, opened } from './sketch.js';

const run: GenerateOptions = {
  prompt: 'a cat',
  steps: 4,
  seed: 7,
  width: 64,
  height: 64,
  sampler: 'euler',
  spacing: 'trailing',
};

const asked = async (test: Test, options: Partial<GenerateOptions>) => {
  const fake: FakeEngine = fakeEngine();
  const pipe = await loadPipelineWith(() => fake.host, defaultModel().path, {});
  test.teardown(() => pipe.dispose());
  const { images, seeds } = await pipe.generate({ ...run, ...options });
  return { samples: fake.samples, records: images.map((image) => image.metadata), seeds };
};

t.test('each convention asks for its generators, and the record says it', async (test) => {
  const first = async (options: Partial<GenerateOptions>) => {
    const { samples, records } = await asked(test, options);
    const { noise, rngDtype, batchNoise, batch } = records[0]!;
    return { noise: samples[0]!.noise, record: { noise, rngDtype, batchNoise, batch } };
  };
  test.same(await first({}), {
    noise: { source: 'torch-cpu', type: 'f32' },
    record: { noise: 'torch-cpu', rngDtype: 'f32', batchNoise: 'per-image', batch: undefined },
  });
  test.same(await first({ noise: 'torch-cuda', rngDtype: 'f16' }), {
    noise: { source: 'torch-cuda', type: 'f16' },
    record: { noise: 'torch-cuda', rngDtype: 'f16', batchNoise: 'per-image', batch: undefined },
  });
  test.same((await first({ noise: 'a1111' })).noise, { source: 'nv', type: 'f32' });
  test.same((await first({ rngDtype: 'f16-legacy' })).noise, { source: 'torch-cpu', type: 'f16-legacy' });
  test.same(await first({ noise: 'comfyui', count: 2 }), {
    noise: { source: 'torch-cpu', steps: 'torch-cuda', type: 'f32' },
    record: { noise: 'comfyui', rngDtype: 'f32', batchNoise: 'single', batch: { index: 0, count: 2 } },
  });
});

t.test('one draw of all pictures has one seed; generators of their own have seed + i', async (test) => {
  const single = await asked(test, { count: 3, batchNoise: 'single' });
  test.same(single.seeds, [7, 7, 7]);
  test.same(
    single.samples.map((spec) => [spec.seed, spec.batch]),
    [0, 1, 2].map((index) => [7n, { index, count: 3 }]),
  );
  test.same(
    single.records.map(({ seed, batch }) => [seed, batch]),
    [0, 1, 2].map((index) => ['7', { index, count: 3 }]),
  );
  const own = await asked(test, { count: 3, noise: 'comfyui', batchNoise: 'per-image' });
  test.same(own.seeds, [7, 8, 9]);
  test.ok(own.samples.every(({ batch }) => batch === undefined));
});

t.test('A1111 and ComfyUI multiply the initial noise as they do', async (test) => {
  const level = async (options: Partial<GenerateOptions>) => {
    const { samples } = await asked(test, { spacing: 'leading', ...options });
    return samples[0]!.initNoiseSigma;
  };
  const [reference, a1111] = [await level({}), await level({ noise: 'a1111' })];
  test.ok(Math.abs(reference - Math.sqrt(a1111 * a1111 + 1)) < 1e-9, `${reference}, ${a1111}`);
  const whole = await level({ noise: 'comfyui', schedule: 'normal' });
  const sigma = await level({ noise: 'a1111', schedule: 'normal' });
  test.ok(Math.abs(whole - Math.sqrt(sigma * sigma + 1)) < 1e-9, `${whole}, ${sigma}`);
});

t.test('a number type that a convention does not draw is refused', async (test) => {
  for (const options of [
    { noise: 'a1111', rngDtype: 'f16' },
    { noise: 'torch-cuda', rngDtype: 'f16-legacy' },
    { noise: 'comfyui', rngDtype: 'bf16' },
  ] as const)
    await test.rejects(asked(test, options), { code: 'OPTION_CONFLICT', message: 'rngDtype' }, options.noise);
});

t.test('pictures follow the noise', async (test) => {
  const pipe = await opened(test);
  const ancestral = { steps: 3, sampler: 'euler_ancestral' } as const;
  const euler = { steps: 3, sampler: 'euler', spacing: 'trailing' } as const;
  const cpu = await drawn(pipe, euler);
  test.equal(await drawn(pipe, { ...euler, noise: 'torch-cpu', batchNoise: 'single' }), cpu, 'one picture of one draw');
  // so few numbers have a thread each: the rules of A1111 and of a card are one; initial noise is σ at trailing spacing
  const card = await drawn(pipe, { ...euler, noise: 'torch-cuda' });
  test.equal(await drawn(pipe, { ...euler, noise: 'a1111' }), card);
  test.not(card, cpu);
  test.not(await drawn(pipe, { ...euler, rngDtype: 'f16-legacy' }), cpu);
  // ComfyUI's noise of steps is a card's, its initial noise a CPU's
  const steps = await Promise.all(
    (['torch-cpu', 'torch-cuda', 'comfyui'] as const).map((noise) => drawn(pipe, { ...ancestral, noise })),
  );
  test.equal(new Set(steps).size, 3);
});
