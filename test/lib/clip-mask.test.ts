// What `clipMask` leaves of a reference's picture, through the public API on the bundled model.
import sharp from 'sharp';
import t from 'tap';
import type { GenerateOptions, RawImage, Reference } from '../../lib/index.js';
import { digestOf, opened, reference, scene, sketch } from './sketch.js';

const short: GenerateOptions = { ...scene, steps: 2, width: 64, height: 64 };
const [one, other] = [reference('person-5-1.png'), reference('person-3-1.png')];

/** A mask with a left and a right half. */
const halves = (left: number, right: number, width = 64, height = 64): RawImage => {
  const data = Uint8Array.from({ length: width * height }, (_, i) => (i % width < width / 2 ? left : right));
  return { data, width, height, channels: 1 };
};

t.test('a clip mask says what counts of the picture', async (test) => {
  const pipe = await opened(test);
  await pipe.addAdapter(sketch.adapters.plus, { name: 'plus' });
  await pipe.addAdapter(sketch.adapters.faceid, { name: 'faceid', face: sketch.face });
  const drawn = async (given: Partial<Reference>): Promise<string> => {
    const references = [{ adapter: 'plus', image: one, ...given }] as Reference[];
    return digestOf((await pipe.generate({ ...short, references })).images[0]!.data);
  };
  const whole = await drawn({});
  test.equal(await drawn({ clipMask: halves(255, 255) }), whole, 'white: all of it');
  const [left, right] = [await drawn({ clipMask: halves(255, 0) }), await drawn({ clipMask: halves(0, 255) })];
  test.equal(new Set([whole, left, right]).size, 3);
  test.equal(await drawn({ clipMask: halves(255, 255, 30, 200) }), whole, 'of any size');
  const nothing = await drawn({ clipMask: halves(0, 0) });
  test.equal(await drawn({ image: other, clipMask: halves(0, 0) }), nothing, 'black: no picture is told from another');
  const both = { images: [one, other], image: undefined, clipMask: halves(255, 0) };
  test.not(await drawn(both), await drawn({ ...both, clipMask: undefined }), 'each picture of several');

  // what is masked out has no part in the result, what is left is as it was: another right half changes nothing
  const { data, info } = await sharp(one).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const changed = Uint8Array.from(data, (value, i) => (Math.floor(i / 3) % info.width > info.width * 0.6 ? 9 : value));
  const image: RawImage = { data: changed, width: info.width, height: info.height, channels: 3 };
  test.not(await drawn({ image }), whole);
  test.equal(await drawn({ image, clipMask: halves(255, 0) }), left);

  const squashed = await drawn({ fit: 'squash', image: wide(data, info.width, info.height) });
  test.not(
    await drawn({ fit: 'squash', image: wide(data, info.width, info.height), clipMask: halves(255, 0) }),
    squashed,
  );
  const kept = await pipe.generate({
    ...short,
    references: [{ adapter: 'plus', image: one, clipMask: halves(255, 0) }],
  });
  test.match(kept.images[0]!.metadata.references[0]!.clipMask, /^[0-9a-f]{64}$/, 'in the record');
  const faces = await pipe.generate({
    ...short,
    references: [{ adapter: 'faceid', image: one, clipMask: halves(255, 0) }],
  });
  test.match(faces.warnings, [{ code: 'OPTION_CONFLICT', message: /clipMask has no effect/ }]);
});

/** The upper half of a picture. */
const wide = (data: Uint8Array, width: number, height: number): RawImage => {
  const half = Math.floor(height / 2);
  return { data: data.subarray(0, width * half * 3), width, height: half, channels: 3 };
};

t.test('an embedding is of what the mask left', async (test) => {
  const pipe = await opened(test);
  const adapter = await pipe.addAdapter(sketch.adapters.plus);
  const masked = await adapter.encode(one, { clipMask: halves(255, 0) });
  const drawn = async (given: Reference) => {
    const { images, warnings } = await pipe.generate({ ...short, references: [given] });
    return { digest: digestOf(images[0]!.data), said: warnings.map(({ message }) => message) };
  };
  const { digest } = await drawn({ image: one, clipMask: halves(255, 0) });
  test.equal((await drawn({ embedding: masked })).digest, digest);
  test.match((await drawn({ embedding: masked, clipMask: halves(0, 255) })).said, [/clipMask has no effect/]);
});
