// devices(): the CPU, then every card or the reason why there is none.
import { join } from 'node:path';
import t from 'tap';
import { devices } from '../../../lib/native/devices.js';
import { fakeAddon, fakeLibrary, h100, pascal, small, timesAsked, withEnvironment } from './fake-cards.js';

withEnvironment({ IPA_BINARY: fakeAddon, IPA_CUDA_LIBRARY: undefined });

const cardsOf = async (library: string): Promise<unknown[]> => {
  process.env.IPA_CUDA_LIBRARY = library;
  const [cpu, ...cards] = await devices();
  t.match(cpu, { id: 'cpu', usable: true, isa: 'base', levels: ['base'] });
  return cards;
};

t.test('every card, with what is known of it', async (test) => {
  const library = fakeLibrary({ devices: [h100, small, { ...pascal, id: 'cuda:2' }] });
  test.strictSame(await cardsOf(library), [
    { ...h100, usable: true },
    { id: 'cuda:1', usable: false, reason: 'NVIDIA GeForce MX450 has 2.1 GB of memory, an SD1.5 needs 2.5 GB' },
    {
      id: 'cuda:2',
      usable: false,
      reason: 'NVIDIA GeForce GTX 1080 has compute capability 6.1, our kernels need 7.5 (Turing) or newer',
    },
  ]);
  await devices();
  test.equal(timesAsked(library), 1, 'asked once');
});

t.test('L-11: one entry with the reason where there is no card', async (test) => {
  const driver = { message: 'the NVIDIA driver offers CUDA 12.4, our kernels need CUDA 13.0', hint: 'install 580' };
  for (const [behaviour, reason] of [
    [{ devices: [] }, 'the NVIDIA driver finds no card'],
    [{ error: { code: 'DRIVER_TOO_OLD', ...driver } }, `${driver.message}. ${driver.hint}`],
    [{ signal: 'SIGSEGV' }, /crashed with SIGSEGV/],
  ] as const)
    test.match(await cardsOf(fakeLibrary(behaviour)), [{ id: 'cuda', usable: false, reason }]);
  const nowhere = join('nowhere', 'ipa_cuda.so');
  test.match(await cardsOf(nowhere), [{ id: 'cuda', usable: false, reason: /IPA_CUDA_LIBRARY names .* Set/ }]);
});
