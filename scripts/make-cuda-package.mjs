// npm run make-cuda-package: compiles the CUDA library for every card that we ship code for (nvcc, minutes) and puts it
// with the licence into packages/cuda-<platform>-<arch>, ready for `npm publish packages/…`.
// --check: only looks whether the package in the current folder can be published; its prepack.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARCHITECTURES } from './cuda.mjs';
import { packageComplaints } from './cuda-package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

const end = (text) => {
  process.stderr.write(`${text}\n`);
  process.exit(1);
};

/** Puts what is built into a package. @param {string} folder */
function make(folder) {
  const script = path.join(root, 'scripts', 'build-native.cjs');
  const built = spawnSync(process.execPath, [script, '--cuda'], { cwd: root, stdio: 'inherit' });
  if (built.status !== 0) process.exit(1);
  const cache = readFileSync(path.join(root, 'build-cmake', 'CMakeCache.txt'), 'utf8');
  const cards = /^IPA_CUDA_ARCHITECTURES:\w+=(.*)$/m.exec(cache)?.[1];
  if (cards !== ARCHITECTURES.join(';'))
    end(
      `build-cmake compiles for ${cards}, the package needs ${ARCHITECTURES.join(';')}: delete build-cmake, run it again`,
    );
  const library = path.join(folder, 'ipa_cuda.so');
  copyFileSync(path.join(root, 'build-cmake', 'Release', 'ipa_cuda.so'), library);
  copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
  const stripped = spawnSync('strip', ['--strip-unneeded', library], { encoding: 'utf8' });
  if (stripped.status !== 0) end(`strip ${library}: ${stripped.error?.message ?? stripped.stderr}`);
}

const check = process.argv.includes('--check');
const folder = check ? process.cwd() : path.join(root, 'packages', `cuda-${process.platform}-${process.arch}`);
if (!existsSync(path.join(folder, 'package.json'))) end(`There is no package ${path.relative(root, folder)}`);
if (!check) make(folder);
const complaints = packageComplaints(root, folder);
if (complaints.length > 0) end(complaints.join('\n'));
process.stdout.write(`${path.relative(root, folder)}: ready to be published\n`);
