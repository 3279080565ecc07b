// Windows on x86-64, under wine with a Node of the registry: the addon loads and draws what this machine draws.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { crossBuild } from '../../scripts/cross/build.mjs';
import { crossCompiler } from '../../scripts/cross/compiler.mjs';
import { machine } from '../../scripts/cross/machines.mjs';
import { installedFor, root } from './app.js';
import { doctor, portrait } from './on-machine.js';
import { triedHere } from './tried.js';

t.setTimeout(1800_000);
const tried = triedHere('win32-x64');
if (tried) {
  const target = machine(tried.name);
  const addon = join(crossBuild(target, ['node_ip_adapter']), 'node_ip_adapter.node');
  const app = await installedFor({ os: 'win32', cpu: 'x64', prebuilt: join(target.folder, target.file), addon });
  t.teardown(app.remove);
  const source = join(root, 'test', 'machines', 'bcryptprimitives.cpp');
  const library = join(app.folder, 'node_modules', '@img', 'sharp-win32-x64', 'lib', 'bcryptprimitives.dll');
  const { status, stderr } = spawnSync(
    crossCompiler(target).cxx,
    ['-shared', '-O1', '-g0', source, '-ladvapi32', '-o', library],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);

  t.test('doctor', (test) => doctor(test, tried, app, /of base/));
  t.test('portrait', (test) => portrait(test, tried, app, 'base'));
}
