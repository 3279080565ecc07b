// What the flags of `npm run quickstart` change.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { FaceAnalyzer } from '../lib/index.js';
import { cosine, digestOf, program, reference, sketch } from './lib/sketch.js';

const script = fileURLToPath(new URL('../scripts/quickstart.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ipa-quickstart-'));
t.teardown(() => rmSync(folder, { recursive: true }));

interface Picture {
  readonly path: string;
  readonly digest: string; // of its pixels
}

/** The quickstart picture, with these flags. */
const quickstart = async (name: string, ...flags: readonly string[]): Promise<Picture> => {
  const path = join(folder, `${name}.png`);
  const { code, out, err } = await program([script, '--out', path, ...flags]);
  if (code !== 0 || out !== `${path}\n`) throw new Error(`quickstart ended with ${code} and wrote ${out}${err}`);
  return { path, digest: digestOf(await sharp(path).removeAlpha().raw().toBuffer()) };
};

const [own, other] = [reference('person-3-1.png'), reference('person-5-1.png')]; // the first is the quickstart's
const first = await quickstart('first');
const ofOther = await quickstart('reference', '--reference', other);

t.test('run again, the quickstart draws the same picture', async (test) => {
  test.equal((await quickstart('again')).digest, first.digest);
});

for (const [flag, value] of [
  ['--prompt', 'portrait of a man, laughing, blue background'],
  ['--seed', '3'],
] as const) {
  t.test(`${flag} changes the quickstart picture`, async (test) => {
    test.not((await quickstart(flag.slice(2), flag, value)).digest, first.digest);
  });
}

t.test('--reference changes the quickstart picture', async (test) => {
  test.not(ofOther.digest, first.digest);
});

t.test('identity follows the reference', async (test) => {
  await using analyzer = await FaceAnalyzer.load(sketch.face);
  const identity = async (path: string): Promise<Float32Array> => (await analyzer.identity(path)).identity;
  const people = [await identity(own), await identity(other)] as const;
  for (const [i, picture] of [first, ofOther].entries()) {
    const drawn = await identity(picture.path);
    const [like, unlike] = [cosine(drawn, people[i]!), cosine(drawn, people[1 - i]!)];
    test.ok(like > unlike + 0.2, `own reference ${like.toFixed(2)}, the other one's ${unlike.toFixed(2)}`);
  }
});
