// Addons of a release on this machine, whole: all native tests and all golden cases on every level that runs here, and where
// there is a Node for it, what the command line says and the quickstart's portrait. An hour and more, most of it ARM64.
import { join } from 'node:path';
import t from 'tap';
import { crossBuild } from '../../scripts/cross/build.mjs';
import { machine } from '../../scripts/cross/machines.mjs';
import { installedFor } from './app.js';
import { doctor, golden, levelsOf, nativeTests, portrait } from './on-machine.js';
import { triedHere } from './tried.js';

/** without: words of native tests. Programs that are linked with musl whole can open no library. */
const ROWS = [
  { name: 'linux-x64', without: [], cpu: 'x64' },
  { name: 'linux-x64-musl', without: ['library:'] },
  { name: 'linux-arm64', without: [], cpu: 'arm64' },
  { name: 'linux-arm64-musl', without: ['library:'] },
] as const;

t.setTimeout(4 * 3600_000);
for (const row of ROWS) {
  const tried = triedHere(row.name);
  if (!tried) continue;
  t.test(row.name, async (of) => {
    const target = machine(row.name);
    const products = crossBuild(target, ['node_ip_adapter', 'ipa_test', 'ipa_golden']);
    const [tests, cases] = [join(products, 'ipa_test'), join(products, 'ipa_golden')];
    const levels = levelsOf(tried, cases);
    if ('cpu' in row) {
      const addon = join(products, 'node_ip_adapter.node');
      const prebuilt = join(target.folder, target.file);
      const app = await installedFor({ os: 'linux', cpu: row.cpu, prebuilt, addon });
      of.teardown(app.remove);
      await of.test('doctor', (test) => doctor(test, tried, app, new RegExp(levels.join(', ').replaceAll('.', '\\.'))));
      await of.test('portrait', (test) => portrait(test, tried, app, 'base'));
    }
    await of.test('native tests', (test) => nativeTests(test, tried, tests, '', ...row.without));
    await of.test('golden cases', (test) => golden(test, tried, cases, levels));
  });
}
