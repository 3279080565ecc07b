// The commands that read a picture's settings: generate --from, diff and metadata.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { defaultModel, type RunRecord, readMetadata } from '../../../lib/index.js';
import { kohya, LAYERS, written } from '../loras.js';
import { digestOf } from '../sketch.js';

const cli = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));
const run = (...args: string[]) => spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
const folder = mkdtempSync(join(tmpdir(), 'ipa-from-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => join(folder, ...names);
mkdirSync(at('shelf'));
copyFileSync(defaultModel().references[0]!, at('shelf', 'someone.png'));
const own = at('mine.png'); // a picture that no folder has: the bundled references are always found
await sharp(defaultModel().references[1]!).rotate(90).toFile(own);

const pixels = async (file: string): Promise<string> => digestOf(await sharp(file).removeAlpha().raw().toBuffer());
const record = async (file: string): Promise<RunRecord> => (await readMetadata(file)).record!;
const done = (test: Test, ...args: string[]): string => {
  const { status, stderr } = run('generate', ...args);
  test.equal(status, 0, stderr);
  return stderr;
};

const first = at('first.png');
const lora = written('from-ink', kohya(LAYERS.unet));
const flags = ['--prompt', 'a man <lora:from-ink:0.5>', '--lora', lora, '--seed', '5', '--steps', '2'];
const reference = ['--reference', own, '--scale', '0.8', '--init', at('shelf', 'someone.png'), '--strength', '0.7'];

t.test('generate --from draws the same pixels, or names all that is missing', async (test) => {
  done(test, ...flags, ...reference, '--out', first);
  const lost = run('generate', '--from', first, '--search', at('shelf'), '--out', at('no.png'));
  test.equal(lost.status, 1);
  test.match(
    lost.stderr,
    /missing: loras\[0\] "from-ink" sha256 [0-9a-f]{64}\nmissing: references\[0\]\.images\[0\] sha256/,
  );
  test.match(lost.stderr, 'MODEL_NOT_FOUND');
  copyFileSync(own, at('shelf', 'renamed.png'));
  copyFileSync(lora, at('shelf', 'renamed.safetensors'));
  const search = ['--search', at('shelf')];
  done(test, '--from', first, ...search, '--out', at('again.png'));
  test.equal(await pixels(at('again.png')), await pixels(first));
  test.same(await record(at('again.png')), await record(first));
  test.equal(run('diff', first, at('again.png')).stderr, 'the same settings\n');

  done(test, '--from', first, ...search, '--scale', '0.3', '--strength', '0.9', '--out', at('less.png'));
  const shown = run('diff', first, at('less.png'));
  test.equal(shown.stdout, 'references[0].scale: 0.8 -> 0.3\ninit.strength: 0.7 -> 0.9\n');
  test.match(shown.stderr, '2 controls changed');
  const json = JSON.parse(run('diff', first, at('less.png'), '--json').stdout) as object;
  test.match(json, { several: true, changes: [{}, { option: 'init.strength', a: 0.7, b: 0.9 }] });

  const other = ['--reference', defaultModel().references[2]!, '--seed', '6', '--lora', lora];
  done(test, '--from', first, '--search', at('shelf'), ...other, '--out', at('other.png'));
  test.match(await record(at('other.png')), {
    seed: '6',
    steps: 2,
    references: [{ scale: 1 }],
    loras: [{ scale: 0.5 }],
  });
  for (const wrong of [
    ['--adapter', 'plus'],
    ['--control-scale', '1'],
  ])
    test.match(run('generate', '--from', first, ...search, ...wrong), { status: 2, stderr: 'OPTION_CONFLICT' });
});

t.test('one of several pictures of one draw', async (test) => {
  const how = ['--prompt', 'a', '--seed', '3', '--steps', '2', '--count', '3', '--batch-noise', 'single'];
  done(test, ...how, '--out', at('many.png'));
  done(test, '--from', at('many-3.png'), '--out', at('third.png'));
  test.equal(await pixels(at('third.png')), await pixels(at('many-3.png')));
});

t.test('texts of other tools fill what they name, and what is not taken is told', async (test) => {
  const theirs = at('theirs.png');
  const text =
    'a man\nNegative prompt: a hat\nSteps: 2, Sampler: Euler a, CFG scale: 3, Seed: 7, Size: 128x64, Model: x';
  await sharp({ create: { width: 16, height: 16, channels: 3, background: 'red' } })
    .withExif({ IFD0: { ImageDescription: 'x' } })
    .png()
    .toFile(at('bare.png'));
  writeFileSync(theirs, await withText(at('bare.png'), 'parameters', text));
  test.match(done(test, '--from', theirs, '--steps', '1', '--out', at('a1111.png')), 'not taken: Model: x');
  const { references, ...said } = await record(at('a1111.png'));
  test.match(said, {
    prompt: 'a man',
    negativePrompt: 'a hat',
    steps: 1,
    sampler: 'euler_ancestral',
    seed: '7',
    width: 128,
    height: 64,
    noise: 'a1111',
  });
  test.same(references, []);
  const inputs = { seed: 8, steps: 2, cfg: 2, sampler_name: 'ddim', scheduler: 'normal', positive: ['2', 0] };
  const graph = {
    1: { class_type: 'KSampler', inputs },
    2: { class_type: 'CLIPTextEncode', inputs: { text: 'a hat' } },
  };
  writeFileSync(theirs, await withText(at('bare.png'), 'prompt', JSON.stringify(graph)));
  test.match(done(test, '--from', theirs, '--out', at('comfy.png')), 'not taken: latent_image');
  test.match(await record(at('comfy.png')), { prompt: 'a hat', seed: '8', noise: 'comfyui', promptSyntax: 'comfyui' });
  for (const command of [
    ['generate', '--from'],
    ['diff', first],
  ])
    test.match(run(...command, at('bare.png')), { status: 2, stderr: 'OPTION_CONFLICT' });
  test.match(run('generate', '--steps', '2'), { status: 2, stderr: '--prompt' });
});

t.test('metadata shows the record of JPEG and WebP, and their text where there is no record', async (test) => {
  for (const end of ['jpg', 'webp']) {
    const file = at(`shown.${end}`);
    done(test, '--prompt', 'ein Bär', '--seed', '1', '--steps', '1', '--out', file);
    test.match(JSON.parse(run('metadata', file).stdout) as object, { prompt: 'ein Bär', seed: '1' });
    test.match(JSON.parse(run('metadata', file, '--json').stdout) as object, { parameters: /^ein Bär\n/ });
    done(test, '--from', file, '--overwrite', '--out', at('from.png'));
    test.equal((await record(at('from.png'))).prompt, 'ein Bär');
  }
  writeFileSync(at('text.png'), await withText(at('bare.png'), 'parameters', 'a\nSteps: 3'));
  test.equal(run('metadata', at('text.png')).stdout, 'a\nSteps: 3\n');
});

/** A PNG with one more tEXt chunk behind its header. */
async function withText(file: string, keyword: string, text: string): Promise<Buffer> {
  const { crc32 } = await import('node:zlib');
  const png = await sharp(file).png().toBuffer();
  const body = Buffer.concat([Buffer.from('tEXt'), Buffer.from(`${keyword}\0${text}`, 'latin1')]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length - 4);
  sum.writeUInt32BE(crc32(body));
  const header = 8 + 25; // signature and IHDR
  return Buffer.concat([png.subarray(0, header), length, body, sum, png.subarray(header)]);
}
