// The driver is tried in a process of its own: what it says comes back, and a crash or a hang becomes a reason.
import t from 'tap';
import { probe, probeOnce } from '../../../lib/native/probe.js';
import { fakeAddon, fakeLibrary, h100, small, timesAsked, withEnvironment } from './fake-cards.js';

withEnvironment({ IPA_BINARY: fakeAddon });

t.test('cards come back as the driver describes them', async (test) => {
  test.strictSame(await probeOnce(fakeLibrary({ devices: [h100, small] })), [h100, small]);
  test.strictSame(await probeOnce(fakeLibrary({ devices: [] })), []);
  test.strictSame(await probeOnce(fakeLibrary({ devices: [h100], says: 'a driver\nthat talks' })), [h100]);
});

t.test('L-11: what the library says of its driver is the error', async (test) => {
  for (const code of ['DEVICE_NONE', 'DRIVER_TOO_OLD', 'DEVICE_UNSUPPORTED', 'BINARY_INCOMPATIBLE']) {
    const error = { code, message: `${code} it is`, hint: 'mend it' };
    const library = fakeLibrary({ error });
    await test.rejects(probeOnce(library), { ...error, details: { library } });
  }
  const odd = { error: { code: 'UNHEARD_OF', message: 'odd', hint: '' } };
  await test.rejects(probeOnce(fakeLibrary(odd)), { code: 'INTERNAL', message: 'odd' });
});

t.test('a driver that crashes, ends the process or hangs is a reason, with its last words', async (test) => {
  const reason = async (behaviour: object, message: RegExp, limit?: number): Promise<void> => {
    const library = fakeLibrary(behaviour);
    const details = { library, stderr: 'the driver starts' };
    await test.rejects(probeOnce(library, limit), { code: 'DEVICE_NONE', name: 'DeviceError', message, details });
  };
  await reason({ signal: 'SIGSEGV' }, /crashed with SIGSEGV; its last words: "the driver starts"/);
  await reason({ signal: 'SIGKILL' }, /crashed with SIGKILL/);
  await reason({ exit: 3 }, /ended with exit code 3/);
  await reason({ devices: [{ id: 'cuda:0' }] }, /gave no answer that can be read/);
  await reason({ devices: [{ ...h100, id: 'cpu' }] }, /gave no answer that can be read/);
  const started = performance.now();
  await reason({ hangs: 10_000 }, /did not answer within 1.5 s/, 1500);
  test.ok(performance.now() - started < 6000, 'it was ended');
});

t.test('a library is probed once in a process, whatever came out', async (test) => {
  const good = fakeLibrary({ devices: [h100] });
  const [first, second] = await Promise.all([probe(good), probe(good)]);
  test.equal(first, second);
  test.equal(await probe(good), first);
  test.equal(timesAsked(good), 1);
  const bad = fakeLibrary({ signal: 'SIGSEGV' });
  for (let i = 0; i < 2; ++i) await test.rejects(probe(bad), { code: 'DEVICE_NONE' });
  test.equal(timesAsked(bad), 1);
});

t.test('an addon from before cards says so', async (test) => {
  withEnvironment({ FAKE_ADDON: 'old' });
  await test.rejects(probeOnce(fakeLibrary({ devices: [h100] })), {
    code: 'BINARY_INCOMPATIBLE',
    message: /fake-addon\.cjs" is from before cards/,
    hint: 'Build it anew: npx node-ip-adapter build',
  });
});
