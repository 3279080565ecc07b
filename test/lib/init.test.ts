// From a picture and into a mask, with the bundled model: what strength does, what stays, and what the record says.
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { type GenerateOptions, type InitOptions, type Pipeline, readMetadata } from '../../lib/index.js';
import { samplers } from '../../lib/schedulers/index.js';
import { failure, opened, reference, scene, sketch } from './sketch.js';

/** A reference picture at the size that is drawn. */
const photoOf = async (name: string) => {
  const { data, info } = await sharp(reference(name))
    .resize(128, 128)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data), channels: 3 as const };
};
const photo = await photoOf('person-5-1.png');
const short: GenerateOptions = { ...scene, steps: 4, guidanceScale: 3, width: 128, height: 128 };

interface Raw {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const drawn = async (pipe: Pipeline, init: InitOptions | undefined, more: Partial<GenerateOptions> = {}) =>
  (await pipe.generate({ ...short, ...more, ...(init && { init }) })).images[0]!;

/** Mean difference in grey levels. */
const distance = (a: Raw, b: Raw): number =>
  a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;

/** White between two columns of a picture. */
const stripe = (width: number, height: number, from: number, to: number) => {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; ++y) data.fill(255, y * width + from, y * width + to);
  return { width, height, data, channels: 1 as const };
};

/** Bytes where the mask is black that are not the picture's. */
const changedOutside = (image: Raw, before: Raw, mask: Raw): number => {
  let changed = 0;
  for (const [i, white] of mask.data.entries())
    for (let c = 0; c < 3; ++c) if (white === 0 && image.data[3 * i + c] !== before.data[3 * i + c]) changed += 1;
  return changed;
};

const withFaces = async (test: Test): Promise<Pipeline> => {
  const pipe = await opened(test);
  await pipe.addAdapter(sketch.adapters['faceid-plusv2'], { name: 'faceid', face: { ...sketch.face, detSize: 192 } });
  return pipe;
};

t.test('strength', async (test) => {
  const pipe = await opened(test);
  const found: number[] = [];
  for (const strength of [0, 0.25, 0.5, 0.75, 1])
    found.push(distance(await drawn(pipe, { image: photo, strength }), photo));
  test.comment(`grey levels from the picture at 0 to 1: ${found.map((v) => v.toFixed(1)).join(', ')}`);
  test.ok(found[0]! < 8, 'at 0 about the picture');
  for (const [i, value] of found.slice(1, 4).entries()) test.ok(value > found[i]!, 'further with every step');
  const other = await photoOf('person-3-1.png');
  const [one, two] = [
    await drawn(pipe, { image: photo, strength: 1, posterior: 'mode' }, { steps: 20 }),
    await drawn(pipe, { image: other, strength: 1, posterior: 'mode' }, { steps: 20 }),
  ];
  test.ok(distance(one, two) < distance(photo, other) / 2, 'at 1 the picture hardly counts');
});

t.test('a prompt changes over the steps that strength leaves', async (test) => {
  const pipe = await opened(test);
  const pixels = async (prompt: string, strength = 0.5) =>
    Buffer.from((await drawn(pipe, { image: photo, strength }, { prompt })).data).toString('base64');
  const [man, woman] = [await pixels('a man'), await pixels('a woman')];
  const changed = await pixels('a [man:woman:1]');
  test.notOk([man, woman].includes(changed), 'two of four steps are done: one each');
  test.equal(await pixels('a [man:woman:0.5]'), changed);
  test.ok((await pixels('a [man:woman:2]')) === man);
  test.ok((await pixels('a [man:woman:0]')) === woman);
  test.ok((await pixels('a [man:woman:1] AND hair', 0)) === (await pixels('a man', 0)), 'no step');
});

t.test('every sampler begins with a picture', async (test) => {
  const pipe = await opened(test);
  for (const sampler of samplers) {
    const image = await drawn(pipe, { image: photo, strength: 0.25, posterior: 'mode' }, { sampler, steps: 8 });
    const far = distance(image, photo);
    test.ok(far < 25, `${sampler}: ${far.toFixed(1)} grey levels`);
  }
});

