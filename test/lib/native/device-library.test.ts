// Where device libraries are looked for, in this order: the environment, the build folder, the package.
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';
import type { Lookup } from '../../../lib/native/device-library.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'ipa-libraries-')));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

// The built library in an app of its own: what this clone has built or installed must not be found
const home = join(scratch, 'node_modules', 'node-ip-adapter');
mkdirSync(home, { recursive: true });
cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true });
cpSync(join(root, 'package.json'), join(home, 'package.json'));
const module_ = (await import(pathToFileURL(join(home, 'dist/native/device-library.js')).href)) as {
  findCudaLibrary: () => Lookup;
  findEmulatedLibrary: () => Lookup;
};

const name = `@node-ip-adapter/cuda-${process.platform}-${process.arch}`;
const file = `ipa_cuda.${process.platform === 'win32' ? 'dll' : 'so'}`;
const local = join(home, 'build-cmake', 'Release', file);
const installed = join(scratch, 'node_modules', name, file);
const named = join(scratch, 'mine.so');
const given = process.env.IPA_CUDA_LIBRARY;
delete process.env.IPA_CUDA_LIBRARY;
t.teardown(() => {
  if (given === undefined) delete process.env.IPA_CUDA_LIBRARY;
  else process.env.IPA_CUDA_LIBRARY = given;
});

const put = (path: string): void => {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, '');
};
const errorOf = (lookup: Lookup) => {
  if (!('error' in lookup)) throw new Error(`${lookup.path} was found`);
  const { code, message, hint, details } = lookup.error;
  return { code, message, hint, details, named: lookup.named };
};

t.test('nowhere: what was looked at and the next command', async (test) => {
  const error = errorOf(module_.findCudaLibrary());
  test.match(error, { code: 'BINARY_NOT_FOUND', named: false, details: { tried: [local, name] } });
  for (const place of [local, name]) test.ok(error.message.includes(place), error.message);
  if (process.platform === 'linux') test.match(error.hint, 'npx node-ip-adapter build --cuda');
  if (process.platform === 'linux' && process.arch === 'x64') test.match(error.hint, `npm i ${name}`);
});

t.test('a package without its library is as good as none', async (test) => {
  put(join(installed, '..', 'package.json'));
  writeFileSync(join(installed, '..', 'package.json'), JSON.stringify({ name, version: '0.0.0' }));
  test.match(errorOf(module_.findCudaLibrary()), { code: 'BINARY_NOT_FOUND', details: { tried: [local, installed] } });
});

t.test('the package, before it the build folder, before both the environment', async (test) => {
  put(installed);
  test.same(module_.findCudaLibrary(), { path: installed });
  put(local);
  test.same(module_.findCudaLibrary(), { path: local });
  put(named);
  process.env.IPA_CUDA_LIBRARY = named;
  test.same(module_.findCudaLibrary(), { path: named });
  process.env.IPA_CUDA_LIBRARY = relative(process.cwd(), named);
  test.same(module_.findCudaLibrary(), { path: named }, 'absolute, whatever was given');
  process.env.IPA_CUDA_LIBRARY = '';
  test.same(module_.findCudaLibrary(), { path: local }, 'empty is as if unset');
});

t.test('a name that is wrong is said, though another library is there', async (test) => {
  process.env.IPA_CUDA_LIBRARY = join(scratch, 'nowhere.so');
  test.ok(existsSync(local));
  test.match(errorOf(module_.findCudaLibrary()), {
    code: 'BINARY_NOT_FOUND',
    named: true,
    message: /IPA_CUDA_LIBRARY names ".*nowhere\.so", where no file is/,
    hint: /unset it/,
  });
});

t.test('the emulated device is in the build folder of a clone alone', async (test) => {
  const path = join(home, 'build-cmake', 'Release', file.replace('ipa_cuda', 'ipa_emulated'));
  test.match(errorOf(module_.findEmulatedLibrary()), {
    code: 'BINARY_NOT_FOUND',
    hint: /node scripts\/build-native\.cjs --target ipa_emulated/,
    details: { tried: [path] },
  });
  put(path);
  test.same(module_.findEmulatedLibrary(), { path });
});
