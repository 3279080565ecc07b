// Where networks run: every wish on every kind of machine, with the machine stubbed.
import t from 'tap';
import { BinaryError, DeviceError, type ErrorCode } from '../../../lib/errors.js';
import { chooseDevice, type DeviceName, type Sight } from '../../../lib/native/choose-device.js';
import type { Lookup } from '../../../lib/native/device-library.js';
import type { Card } from '../../../lib/native/types.js';
import { h100, pascal, small } from './fake-cards.js';

const absent = (named = false): Lookup => ({
  error: new BinaryError('BINARY_NOT_FOUND', 'no library', 'npm i it'),
  named,
});
const installed: Lookup = { path: '/x/ipa_cuda.so' };
const failing =
  (code: 'DEVICE_NONE' | 'DRIVER_TOO_OLD'): (() => Promise<never>) =>
  () =>
    Promise.reject(new DeviceError(code, 'the driver is 525', 'install 580'));

/** A machine with this library and what its probe gives; every look at it is noted. */
const machine = (cuda: Lookup, probe: readonly Card[] | (() => Promise<never>) = []) => {
  const looks: string[] = [];
  const sight: Sight = {
    cuda: () => {
      looks.push('cuda');
      return cuda;
    },
    emulated: () => {
      looks.push('emulated');
      return { path: '/x/ipa_emulated.so' };
    },
    probe: (library) => {
      looks.push(`probe ${library}`);
      return typeof probe === 'function' ? probe() : Promise.resolve(probe);
    },
  };
  return { sight, looks };
};

/** What a wish becomes: the device, or the error's code; and the codes of warnings. */
const outcome = async (name: DeviceName, { sight }: { sight: Sight }): Promise<string> => {
  const warned: string[] = [];
  const chosen = await chooseDevice(name, (code) => warned.push(code), sight).then(
    ({ id }) => id,
    ({ code }: { code: ErrorCode }) => code,
  );
  return [chosen, ...warned].join(', warned of ');
};

const other: Card = { ...h100, id: 'cuda:1' };
const MACHINES = {
  'no library': machine(absent()),
  'a library named that is not there': machine(absent(true)),
  'a good card': machine(installed, [h100]),
  'two cards, the first too old': machine(installed, [pascal, other]),
  'a card that is too old': machine(installed, [pascal]),
  'a card that is too small': machine(installed, [{ ...small, id: 'cuda:0' }]),
  'no card': machine(installed, []),
  'an old driver': machine(installed, failing('DRIVER_TOO_OLD')),
  'a driver that crashes': machine(installed, failing('DEVICE_NONE')),
};

/** device: auto, cuda, cuda:0, cuda:1 */
const TABLE: Readonly<Record<keyof typeof MACHINES, readonly [string, string, string, string]>> = {
  'no library': ['cpu', 'BINARY_NOT_FOUND', 'BINARY_NOT_FOUND', 'BINARY_NOT_FOUND'],
  'a library named that is not there': [
    'cpu, warned of BINARY_NOT_FOUND',
    'BINARY_NOT_FOUND',
    'BINARY_NOT_FOUND',
    'BINARY_NOT_FOUND',
  ],
  'a good card': ['cuda:0', 'cuda:0', 'cuda:0', 'DEVICE_NONE'],
  'two cards, the first too old': ['cuda:1', 'cuda:1', 'DEVICE_UNSUPPORTED', 'cuda:1'],
  'a card that is too old': [
    'cpu, warned of DEVICE_UNSUPPORTED',
    'DEVICE_UNSUPPORTED',
    'DEVICE_UNSUPPORTED',
    'DEVICE_NONE',
  ],
  'a card that is too small': ['cpu, warned of DEVICE_OUT_OF_MEMORY', 'DEVICE_OUT_OF_MEMORY', 'cuda:0', 'DEVICE_NONE'],
  'no card': ['cpu, warned of DEVICE_NONE', 'DEVICE_NONE', 'DEVICE_NONE', 'DEVICE_NONE'],
  'an old driver': ['cpu, warned of DRIVER_TOO_OLD', 'DRIVER_TOO_OLD', 'DRIVER_TOO_OLD', 'DRIVER_TOO_OLD'],
  'a driver that crashes': ['cpu, warned of DEVICE_NONE', 'DEVICE_NONE', 'DEVICE_NONE', 'DEVICE_NONE'],
};

for (const [name, expected] of Object.entries(TABLE) as [keyof typeof MACHINES, readonly string[]][]) {
  t.test(`L-11: ${name}`, async (test) => {
    const wishes: readonly DeviceName[] = ['auto', 'cuda', 'cuda:0', 'cuda:1'];
    for (const [i, wish] of wishes.entries()) test.equal(await outcome(wish, MACHINES[name]), expected[i], wish);
  });
}

t.test('the CPU is looked for nowhere, the emulated device never by itself and without a driver', async (test) => {
  const { sight, looks } = machine(installed, [h100]);
  test.equal(await outcome('cpu', { sight }), 'cpu');
  test.same(looks, []);
  test.same(await chooseDevice('emulated', () => undefined, sight), {
    id: 'emulated',
    library: '/x/ipa_emulated.so',
  });
  test.same(looks.splice(0), ['emulated']);
  test.same(await chooseDevice('auto', () => undefined, sight), { id: 'cuda:0', library: '/x/ipa_cuda.so' });
  test.same(looks, ['cuda', 'probe /x/ipa_cuda.so']);
});

t.test('errors and warnings say what was found and what to do', async (test) => {
  const wish = (name: DeviceName, { sight }: { sight: Sight }) => chooseDevice(name, () => undefined, sight);
  await test.rejects(wish('cuda:3', machine(installed, [h100, other])), {
    code: 'DEVICE_NONE',
    message: 'There is no card cuda:3; the driver finds cuda:0, cuda:1',
    hint: 'Use device "cuda:0", "cuda:1" or "cpu"',
    details: { option: 'device', found: 'cuda:3', expected: ['cuda:0', 'cuda:1', 'cpu'] },
  });
  await test.rejects(wish('cuda', MACHINES['a card that is too old']), {
    message: 'NVIDIA GeForce GTX 1080 has compute capability 6.1, our kernels need 7.5 (Turing) or newer',
    hint: 'Use another card, or device "cpu"',
  });
  await test.rejects(wish('cuda', MACHINES['a card that is too small']), {
    message: 'NVIDIA GeForce MX450 has 2.1 GB of memory, an SD1.5 needs 2.5 GB',
    hint: 'Use device "cpu", or device "cuda:0" for a model that is smaller',
  });
  const texts: string[] = [];
  await chooseDevice('auto', (_, text) => texts.push(text), MACHINES['an old driver'].sight);
  test.same(texts, ['device "auto" takes the CPU: the driver is 525. install 580']);
  // a strict pipeline's warnings throw
  const strict = (code: string): never => {
    throw new Error(`strict: ${code}`);
  };
  await test.rejects(chooseDevice('auto', strict, MACHINES['an old driver'].sight), { message: /DRIVER_TOO_OLD/ });
});
