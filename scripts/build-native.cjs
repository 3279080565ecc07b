#!/usr/bin/env node
// Compiles the native core with cmake-js into build-cmake/.
//
//   node scripts/build-native.cjs                            build-cmake/Release/node_ip_adapter.node
//   node scripts/build-native.cjs --target ipa_test          that CMake target instead of the addon
//   node scripts/build-native.cjs --cuda                     build-cmake/Release/ipa_cuda.so, the library for NVIDIA cards
//   node scripts/build-native.cjs <product folder> <arch>    the addon, copied to the folder (binding.gyp, gyp-shim.cjs)
//
// It also ships in the package: `npx node-ip-adapter build` runs it where there is no development dependency, so
// cmake-js is fetched into a temporary folder when it is not installed. CommonJS, because node-gyp calls it by path.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const out = path.join(root, 'build-cmake');
const CMAKE_JS = 'cmake-js@8.0.0';

class BuildError extends Error {}

const runs = (program) => {
  const { status } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  return status === 0;
};

function checkTools() {
  if (process.platform === 'win32') return; // cmake-js looks for Visual Studio itself
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  const missing = [];
  if (!compilers.some((compiler) => runs(compiler.split(' ')[0]))) {
    missing.push(`a C++20 compiler (looked for ${compilers.join(', ')})`);
  }
  if (!runs('cmake')) missing.push('cmake 3.22 or later');
  if (!runs('ninja') && !runs('make')) missing.push('make or ninja');
  if (missing.length > 0) {
    throw new BuildError(
      `Cannot compile the native core: ${missing.join(' and ')} not found on this machine.\n` +
        '  Debian, Ubuntu   sudo apt-get install g++ cmake make\n' +
        '  Fedora, RHEL     sudo dnf install gcc-c++ cmake make\n' +
        '  Alpine           apk add g++ cmake make\n' +
        '  macOS            xcode-select --install && brew install cmake\n' +
        'Then run the same command again.',
    );
  }
}

/** nvcc where CMake finds it too. */
function checkNvcc() {
  const places = ['nvcc', path.join(process.env.CUDA_HOME || '/usr/local/cuda', 'bin', 'nvcc')];
  if (places.some(runs)) return;
  throw new BuildError(
    `Cannot compile the CUDA library: nvcc not found on this machine (looked for ${places.join(', ')}).\n` +
      '  Install the CUDA toolkit 13.0 or newer (https://developer.nvidia.com/cuda-downloads), put nvcc on PATH or set\n' +
      '  CUDA_HOME to its folder, and run the same command again.\n' +
      '  Or without a compiler, on Linux x64: npm i @node-ip-adapter/cuda-linux-x64',
  );
}

/** Path of cmake-js's program: the installed one, else one fetched with npm into a folder that `cleanUp` removes. */
function findCmakeJs() {
  try {
    return { program: require.resolve('cmake-js/bin/cmake-js', { paths: [root] }), cleanUp: () => {} };
  } catch {
    // not installed: fetch it
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-ip-adapter-build-'));
  const cleanUp = () => fs.rmSync(folder, { recursive: true, force: true });
  process.stderr.write(`fetching ${CMAKE_JS} with npm (needed once, removed afterwards)\n`);
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? process.env.npm_execpath : undefined;
  const args = ['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--prefix', folder, CMAKE_JS];
  const result = npm
    ? spawnSync(process.execPath, [npm, ...args], { encoding: 'utf8' })
    : spawnSync('npm', args, { encoding: 'utf8', shell: process.platform === 'win32' });
  if (result.status !== 0) {
    cleanUp();
    throw new BuildError(
      `Cannot fetch ${CMAKE_JS}: ${result.error?.message ?? result.stderr.trim()}\n` +
        `Install it yourself (npm install --no-save ${CMAKE_JS}) and run the same command again.`,
    );
  }
  return { program: path.join(folder, 'node_modules/cmake-js/bin/cmake-js'), cleanUp };
}

/** Jobs at once: one per CPU, and no more than one per 1.5 GB of memory, which the kernels need at -O3. */
const jobs = () => Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 1.5e9)));

function compile({ target, arch, config, cuda = false }) {
  if (cuda) checkNvcc();
  checkTools();
  const { program, cleanUp } = findCmakeJs();
  const cmakeJs = (command, ...args) => {
    const common = ['--directory', root, '--out', out, '--config', config, '--log-level', 'warn'];
    const archArgs = arch ? ['--arch', arch] : [];
    const all = [program, command, ...common, ...archArgs, ...args];
    return spawnSync(process.execPath, all, { cwd: root, stdio: 'inherit' }).status ?? 1;
  };
  try {
    // Configured each time (under a second), so that a moved folder or another Node-API package is noticed. Not
    // `cmake-js compile`: after an error it builds everything again and buries the first message.
    const options = cuda ? ['--CDIPA_CUDA=ON'] : [];
    let status = cmakeJs('configure', ...options);
    if (status !== 0 && fs.existsSync(path.join(out, 'CMakeCache.txt'))) {
      process.stderr.write('build-cmake belongs to another folder or compiler: starting afresh\n');
      fs.rmSync(out, { recursive: true, force: true });
      status = cmakeJs('configure', ...options);
    }
    if (status === 0) status = cmakeJs('build', '--target', target, '--parallel', String(jobs()));
    if (status !== 0) throw new BuildError(`Compiling ${target} failed; the first error above is the cause.`);
  } finally {
    cleanUp();
  }
}

/** The addon alone: what else lies there (a library for cards, test programs) is no part of the package. */
function copyAddon(config, folder) {
  const name = 'node_ip_adapter.node';
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(path.join(out, config, name), path.join(folder, name));
}

function main(args) {
  if (args[0] === '--target') return compile({ target: args[1], config: 'Release' });
  if (args[0] === '--cuda') return compile({ target: 'ipa_cuda', config: 'Release', cuda: true });
  const [folder, arch] = args;
  const config = folder && path.basename(folder) === 'Debug' ? 'Debug' : 'Release';
  compile({ target: 'node_ip_adapter', arch, config });
  if (folder) copyAddon(config, path.resolve(folder));
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
