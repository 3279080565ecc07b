// Faces cut out of pictures: the square, what lies beyond the edge, and what the encoder is shown.
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { closeUpOf, readsCloseUps } from '../../../lib/adapters/close-up.js';
import { cut } from '../../../lib/images/cut.js';
import { FaceAnalyzer, type RawImage } from '../../../lib/index.js';
import { failure, opened, reference, scene, sketch } from '../sketch.js';

const size = { width: 200, height: 100 };

t.test('the square is one and a half times the longer side, moved into the picture', async (test) => {
  test.same(closeUpOf([90, 40, 110, 60], size), { left: 85, top: 35, width: 30, height: 30 });
  test.same(closeUpOf([90, 30, 100, 70], size), { left: 65, top: 20, width: 60, height: 60 });
  test.same(closeUpOf([0, 0, 20, 20], size), { left: 0, top: 0, width: 30, height: 30 });
  test.same(closeUpOf([180, 80, 200, 100], size), { left: 170, top: 70, width: 30, height: 30 });
  test.same(closeUpOf([100, 0, 180, 100], size), { left: 50, top: -25, width: 150, height: 150 }, 'higher than it');
  test.same(closeUpOf([100, 60, 200, 140], size), { left: 50, top: 0, width: 150, height: 150 }, 'all of its height');
});

t.test('what is beyond the edge is the edge', async (test) => {
  const image = { width: 2, height: 1, data: Uint8Array.from([1, 2, 3, 4, 5, 6]) };
  const { data } = cut(image, { left: -1, top: -1, width: 4, height: 2 });
  const row = [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6];
  test.same([...data], [...row, ...row]);
});

t.test('which adapters read close-ups', async (test) => {
  for (const name of ['ip-adapter-plus-face_sd15', 'ip-adapter-plus-face_sdxl_vit-h', 'PLUS_FACE'])
    test.ok(readsCloseUps('plus', name), name);
  test.ok(readsCloseUps('full-face', 'anything'));
  for (const name of ['ip-adapter-plus_sd15', 'ip-adapter_sd15', 'plus-surface'])
    test.notOk(readsCloseUps('plus', name), name);
});

const pixelsOf = async (file: string): Promise<RawImage> => {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: 3 };
};

t.test('an encoder is shown the chosen face', async (test) => {
  const pipe = await opened(test);
  const analyzer = await FaceAnalyzer.load({ ...sketch.face, detSize: 192 });
  test.teardown(() => analyzer.dispose());
  const plain = await pipe.addAdapter(sketch.adapters.plus, { name: 'plain' });
  const close = await pipe.addAdapter(sketch.adapters.plus, { name: 'close', face: analyzer, cropFace: true });
  const group = await pixelsOf(reference('two-people.png'));
  const faces = [...(await analyzer.detect(group))].sort((a, b) => a.box[0] - b.box[0]);
  test.equal(faces.length, 2);
  const crops = faces.map((face) => ({ ...cut(group as never, closeUpOf(face.box, group)), channels: 3 as const }));
  const left = await close.encode(group, { pickFace: 'left' });
  const both = await close.encode(group, { pickFace: 'all' });
  const numbers = (embedding: { toBuffer(): Buffer }): string => {
    const bytes = embedding.toBuffer();
    return bytes.subarray(8 + Number(bytes.readBigUInt64LE())).toString('hex');
  };
  test.equal(numbers(left), numbers(await plain.encode(crops[0]!)));
  test.not(numbers(left), numbers(await plain.encode(group)));
  test.match(both.info, { pictures: 1, entries: 2 });
  const mask = { width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(255) } as const;
  test.equal(numbers(await close.encode(group, { pickFace: 'left', clipMask: bigger(mask, 32) })), numbers(left));

  const short = { ...scene, steps: 1, width: 64, height: 64 };
  const { images, warnings } = await pipe.generate({
    ...short,
    references: [{ adapter: close, image: group, pickFace: 'left' }],
  });
  test.same(warnings, [], 'pickFace acts');
  test.match(images[0]!.metadata.references[0], { adapter: 'close', cropFace: true, pickFace: 'left' });
  const cropped = await pipe.generate({ ...short, references: [{ adapter: plain, image: crops[0]! }] });
  test.same(images[0]!.data, cropped.images[0]!.data);
  test.equal(cropped.images[0]!.metadata.references[0]!.cropFace, undefined);
  const nobody = { ...short, references: [{ adapter: close, image: reference('nobody.png') }] };
  test.match(await failure(pipe.generate(nobody)), { code: 'FACE_NOT_FOUND', hint: /cropFace: false/ });
});

t.test('without a detector the picture is used as it is, which is said', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-close-up-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ip-adapter-plus-face_sketch.bin');
  symlinkSync(sketch.adapters.plus!, file);
  const said: string[] = [];
  const pipe = await opened(test, { logger: { warn: (_, message) => void said.push(message) } });
  const named = await pipe.addAdapter(file, { encoder: sketch.encoder });
  const image = reference('person-1-1.png');
  const short = { ...scene, steps: 1, width: 64, height: 64 };
  const run = await pipe.generate({ ...short, references: [{ adapter: named, image }] });
  test.match(run.warnings, [
    { code: 'REFERENCE_QUALITY', message: /references\[0\].* expects a close-up of one face/ },
  ]);
  await named.encode(image);
  test.match(said.at(-1), /encode: .* expects a close-up of one face/);
  const off = await pipe.addAdapter(file, { encoder: sketch.encoder, name: 'off', cropFace: false });
  const quiet = await pipe.generate({ ...short, references: [{ adapter: off, image }] });
  test.same(quiet.warnings, []);
  test.same(quiet.images[0]!.data, run.images[0]!.data);
  const before = pipe.info.warnings.length;
  await pipe.addAdapter(sketch.adapters.faceid!, { face: sketch.face, cropFace: true, name: 'faceid' });
  test.match(pipe.info.warnings.slice(before), [{ code: 'OPTION_CONFLICT', message: /cropFace has no effect/ }]);
});

/** A flat picture of another size. */
const bigger = ({ data }: RawImage, side: number): RawImage => ({
  width: side,
  height: side,
  channels: 1,
  data: new Uint8Array(side * side).fill(data[0]!),
});
