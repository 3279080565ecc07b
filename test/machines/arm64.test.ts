// Linux on ARM64, under qemu's user mode with a Node of the registry: the addon loads, names its levels, draws what this
// machine draws; native tests and golden cases run on every level. A part of them: the emulator is slow, and
// `npm run test:full` runs all.
import { join } from 'node:path';
import t from 'tap';
import { crossBuild } from '../../scripts/cross/build.mjs';
import { machine } from '../../scripts/cross/machines.mjs';
import { installedFor } from './app.js';
import { doctor, golden, nativeTests, portrait } from './on-machine.js';
import { triedHere } from './tried.js';

const LEVELS = ['base', 'armv8.2', 'neon-bf16'];

t.setTimeout(1800_000);
const tried = triedHere('linux-arm64');
if (tried) {
  const target = machine(tried.name);
  const products = crossBuild(target, ['node_ip_adapter', 'ipa_test', 'ipa_golden']);
  const prebuilt = join(target.folder, target.file);
  const app = await installedFor({
    os: 'linux',
    cpu: 'arm64',
    prebuilt,
    addon: join(products, 'node_ip_adapter.node'),
  });
  t.teardown(app.remove);

  t.test('doctor', (test) => doctor(test, tried, app, /of base, armv8\.2, neon-bf16;/));
  t.test('portrait', (test) => portrait(test, tried, app, 'armv8.2'));
  for (const words of ['instructions of a bf16 level', 'cpu kernels: group norm', 'safetensors'])
    t.test(`native tests: ${words}`, (test) => nativeTests(test, tried, join(products, 'ipa_test'), words));
  t.test('golden cases', (test) =>
    golden(test, tried, join(products, 'ipa_golden'), LEVELS, /^(modules|lora|onnx|random)\/|^projectors\/tiny/),
  );
}
