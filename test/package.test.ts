// What npm would publish, used as a stranger does: the tarball installed in an empty folder with scripts off, no compiler
// and no cmake on PATH, and nothing of this clone in reach.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import t from 'tap';
import { bareTools, pack, root, run, strangerEnv } from './stranger.js';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'ipa-package-')));
const app = join(scratch, 'app');
const installed = join(app, 'node_modules', 'node-ip-adapter');
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const bare = strangerEnv(bareTools(scratch));

/**
 * A compiler that saves the minutes of compiling the same sources a second time: where this clone has the object file of a
 * source, it hands that out; everything else (the compiler's checks, new files, linking) is done. With IPA_TEST_COMPILE=1
 * the test does without it.
 */
const reusingCompiler = (): string => {
  const file = join(scratch, 'c++');
  const text = `#!/bin/sh
for word in "$@"; do
  case "$before" in -o) object=$word ;; -MF) dependencies=$word ;; -c) source=$word ;; esac
  before=$word
done
twin='${root}/build-cmake/'$object
original='${root}/'\${source#'${installed}/'}
if [ -f "$source" ] && [ -f "$twin" ] && cmp -s "$source" "$original" && [ "$twin" -nt "$original" ]; then
  : > "$dependencies"
  exec cp "$twin" "$object"
fi
exec c++ "$@"
`;
  writeFileSync(file, text, { mode: 0o755 });
  return file;
};

/** Draws a portrait with the package and says what it drew and which shared libraries the process holds. */
const drawing = (start: string): string => `${start}
  const { path, adapters, face, references } = defaultModel();
  const pipe = await Pipeline.load(path);
  await pipe.addAdapter(adapters['faceid-plusv2'], { face });
  const image = references.find((file) => file.endsWith('person-1-1.png'));
  const { images } = await pipe.generate({ prompt: 'portrait of a person, smiling', references: [{ image }], seed: 7 });
  await images[0].toFile(process.argv[2]);
  await pipe.dispose();
  const { data, width, height } = images[0];
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  const libraries = process.report.getReport().sharedObjects;
  console.log(JSON.stringify({ width, height, mean, libraries }));
`;

const scripts = {
  'require.cjs': `(async () => {${drawing("const { Pipeline, defaultModel } = require('node-ip-adapter');")}})();`,
  'import.mjs': drawing("import { Pipeline, defaultModel } from 'node-ip-adapter';"),
};

t.test('the tarball in an empty folder', async (t) => {
  const tarball = await pack(scratch);
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "private": true }');
  const args = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball];
  const install = await run('npm', args, app, bare);
  t.equal(install.status, 0, install.stderr);

  await t.test('no compiler is in reach', async (t) => {
    for (const tool of ['c++', 'g++', 'cc', 'cmake', 'make', 'ninja']) {
      t.match(await run('sh', ['-c', `command -v ${tool}`], app, bare), { status: 127, stdout: '' }, tool);
    }
  });

  await t.test('doctor names the binary inside node_modules', async (t) => {
    const { status, stdout, stderr } = await run('npx', ['node-ip-adapter', 'doctor', '--json'], app, bare);
    t.equal(status, 0, stderr);
    const report = JSON.parse(stdout) as { binary: { path: string }; problems: string[] };
    t.ok(report.binary.path.startsWith(join(installed, 'prebuilds') + sep), report.binary.path);
    t.same(report.problems, []);
  });

  for (const [name, text] of Object.entries(scripts)) {
    await t.test(`${name.split('.')[0]} draws a portrait`, async (t) => {
      writeFileSync(join(app, name), text);
      const out = join(app, `${name}.png`);
      const { status, stdout, stderr } = await run('node', [name, out], app, bare);
      t.equal(status, 0, stderr);
      t.equal(stderr, '', 'no warning');
      const drawn = JSON.parse(stdout) as { width: number; height: number; mean: number; libraries: string[] };
      t.match(drawn, { width: 128, height: 128 });
      t.ok(drawn.mean > 20 && drawn.mean < 235, `mean grey level ${drawn.mean}`);
      t.equal(readFileSync(out).toString('latin1', 1, 4), 'PNG');
      t.same(
        drawn.libraries.filter((file) => file.startsWith(root + sep)),
        [],
        'nothing of the clone is loaded',
      );
    });
  }

  await t.test('both drew the same', async (t) => {
    const files = Object.keys(scripts).map((name) => readFileSync(join(app, `${name}.png`)));
    t.ok(files[0]!.equals(files[1]!));
  });

  await t.test('build without a compiler says what to install', async (t) => {
    const { status, stderr } = await run('npx', ['node-ip-adapter', 'build'], app, bare);
    t.not(status, 0);
    t.match(stderr, /C\+\+20 compiler/);
    t.match(stderr, /apt-get install/);
  });

  await t.test('build compiles the addon where a compiler is', async (t) => {
    const { PATH = '' } = process.env;
    const compiler = process.env.IPA_TEST_COMPILE ? {} : { CXX: reusingCompiler() };
    const built = await run('npx', ['node-ip-adapter', 'build'], app, { ...strangerEnv(PATH), ...compiler });
    t.equal(built.status, 0, built.stderr);
    const { stdout, stderr } = await run('npx', ['node-ip-adapter', 'doctor', '--json'], app, bare);
    const report = JSON.parse(stdout) as { binary: { path: string }; problems: string[] };
    t.equal(report.binary.path, join(installed, 'build-cmake', 'Release', 'node_ip_adapter.node'));
    t.same(report.problems, [], stderr);
    const out = join(app, 'built.png');
    const drawn = await run('node', ['import.mjs', out], app, bare);
    t.equal(drawn.status, 0, drawn.stderr);
    t.ok(readFileSync(out).equals(readFileSync(join(app, 'import.mjs.png'))), 'it draws what the prebuilt addon draws');
  });
});
