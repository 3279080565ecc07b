// npm run make-prebuilds            this machine's addon into prebuilds/, by its own compiler
// npm run make-prebuilds -- all     those of every machine of scripts/cross/machines.mjs, by the cross compiler; or of
//                                   those that are named
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { addonFor } from './cross/addon.mjs';
import { MACHINES, machine } from './cross/machines.mjs';
import { root } from './cross/package.mjs';

/** prebuildify knows no other builder than node-gyp; gyp-shim.cjs stands in for it. */
function makeOwn() {
  const script = path.join(root, 'node_modules', 'prebuildify', 'bin.js');
  const args = ['--napi', '--tag-libc', '--strip', '--node-gyp', path.join(root, 'scripts', 'gyp-shim.cjs')];
  process.exitCode = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;
}

/** @param {import('./cross/machines.mjs').Machine} wanted */
function make(wanted) {
  const bytes = addonFor(wanted);
  const file = path.join('prebuilds', wanted.folder, wanted.file);
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), bytes);
  process.stdout.write(`${file}: ${(bytes.length / 1e6).toFixed(2)} MB\n`);
}

const names = process.argv.slice(2);
try {
  if (names.length === 0) makeOwn();
  else for (const wanted of names.includes('all') ? MACHINES : names.map(machine)) make(wanted);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
