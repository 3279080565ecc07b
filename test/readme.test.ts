// The first TypeScript example of the README, as a reader would use it: copied into an empty folder, compiled strictly
// against the package's types, run. It must draw a picture.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import t from 'tap';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');
const MOST_LINES = 10;

const firstExample = (): string => {
  const example = /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1];
  if (example === undefined) throw new Error('README.md has no ```ts block');
  return example;
};

/** A folder in which `node-ip-adapter` and the types of Node are installed. */
const emptyProject = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-readme-'));
  mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', 'node-ip-adapter'));
  symlinkSync(join(root, 'node_modules', '@types', 'node'), join(folder, 'node_modules', '@types', 'node'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return folder;
};

t.test('the first example of README.md', async (t) => {
  const folder = emptyProject();
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const example = firstExample();
  const lines = example.split('\n').filter((line) => line.trim() !== '');
  t.ok(lines.length <= MOST_LINES, `${lines.length} lines, at most ${MOST_LINES}`);
  writeFileSync(join(folder, 'example.ts'), example);

  await t.test('compiles', async (t) => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = ['--strict', '--noUncheckedIndexedAccess', '--target', 'es2022', '--module', 'nodenext'];
    const libraries = ['--lib', 'es2023,esnext.disposable', '--types', 'node', '--skipLibCheck'];
    const compiled = await run(process.execPath, [tsc, ...options, ...libraries, 'example.ts'], { cwd: folder }).catch(
      (error: { stdout: string }) => error,
    );
    t.equal(compiled.stdout, '');
  });

  await t.test('draws a picture', async (t) => {
    await run(process.execPath, ['example.js'], { cwd: folder });
    const pictures = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => !file.startsWith('node_modules'))
      .filter((file) => /\.(png|jpe?g|webp)$/.test(file));
    t.equal(pictures.length, 1, `pictures: ${pictures.join(', ')}`);
    const { channels } = await sharp(join(folder, pictures[0]!)).stats();
    t.ok(
      channels.slice(0, 3).every(({ stdev }) => stdev > 10),
      'it is not of one colour',
    );
  });
});
