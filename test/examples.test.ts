// Every example runs as a reader runs it, says that what it shows is there, and can be drawn again from its pictures' records.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { adapterFile, controlFile, encoderFolder, modelFolder } from './lib/made/models.js';
import { program } from './lib/sketch.js';

const root = fileURLToPath(new URL('../examples', import.meta.url));
const folders = ['adapters', 'pipelines'];
const stage = join(root, 'adapters/stage.mjs');
const out = mkdtempSync(join(tmpdir(), 'ipa-examples-'));
t.teardown(() => rmSync(out, { recursive: true, force: true }));
process.env.EXAMPLES_OUT = out;
process.env.IPA_DEVICE ||= 'cpu';
process.env.TMPDIR = join(out, 'temporary'); // where examples keep files of theirs
mkdirSync(process.env.TMPDIR);
process.env.EXAMPLES_AFTER = fileURLToPath(new URL('examples-again.mjs', import.meta.url));

const examplesOf = (folder: string): string[] =>
  readdirSync(join(root, folder)).filter((name) => name.endsWith('.mjs') && name !== 'stage.mjs');
const listedIn = (folder: string): string[] =>
  [...readFileSync(join(root, folder, 'README.md'), 'utf8').matchAll(/^\| `(.+\.mjs)`/gm)].map(([, name]) => name!);

const [sd15, sdxl] = [await modelFolder(out, 'sd15'), await modelFolder(out, 'sdxl')];

/** Files of the user's that an example takes: small ones with made weights stand in for them. */
const given: Readonly<Record<string, readonly string[]>> = {
  'adapters/sdxl.mjs': [
    sdxl,
    adapterFile(join(out, 'plus.safetensors'), { projector: 'resampler', encoder: 64, tokens: 16 }, 'sdxl'),
    encoderFolder(out, { hidden: 64, projection: 48 }),
    '128',
  ],
  'pipelines/sdxl.mjs': [sdxl, '128'],
  'pipelines/controlnet.mjs': [sd15, controlFile(out, 'controlnet15'), '64'],
  'pipelines/t2i-adapter.mjs': [sd15, controlFile(out, 't2i-full'), '64'],
};

for (const folder of folders)
  t.test(`${folder}/README.md lists what there is`, async (test) =>
    test.same(listedIn(folder).sort(), examplesOf(folder).sort()),
  );

const examples = folders.flatMap((folder) => examplesOf(folder).map((name) => [folder, name] as const));
for (const [folder, name] of examples)
  t.test(`${folder}/${name}`, async (test) => {
    const { code, out: said, err } = await program([join(root, folder, name), ...(given[`${folder}/${name}`] ?? [])]);
    test.equal(code, 0, err || said);
    test.match(said, /grey levels away/);
    test.match(said, /[1-9] pictures drawn again from their records, to the byte/);
    test.ok(readFileSync(join(out, name.replace('.mjs', '.png'))).length > 1000, 'a sheet of pictures');
  });

t.test('an example whose effect is not there fails', async (test) => {
  const script = `import { expectUnlike } from ${JSON.stringify(stage)}; const a = { data: [1, 2, 3] }; expectUnlike(a, a, 'nothing')`;
  const { code, err } = await program(['--input-type=module', '-e', script]);
  test.equal(code, 1);
  test.match(err, /nothing: mean difference 0\.00/);
});
