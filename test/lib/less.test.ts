// Runs that leave something out of their steps: what the engine is told, what the picture becomes, what is said.
import t, { type Test } from 'tap';
import type { GenerateOptions } from '../../lib/index.js';
import { loadPipelineWith } from '../../lib/pipeline.js';
import { fakeEngine } from './fake-engine.js';
import { drawn, failure, opened, sketch } from './sketch.js';

const faked = async (test: Test) => {
  const fake = fakeEngine();
  const pipe = await loadPipelineWith(() => fake.host, sketch.path, {});
  test.teardown(() => pipe.dispose());
  return { fake, pipe };
};

const run: GenerateOptions = { prompt: 'a man', width: 64, height: 64, steps: 4, seed: 1, guidanceScale: 3 };

t.test('the window of guidance, by outer step', async (test) => {
  const { fake, pipe } = await faked(test);
  const told = async (options: Partial<GenerateOptions>) => {
    await pipe.generate({ ...run, ...options });
    return fake.samples.at(-1)!.guidanceWindow;
  };
  test.equal(await told({}), undefined);
  test.equal(await told({ guidanceStart: 0, guidanceEnd: 1 }), undefined, 'all of it is none');
  test.same(await told({ guidanceEnd: 0.5 }), [1, 1, 1, 0], 'both ends included');
  test.same(await told({ guidanceStart: 0.25, guidanceEnd: 0.5 }), [0, 1, 1, 0]);
  test.same(
    await told({ guidanceEnd: 0.5, sampler: 'heun' }),
    [1, 1, 1, 0],
    'where a step calls the network twice too',
  );
  const { guidanceWindow } = { guidanceWindow: await told({ guidanceStart: 0.3, guidanceWindowMode: 'sigma' }) };
  test.equal(guidanceWindow!.length, 4);
  test.equal(guidanceWindow![0], 0, 'the first σ is above that of 0.3');
  test.equal(await told({ guidanceEnd: 0.5, guidanceScale: 1 }), undefined, 'there is none to leave out');
});

t.test('a window changes the picture, and is in the record', async (test) => {
  const pipe = await opened(test);
  const whole = await drawn(pipe, { ...run, prompt: 'portrait of a man' });
  const some = { ...run, prompt: 'portrait of a man', guidanceEnd: 0.5 };
  test.not(await drawn(pipe, some), whole);
  test.equal(await drawn(pipe, { ...some, guidanceEnd: 0.8 }), whole, 'all steps lie in it');
  const none = await drawn(pipe, { ...some, guidanceStart: 0.3, guidanceEnd: 0.4 });
  test.equal(none, await drawn(pipe, { ...some, guidanceEnd: undefined as never, guidanceScale: 1 }), 'no step does');
  const { images } = await pipe.generate({ ...some, guidanceWindowMode: 'sigma' });
  const { guidanceStart, guidanceEnd, guidanceWindowMode } = images[0]!.metadata;
  test.same(
    { guidanceStart, guidanceEnd, guidanceWindowMode },
    { guidanceStart: undefined, guidanceEnd: 0.5, guidanceWindowMode: 'sigma' },
  );
});

t.test('features that are reused', async (test) => {
  const { fake, pipe: told } = await faked(test);
  await told.generate({ ...run, reuse: { every: 1 } });
  await told.generate({ ...run, reuse: { every: 3 } });
  test.same(
    fake.samples.map(({ reuseEvery }) => reuseEvery),
    [undefined, 3],
  );
  const pipe = await opened(test);
  const whole = await drawn(pipe, { ...run, steps: 6 });
  const pictures = new Map<string, string>([['all', whole]]);
  for (const every of [2, 3])
    for (const guidanceEnd of [1, 0.5])
      for (const sampler of ['euler', 'heun'] as const) {
        const options = { ...run, steps: 6, reuse: { every }, guidanceEnd, sampler };
        pictures.set(`${every} ${guidanceEnd} ${sampler}`, await drawn(pipe, options));
        test.equal(await drawn(pipe, options), pictures.get(`${every} ${guidanceEnd} ${sampler}`), 'the same again');
      }
  test.equal(new Set(pictures.values()).size, pictures.size, 'no two are alike');
  test.equal(await drawn(pipe, { ...run, steps: 6, reuse: { every: 1 } }), whole);
  test.equal(await drawn(pipe, { ...run, steps: 2, reuse: { every: 9 } }), await drawn(pipe, { ...run, steps: 2 }));
  const { images } = await pipe.generate({ ...run, steps: 2, reuse: { every: 2 } });
  test.same(images[0]!.metadata.reuse, { every: 2 });
});

