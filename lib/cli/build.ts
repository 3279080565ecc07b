import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { BinaryError } from '../index.js';

/** `build`: compiles the native addon from the sources in the package. */
export const buildCommand = (): Command =>
  new Command('build')
    .description('compile the native addon on this machine (needs a C++20 compiler and cmake)')
    .action(
      () =>
        new Promise<void>((resolve, reject) => {
          const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
          const child = spawn(process.execPath, [join(root, 'scripts', 'build-native.cjs')], {
            cwd: root,
            stdio: ['ignore', 2, 2],
          });
          child.on('error', reject);
          child.on('close', (status) => {
            if (status === 0) return resolve();
            reject(
              new BinaryError(
                'BINARY_NOT_FOUND',
                'The native addon could not be built',
                'Read the first error above; a C++20 compiler (g++ 11 or newer) and cmake 3.22 are needed',
              ),
            );
          });
        }),
    );
