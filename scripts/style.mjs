// What is formatted and linted, and the two tools that do it. Used by format.mjs and lint.mjs.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
export const root = fileURLToPath(new URL('..', import.meta.url));

const scriptFolders = ['lib', 'test', 'scripts', 'bench', 'examples'];
const nativeFolders = ['native', 'test/native', 'tools'];
const nativeExtensions = ['.cpp', '.h', '.cu', '.cuh'];

const present = (folders) => folders.filter((folder) => existsSync(path.join(root, folder)));

/** Runs a tool of node_modules in the project's root, output passed through. True when it exits with 0. */
export function runs(program, args) {
  const result = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (result.error) process.stderr.write(`${program}: ${result.error.message}\n`);
  return result.status === 0;
}

export const runsScript = (script, args) => runs(process.execPath, [require.resolve(script), ...args]);

/** biome over TypeScript and scripts. `lint: false` looks at layout and import order alone. */
export function biome({ write = false, lint = true } = {}) {
  const flags = ['--error-on-warnings', '--no-errors-on-unmatched'];
  if (write) flags.push('--write');
  if (!lint) flags.push('--linter-enabled=false');
  return runsScript('@biomejs/biome/bin/biome', ['check', ...flags, ...present(scriptFolders)]);
}

/** clang-format over C++ and CUDA: writes, or says which lines it would change. */
export function clangFormat({ write = false } = {}) {
  const files = present(nativeFolders).flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true })
      .filter((file) => nativeExtensions.includes(path.extname(file)))
      .map((file) => path.join(folder, file)),
  );
  if (files.length === 0) return true;
  const mode = write ? ['-i'] : ['--dry-run', '-Werror'];
  return runs(require('clang-format').getNativeBinary(), [...mode, ...files.sort()]);
}
