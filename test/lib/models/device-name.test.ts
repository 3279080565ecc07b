// Names of devices, from the option and from the environment.
import t from 'tap';
import type { OptionError } from '../../../lib/errors.js';
import { deviceNamed } from '../../../lib/models/device-name.js';
import { loadSettings } from '../../../lib/models/options.js';

const given = process.env.IPA_DEVICE;
t.beforeEach(() => {
  delete process.env.IPA_DEVICE;
});
t.teardown(() => {
  if (given === undefined) delete process.env.IPA_DEVICE;
  else process.env.IPA_DEVICE = given;
});

const failure = (work: () => unknown): OptionError => {
  try {
    work();
  } catch (error) {
    return error as OptionError;
  }
  throw new Error('nothing was thrown');
};

t.test('every device has its name', async (test) => {
  for (const name of ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:7', 'cuda:15', 'emulated'])
    test.equal(deviceNamed(name, 'device'), name);
});

t.test('another name is an error with the nearest', async (test) => {
  for (const [name, near] of [
    ['CPU', 'cpu'],
    ['cudda', 'cuda'],
    ['emulate', 'emulated'],
    ['gpu', 'cpu'],
    ['cuda:', 'cuda:0'],
    ['cuda:x', 'cuda:0'],
    ['cuda:-1', 'cuda:0'],
    ['cuda:01', 'cuda:0'],
    ['cuda:0.5', 'cuda:0'],
    ['cuda:1000', 'cuda:0'],
    ['gpu:1', 'cuda:0'],
  ] as const) {
    const { code, message, hint, details } = failure(() => deviceNamed(name, 'device'));
    test.match(
      { code, message, hint, details },
      {
        code: 'OPTION_UNKNOWN',
        message: `There is no device "${name}"`,
        hint: `Did you mean "${near}"?`,
        details: { option: 'device', found: name },
      },
    );
  }
  test.equal(failure(() => deviceNamed('directml', 'device')).hint, 'Use one of auto, cpu, cuda, emulated, cuda:0');
});

t.test('the option wins over IPA_DEVICE, which wins over the default', async (test) => {
  test.equal(loadSettings({}).device, 'auto');
  process.env.IPA_DEVICE = '';
  test.equal(loadSettings({}).device, 'auto', 'empty is as if unset');
  process.env.IPA_DEVICE = 'cuda:1';
  test.equal(loadSettings({}).device, 'cuda:1');
  test.equal(loadSettings({ device: 'cpu' }).device, 'cpu');
  process.env.IPA_DEVICE = 'cudda';
  test.match(
    failure(() => loadSettings({})),
    { code: 'OPTION_UNKNOWN', message: 'There is no IPA_DEVICE "cudda"' },
  );
  test.equal(loadSettings({ device: 'cpu' }).device, 'cpu', 'what does not count is not looked at');
});
