import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { BinaryError } from '../index.js';

/** What is compiled: the arguments of scripts/build-native.cjs, and the error's words where that fails. */
const ADDON = {
  args: [],
  what: 'The native addon',
  hint: 'Read the first error above; a C++20 compiler (g++ 11 or newer) and cmake 3.22 are needed',
} as const;
const CUDA = {
  args: ['--cuda'],
  what: 'The CUDA library',
  hint: 'Read the first error above; nvcc of the CUDA toolkit 13.0, a C++20 compiler (g++ 11 or newer) and cmake 3.22 are needed',
} as const;

const compile = ({ args, what, hint }: typeof ADDON | typeof CUDA): Promise<void> =>
  new Promise((resolve, reject) => {
    const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
    const child = spawn(process.execPath, [join(root, 'scripts', 'build-native.cjs'), ...args], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve();
      else reject(new BinaryError('BINARY_NOT_FOUND', `${what} could not be built`, hint));
    });
  });

/** `build`: compiles the native addon, or the library for NVIDIA cards, from the sources in the package. */
export const buildCommand = (): Command =>
  new Command('build')
    .description('compile the native addon on this machine (needs a C++20 compiler and cmake)')
    .option('--cuda', 'compile the library for NVIDIA cards instead (needs nvcc of the CUDA toolkit 13.0 too)')
    .action((flags: { cuda?: boolean }) => compile(flags.cuda ? CUDA : ADDON));
