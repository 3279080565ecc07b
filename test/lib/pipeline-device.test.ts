// From the wish for a device to info, record and warnings of a pipeline, on an engine without numbers.
import t from 'tap';
import { defaultModel } from '../../lib/models/default-model.js';
import type { LoadOptions } from '../../lib/models/options.js';
import type { EngineOptions } from '../../lib/native/engine.js';
import { loadPipelineWith, type Pipeline } from '../../lib/pipeline.js';
import { fakeEngine } from './fake-engine.js';
import { fakeAddon, fakeLibrary, h100, timesAsked, withEnvironment } from './native/fake-cards.js';

withEnvironment({ IPA_BINARY: fakeAddon, IPA_CUDA_LIBRARY: undefined, IPA_DEVICE: undefined });

const { path } = defaultModel();
const load = async (
  behaviour: object,
  options: LoadOptions,
): Promise<{ pipe: Pipeline; started: EngineOptions; library: string }> => {
  const library = fakeLibrary(behaviour);
  process.env.IPA_CUDA_LIBRARY = library;
  let started: EngineOptions | undefined;
  const start = (asked: EngineOptions) => {
    started = asked;
    return fakeEngine({ device: asked.place?.id ?? 'cpu' }).host;
  };
  const pipe = await loadPipelineWith(start, path, options);
  t.teardown(() => pipe.dispose());
  return { pipe, started: started!, library };
};

t.test('a card is told in info and record', async (test) => {
  for (const device of ['auto', 'cuda', 'cuda:0'] as const) {
    const { pipe, started, library } = await load({ devices: [h100] }, { device, threads: 3 });
    test.match(started, { threads: 3, dtype: 'auto', place: { id: 'cuda:0', library } });
    test.match(pipe.info, { name: 'pipeline', device: 'cuda:0', card: 'Fake', dtype: 'f16', warnings: [] });
    const { images } = await pipe.generate({ prompt: 'a cat', seed: 1, steps: 1 });
    test.match(images[0]!.metadata, { device: 'cuda:0', dtype: 'f16' });
  }
});

t.test('the CPU is not asked about cards', async (test) => {
  const { pipe, started, library } = await load({ devices: [h100] }, { device: 'cpu' });
  test.equal(timesAsked(library), 0);
  test.same(started.place, { id: 'cpu' });
  test.match(pipe.info, { device: 'cpu', dtype: 'f32', warnings: [] });
  test.notOk('card' in pipe.info);
  const { images } = await pipe.generate({ prompt: 'a cat', seed: 1, steps: 1 });
  test.equal(images[0]!.metadata.device, 'cpu');
});

t.test('auto without a card that can be used: the CPU, with a warning; strict: an error', async (test) => {
  const error = { code: 'DRIVER_TOO_OLD', message: 'the driver is 525', hint: 'install 580' };
  const logged: string[] = [];
  const logger = { warn: (_: object, text: string) => logged.push(text) };
  const { pipe, started } = await load({ error }, { logger });
  test.same(started.place, { id: 'cpu' });
  const message = 'device "auto" takes the CPU: the driver is 525. install 580';
  test.match(pipe.info, { device: 'cpu', warnings: [{ code: 'DRIVER_TOO_OLD', message }] });
  test.same(logged, [message]);
  await test.rejects(load({ error }, { strict: true }), {
    code: 'DRIVER_TOO_OLD',
    hint: /device "cpu", or without strict/,
  });
  await test.rejects(load({ error }, { device: 'cuda' }), error, 'whoever asks for a card gets the reason');
});

t.test('IPA_DEVICE chooses, an option wins', async (test) => {
  withEnvironment({ IPA_DEVICE: 'cpu' });
  test.equal((await load({ devices: [h100] }, {})).pipe.info.device, 'cpu');
  test.equal((await load({ devices: [h100] }, { device: 'cuda' })).pipe.info.device, 'cuda:0');
});

t.test('a load that is cancelled does not wait for the driver', async (test) => {
  const began = performance.now();
  const signal = AbortSignal.timeout(200);
  await test.rejects(load({ hangs: 4000, devices: [h100] }, { device: 'cuda', signal }), { code: 'ABORTED' });
  test.ok(performance.now() - began < 3000);
});