t.test('FreeU', async (test) => {
  const { fake, pipe: told } = await faked(test);
  await told.generate(run);
  await told.generate({ ...run, freeU: true });
  await told.generate({ ...run, freeU: { b2: 1.1, s1: 0 } });
  const usual = { b1: 1.5, b2: 1.6, s1: 0.9, s2: 0.2 };
  test.same(
    fake.samples.map(({ freeU }) => freeU),
    [undefined, usual, { ...usual, b2: 1.1, s1: 0 }],
  );
  const pipe = await opened(test);
  const plain = await drawn(pipe, run);
  const without = await drawn(pipe, { ...run, freeU: { b1: 1, b2: 1, s1: 1, s2: 1 } });
  const all = await drawn(pipe, { ...run, freeU: true });
  const parts = [];
  for (const name of ['b1', 'b2', 's1', 's2'] as const)
    parts.push(await drawn(pipe, { ...run, freeU: { b1: 1, b2: 1, s1: 1, s2: 1, [name]: 0.5 } }));
  test.equal(new Set([without, all, ...parts]).size, 6, 'each factor acts');
  test.not(all, plain);
  test.not(await drawn(pipe, { ...run, freeU: true, reuse: { every: 2 }, guidanceEnd: 0.5 }), all);
  const { images } = await pipe.generate({ ...run, freeU: {} });
  test.same(images[0]!.metadata.freeU, usual);
});

t.test('what does not go together', async (test) => {
  const { pipe } = await faked(test);
  const said = async (options: Partial<GenerateOptions>) =>
    (await pipe.generate({ ...run, ...options })).warnings.map(({ code, message }) => `${code} ${message}`).join(' ');
  test.equal(await said({ guidanceEnd: 0.5 }), '');
  test.match(await said({ guidanceEnd: 0.5, guidanceScale: 1 }), /^OPTION_CONFLICT guidanceEnd has no effect/);
  test.match(await said({ guidanceStart: 0.5, guidanceScale: 1 }), /^OPTION_CONFLICT guidanceStart has no effect/);
  const refused = (options: Partial<GenerateOptions>) => failure(pipe.generate({ ...run, ...options }));
  test.match(await refused({ guidanceStart: 0.6, guidanceEnd: 0.5 }), { code: 'OPTION_RANGE' });
  test.match(await refused({ guidanceEnd: 1.5 }), { code: 'OPTION_RANGE' });
  test.match(await refused({ prompt: 'a :-1 AND b :-2', guidanceEnd: 0.5 }), { code: 'OPTION_CONFLICT' });
  test.match(await refused({ reuse: { every: 11 } }), { code: 'OPTION_RANGE', message: /reuse\.every/ });
  test.match(await refused({ reuse: {} as never }), { code: 'OPTION_TYPE' });
  test.match(await refused({ reuse: { evry: 2 } as never }), { code: 'OPTION_UNKNOWN' });
  test.match(await refused({ freeU: { b1: 5 } }), { code: 'OPTION_RANGE', message: /freeU\.b1/ });
  test.match(await refused({ freeU: 1 as never }), { code: 'OPTION_TYPE', message: /freeU/ });
  test.equal(await said({ prompt: 'a AND b :-2', guidanceEnd: 0.5 }), '');
});