t.test('outside the mask every byte stays', async (test) => {
  const pipe = await opened(test);
  const mask = stripe(128, 128, 40, 90);
  for (const more of [
    {},
    { maskBlur: 6 },
    { colorMatch: true },
    { fill: 'noise', strength: 0.5 },
    { fill: 'blur', strength: 0.5 },
    { maskPadding: 8 },
    { maskPadding: 8, maskBlur: 0, colorMatch: true },
  ] as const) {
    const image = await drawn(pipe, { image: photo, mask, ...more });
    test.equal(changedOutside(image, photo, mask), 0, JSON.stringify(more));
    test.ok(distance(image, photo) > 1, 'and inside it is another');
  }
  const fills = await Promise.all(
    (['original', 'noise', 'blur'] as const).map((fill) => drawn(pipe, { image: photo, mask, fill, strength: 0.5 })),
  );
  test.ok(distance(fills[0]!, fills[1]!) > 0.5 && distance(fills[0]!, fills[2]!) > 0.5, 'fills differ');
});

t.test('maskPadding keeps the size of a larger picture', async (test) => {
  const pipe = await opened(test);
  const data = new Uint8Array(300 * 200 * 3).map((_, i) => (i * 7) % 251);
  for (let y = 0; y < 128; ++y) data.set(photo.data.subarray(y * 384, y * 384 + 384), ((y + 30) * 300 + 90) * 3);
  const picture = { width: 300, height: 200, data, channels: 3 as const };
  const mask = { ...stripe(300, 200, 130, 190) };
  mask.data.fill(0, 0, 300 * 60);
  mask.data.fill(0, 300 * 120);
  const image = await drawn(pipe, { image: picture, mask, maskPadding: 16 }, { width: 64, height: 64 });
  test.same([image.width, image.height], [300, 200]);
  test.equal(changedOutside(image, picture, mask), 0);
  test.ok(distance(image, picture) > 0.5);
});

t.test('mask face', async (test) => {
  const pipe = await withFaces(test);
  const image = await drawn(pipe, { image: photo, mask: 'face' });
  let corner = 0;
  for (let i = 0; i < 3 * 20; ++i) corner += Math.abs(image.data[i]! - photo.data[i]!);
  test.equal(corner, 0, 'the corner is the picture');
  test.ok(distance(image, photo) > 1);
  const grey = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(120), channels: 3 as const };
  test.equal((await failure(pipe.generate({ ...short, init: { image: grey, mask: 'face' } }))).code, 'FACE_NOT_FOUND');
  const without = await opened(test);
  const lacking = await failure(without.generate({ ...short, init: { image: photo, mask: 'face' } }));
  test.equal(lacking.code, 'FACE_MODEL_MISSING');
});

t.test('the record tells what a run began with', async (test) => {
  const pipe = await withFaces(test);
  const init = { image: photo, mask: 'face', strength: 0.6, maskPadding: 4, fill: 'blur' } as const;
  const image = await drawn(pipe, init, { steps: 2 });
  const { record } = await readMetadata(await image.toBuffer('png'));
  test.match(record?.init, {
    image: /^[0-9a-f]{64}$/,
    strength: 0.6,
    mask: 'face',
    maskPadding: 4,
    maskBlur: 4,
    fill: 'blur',
    colorMatch: false,
    pickFace: 'largest',
    posterior: 'sample',
  });
  const plain = await drawn(pipe, { image: photo }, { steps: 2 });
  const { record: short } = await readMetadata(await plain.toBuffer('png'));
  test.same(Object.keys(short?.init ?? {}).sort(), ['image', 'posterior', 'strength']);
  test.equal(short?.init?.strength, 0.8);
});

t.test('what does not go is said at the door', async (test) => {
  const pipe = await opened(test);
  const code = async (init: unknown) => (await failure(pipe.generate({ ...short, init: init as InitOptions }))).code;
  test.equal(await code({ image: photo, strength: 1.1 }), 'OPTION_RANGE');
  test.equal(await code({ image: photo, strength: 0.01 }), 'OPTION_RANGE', 'leaves no step');
  test.equal(await code({ strength: 0.5 }), 'OPTION_TYPE');
  test.equal(await code({ image: photo, strenght: 1 }), 'OPTION_UNKNOWN');
  test.equal(await code({ image: photo, fill: 'white' }), 'OPTION_UNKNOWN');
  test.equal(await code({ image: photo, maskPadding: 513 }), 'OPTION_RANGE');
  const black = { ...stripe(32, 32, 0, 0) };
  test.equal(await code({ image: photo, mask: black, maskPadding: 4 }), 'OPTION_RANGE');
  const result = await pipe.generate({ ...short, steps: 2, init: { image: photo, maskBlur: 3, pickFace: 'left' } });
  test.match(
    result.warnings.map(({ message }) => message),
    [/init\.maskBlur/, /init\.pickFace/],
  );
});
