// What the addon is told about a device, and an addon that does not do it.
import t from 'tap';
import { IpAdapterError } from '../../../lib/errors.js';
import { type EngineOptions, startEngine, unlessAborted } from '../../../lib/native/engine.js';
import { fakeAddon, fakeLibrary, withEnvironment } from './fake-cards.js';

withEnvironment({ IPA_BINARY: fakeAddon, FAKE_ADDON: undefined, IPA_CPU: undefined });

const failure = (options: EngineOptions): IpAdapterError => {
  try {
    startEngine(options).close();
  } catch (error) {
    if (error instanceof IpAdapterError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

t.test('the CPU by itself, a card with its library', async (test) => {
  const cpu = startEngine({ threads: 2 });
  test.match(cpu, { device: 'cpu', engine: { info: { threads: 2, dtype: 'f32' } } });
  cpu.close();
  const library = fakeLibrary({});
  const card = startEngine({ threads: 1, place: { id: 'cuda:1', library } });
  test.match(card, { device: 'cuda:1', engine: { info: { device: 'cuda:1', name: 'NVIDIA Fake', dtype: 'f16' } } });
  card.close();
  const emulated = startEngine({ threads: 1, dtype: 'bf16', place: { id: 'emulated', library } });
  test.match(emulated, { device: 'emulated', engine: { info: { device: 'emulated', dtype: 'bf16' } } });
  emulated.close();
});

t.test('f16 is for cards', async (test) => {
  test.match(failure({ threads: 1, dtype: 'f16' }), {
    code: 'DEVICE_UNSUPPORTED',
    hint: /^Use dtype "auto", "f32" or "bf16", or a card/,
    details: { option: 'dtype', found: 'f16', device: 'cpu' },
  });
  startEngine({ threads: 1, dtype: 'f16', place: { id: 'cuda:0', library: fakeLibrary({}) } }).close();
});

t.test('what the engine says of its device is the error', async (test) => {
  const engine = { code: 'BINARY_INCOMPATIBLE', message: 'the library is of version 0.2.0', hint: 'install 0.1.0' };
  const place = { id: 'cuda:0', library: fakeLibrary({ engine }) } as const;
  test.match(failure({ threads: 1, place }), { ...engine, name: 'BinaryError' });
});

t.test('an addon that knows no device is not mistaken for a card', async (test) => {
  withEnvironment({ FAKE_ADDON: 'old' });
  const place = { id: 'cuda:0', library: fakeLibrary({}) } as const;
  test.match(failure({ threads: 1, place }), {
    code: 'BINARY_INCOMPATIBLE',
    message: /was asked for cuda:0 and took the CPU/,
    details: { path: fakeAddon, expected: 'cuda:0' },
  });
  startEngine({ threads: 1 }).close();
});

t.test('waiting ends with the signal, the work goes on', async (test) => {
  const aborted = (reason: unknown): Error => new Error(`aborted: ${String(reason)}`);
  const control = new AbortController();
  let finish = (_: string): void => undefined;
  const work = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const waiting = unlessAborted(control.signal, aborted, work);
  control.abort('enough');
  await test.rejects(waiting, { message: 'aborted: enough' });
  finish('done');
  test.equal(await work, 'done');
  test.equal(await unlessAborted(undefined, aborted, work), 'done');
  test.equal(await unlessAborted(new AbortController().signal, aborted, work), 'done');
  await test.rejects(unlessAborted(control.signal, aborted, work), { message: 'aborted: enough' }, 'aborted before');
});
