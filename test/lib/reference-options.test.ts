// What the options of a reference do to a picture of the bundled model: each changes it where it acts, and nothing where
// it does not.
import t, { type Test } from 'tap';
import { Embedding, type GenerateOptions, type Pipeline, type Reference } from '../../lib/index.js';
import { COMBINE as COMBINE_NAMES, EMBEDS_SCALINGS, WEIGHT_TYPES } from '../../lib/options/table/reference.js';
import { digestOf, failure, opened, reference, scene, sketch } from './sketch.js';

/** Ways to combine any pictures; the other one takes the best face. */
const COMBINE = COMBINE_NAMES.filter((name) => name !== 'best');

const short: GenerateOptions = { ...scene, steps: 2, guidanceScale: 3, width: 64, height: 64 };
const [one, other] = [reference('person-5-1.png'), reference('person-3-1.png')];

const withAdapter = async (test: Test): Promise<Pipeline> => {
  const pipe = await opened(test);
  await pipe.addAdapter(sketch.adapters.base, { name: 'base' });
  return pipe;
};

/** SHA-256 of the picture with these references. */
const drawn = async (pipe: Pipeline, references: readonly Reference[], more: Partial<GenerateOptions> = {}) => {
  const { images } = await pipe.generate({ ...short, ...more, references });
  return digestOf(images[0]!.data);
};

/** Pixels, which differ by a grey level here and there where sums are made in another order. */
const pixelsOf = async (pipe: Pipeline, references: readonly Reference[]): Promise<Uint8Array> =>
  (await pipe.generate({ ...short, references })).images[0]!.data;
/** The largest difference, in grey levels. */
const distance = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

t.test('start and end', async (test) => {
  const pipe = await withAdapter(test);
  const without = await drawn(pipe, []);
  const whole = await drawn(pipe, [{ image: one }]);
  test.not(whole, without);
  test.equal(await drawn(pipe, [{ image: one, start: 0, end: 1, windowMode: 'sigma' }]), whole);
  const first = await drawn(pipe, [{ image: one, end: 0.4 }]);
  const last = await drawn(pipe, [{ image: one, start: 0.4 }]);
  test.equal(new Set([without, whole, first, last]).size, 4, 'each part is its own');
  test.equal(await drawn(pipe, [{ image: one, start: 0.6, end: 0.9 }]), without, 'between the steps: nothing');
});

t.test('weight types', async (test) => {
  const pipe = await withAdapter(test);
  const pictures = new Map<string, string>();
  for (const weightType of WEIGHT_TYPES) pictures.set(weightType, await drawn(pipe, [{ image: one, weightType }]));
  test.equal(pictures.get('linear'), await drawn(pipe, [{ image: one }]));
  test.equal(
    pictures.get('strong style and composition'),
    pictures.get('linear'),
    'with a composition of the same weight',
  );
  test.equal(new Set(pictures.values()).size, WEIGHT_TYPES.length - 1, 'no two others are alike');
  const style: Reference = { image: one, weightType: 'style and composition' };
  const scaled = await drawn(pipe, [{ ...style, compositionScale: 0.2 }]);
  test.not(scaled, pictures.get('style and composition'));
  test.not(
    await drawn(pipe, [{ image: one, weightType: 'composition precise', boost: 0.1 }]),
    pictures.get('composition precise'),
  );
  test.equal(await drawn(pipe, [{ image: one, weightType: 'ease in', scale: 0 }]), await drawn(pipe, []));
});

t.test('a composition image', async (test) => {
  const pipe = await withAdapter(test);
  const style: Reference = { image: one, weightType: 'style and composition' };
  const alone = await drawn(pipe, [style]);
  test.equal(await drawn(pipe, [{ ...style, compositionImage: one }]), alone, 'the same picture again changes nothing');
  const composed = await drawn(pipe, [{ ...style, compositionImage: other }]);
  test.not(composed, alone);
  const apart: Reference[] = [
    { image: one, weightType: 'style transfer' },
    { image: other, scale: '4:0.25, 5:1' },
  ];
  test.equal(await drawn(pipe, apart), composed, 'as two references');
});

t.test('what cannot act is said', async (test) => {
  const pipe = await withAdapter(test);
  const said = async (
    given: Omit<Reference, 'image' | 'images' | 'face' | 'embedding'>,
    guidanceScale = 3,
  ): Promise<string[]> => {
    const { warnings } = await pipe.generate({ ...short, guidanceScale, references: [{ image: one, ...given }] });
    return warnings.filter(({ code }) => code === 'OPTION_CONFLICT').map(({ message }) => message);
  };
  test.same(await said({ weightType: 'composition precise' }), []);
  test.match(await said({ weightType: 'composition precise' }, 1), [/weightType.*guidance/]);
  test.match(await said({ renormalize: false }), [/renormalize has no effect/]);
  test.match(await said({ maskMode: 'comfy' }), [/maskMode has no effect/]);
  test.match(await said({ uncond: 'black' }), [/uncond has no effect/]);
  test.match(await said({ negative: other }, 1), [/negative has no effect/]);
  test.match(await said({ boost: 1 }), [/boost has no effect/]);
  test.match(await said({ compositionScale: 1, weightType: 'ease in' }), [/compositionScale has no effect/]);
  const byBlock = { image: one, weightType: 'ease in', scale: { up: 1 } } as const;
  test.match(await failure(pipe.generate({ ...short, references: [byBlock] })), {
    code: 'OPTION_CONFLICT',
    message: /weightType "ease in" spreads one number/,
  });
});

t.test('several pictures of one reference', async (test) => {
  const pipe = await withAdapter(test);
  const images = [one, other];
  const pictures = new Map<string, string>();
  for (const combine of COMBINE) pictures.set(combine, await drawn(pipe, [{ images, combine }]));
  test.equal(new Set(pictures.values()).size, COMBINE.length, 'no two ways are alike');
  test.equal(pictures.get('concat'), await drawn(pipe, [{ images }]), 'side by side is what base adapters do');
  const apart = await drawn(pipe, [{ image: one }, { image: other }]);
  test.equal(pictures.get('separate'), apart, 'as two references');
  const weighted: Reference = { images, combine: 'separate', weights: [0.5, 0.25], scale: 0.8 };
  test.equal(
    await drawn(pipe, [weighted]),
    await drawn(pipe, [
      { image: one, scale: 0.4 },
      { image: other, scale: 0.2 },
    ]),
  );
  for (const combine of ['average', 'token average'] as const)
    test.equal(await drawn(pipe, [{ images, combine, weights: [1, 0] }]), await drawn(pipe, [{ image: one }]), combine);
  for (const combine of COMBINE) {
    if (combine === 'separate') continue;
    test.equal(
      await drawn(pipe, [{ images: [one], combine }]),
      await drawn(pipe, [{ image: one }]),
      `${combine} of one`,
    );
  }
  const side = await drawn(pipe, [{ images, weights: [1, 0.3] }]);
  test.not(side, pictures.get('concat'), 'values of the second count less');
  test.equal(await drawn(pipe, [{ images, weights: [1, 1] }]), pictures.get('concat'));
  test.not(await drawn(pipe, [{ images, weights: [1, 0.3], weightMode: 'embed' }]), side);
  const added: Reference = { images, combine: 'add', weights: [2, 0.5] };
  test.equal(
    await drawn(pipe, [{ ...added, weightMode: 'embed' }]),
    await drawn(pipe, [added]),
    'where inputs add up: the same',
  );
});

t.test('the same picture twice', async (test) => {
  const pipe = await withAdapter(test);
  const once = await pixelsOf(pipe, [{ image: one }]);
  const near = async (what: string, reference: Reference): Promise<void> =>
    void test.ok(distance(await pixelsOf(pipe, [reference]), once) < 2, `${what}: within rounding`);
  await near('side by side', { images: [one, one] });
  await near('averaged', { images: [one, one], combine: 'average' });
  await near('apart, half each', { images: [one, one], combine: 'separate', weights: [0.5, 0.5] });
});

t.test('fit and anchor', async (test) => {
  const pipe = await withAdapter(test);
  const [width, height] = [96, 64];
  const wide = { width, height, channels: 3, data: new Uint8Array(width * height * 3) } as const;
  for (let i = 0; i < wide.data.length; ++i) wide.data[i] = (Math.floor(i / 3) % width) * 2 + (i % 3) * 20;
  const whole = await drawn(pipe, [{ image: wide }]);
  test.equal(await drawn(pipe, [{ image: wide, fit: 'crop', anchor: 'center' }]), whole);
  test.equal(await drawn(pipe, [{ image: wide, anchor: 'top' }]), whole, 'a wide picture has no top to keep');
  const others: Reference[] = [
    { image: wide, anchor: 'left' },
    { image: wide, anchor: 'right' },
    { image: wide, fit: 'squash' },
    { image: wide, fit: 'pad' },
    { image: wide, fit: 'pad', anchor: 'top' },
  ];
  const pictures = [whole];
  for (const reference of others) pictures.push(await drawn(pipe, [reference]));
  test.equal(new Set(pictures).size, 6);
});

t.test('a negative picture, and black for none', async (test) => {
  const pipe = await withAdapter(test);
  await pipe.addAdapter(sketch.adapters.plus, { name: 'plus' });
  for (const adapter of ['base', 'plus']) {
    const plain = await drawn(pipe, [{ adapter, image: one }]);
    const away = await drawn(pipe, [{ adapter, image: one, negative: other }]);
    test.not(away, plain);
    test.equal(await drawn(pipe, [{ adapter, image: one }]), plain, 'what was kept is still that of no picture');
    const unguided = { guidanceScale: 1 };
    test.equal(
      await drawn(pipe, [{ adapter, image: one, negative: other }], unguided),
      await drawn(pipe, [{ adapter, image: one }], unguided),
    );
  }
  const plain = await drawn(pipe, [{ adapter: 'plus', image: one }]);
  test.equal(await drawn(pipe, [{ adapter: 'plus', image: one, uncond: 'grey' }]), plain);
  const black = await drawn(pipe, [{ adapter: 'plus', image: one, uncond: 'black' }]);
  test.not(black, plain);
  const picture = { width: 16, height: 16, channels: 3, data: new Uint8Array(16 * 16 * 3) } as const;
  test.equal(await drawn(pipe, [{ adapter: 'plus', image: one, negative: picture }]), black, 'as a black picture');
});

t.test('an embedding in place of its pictures', async (test) => {
  const pipe = await withAdapter(test);
  const plus = await pipe.addAdapter(sketch.adapters.plus, { name: 'plus' });
  const faceId = await pipe.addAdapter(sketch.adapters['faceid-plusv2'], { name: 'faceid', face: sketch.face });
  const base = await pipe.addAdapter(sketch.adapters.base, { name: 'again' });
  for (const adapter of [base, plus, faceId]) {
    const images = [one, other];
    const want = await drawn(pipe, [{ adapter, images, combine: 'average', weights: [2, 1] }]);
    const embedding = await adapter.encode(images, { name: 'two' });
    test.match(embedding.info, { name: 'two', pictures: 2, entries: 2, hashes: [/^[0-9a-f]{64}$/, /^[0-9a-f]{64}$/] });
    const again = Embedding.from(embedding.toBuffer());
    test.same(again.info, embedding.info);
    for (const given of [embedding, again])
      test.equal(await drawn(pipe, [{ adapter, embedding: given, combine: 'average', weights: [2, 1] }]), want);
  }
  const ofBase = await base.encode(one);
  test.equal(
    await drawn(pipe, [{ adapter: 'base', embedding: ofBase }]),
    await drawn(pipe, [{ adapter: 'base', image: one }]),
  );
  test.match(await failure(pipe.generate({ ...short, references: [{ adapter: plus, embedding: ofBase }] })), {
    code: 'ADAPTER_ENCODER_MISMATCH',
    message: /references\[0\]\.embedding/,
  });
  await base.dispose();
  test.match(await failure(base.encode(one)), { code: 'CLOSED' });
});

t.test('bytes that are no embedding', async (test) => {
  const pipe = await withAdapter(test);
  const { adapters } = pipe.info;
  test.same(adapters, ['base']);
  const adapter = await pipe.addAdapter(sketch.adapters.base, { name: 'again' });
  const whole = (await adapter.encode(one)).toBuffer();
  const length = Number(whole.readBigUInt64LE());
  const header = whole.toString('utf8', 8, 8 + length);
  const changed = (from: string | RegExp, to: string): Buffer => {
    const text = Buffer.from(header.replace(from, to));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([size, text, whole.subarray(8 + length)]);
  };
  const nan = Buffer.from(whole);
  nan.writeFloatLE(Number.NaN, 8 + length);
  const damaged: Record<string, Uint8Array> = {
    nothing: new Uint8Array(0),
    'a few bytes': new Uint8Array(7),
    'a header of terabytes': Buffer.from('ffffffffff0f0000', 'hex'),
    'no JSON': changed(/^\{/, '['),
    'another format': changed('node-ip-adapter embedding', 'another'),
    'a tensor outside': changed(/"data_offsets":\[0,(\d+)\]/, '"data_offsets":[64,99999]'),
    'another type': changed('"F32"', '"F16"'),
    'no tensor': changed('features.0', 'other.0'),
    'a place that is none': changed('\\"from\\":[0]', '\\"from\\":[99]'),
    'cut short': whole.subarray(0, -4),
    'a NaN': nan,
  };
  for (const [what, bytes] of Object.entries(damaged)) {
    const error = await failure((async () => Embedding.from(bytes))());
    test.match(error, { code: 'MODEL_HEADER_INVALID', hint: /adapter\.encode/ }, what);
  }
  test.equal(
    await drawn(pipe, [{ adapter, embedding: Embedding.from(whole) }]),
    await drawn(pipe, [{ adapter, image: one }]),
  );
});

/** A grey picture whose left part is of one value and whose right part of another. */
const halves = (left: number, right: number) => {
  const [width, height] = [64, 64];
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; ++i) data[i] = Math.floor(i / 3) % width < width / 2 ? left : right;
  return { width, height, channels: 3, data } as const;
};

t.test('masks', async (test) => {
  const pipe = await withAdapter(test);
  const without = await drawn(pipe, []);
  const whole = await drawn(pipe, [{ image: one }]);
  test.equal(await drawn(pipe, [{ image: one, mask: halves(255, 255) }]), whole, 'white: everywhere');
  test.equal(await drawn(pipe, [{ image: one, mask: halves(0, 0) }]), without, 'black: nowhere');
  const pictures = [without, whole];
  for (const maskMode of ['linear', 'diffusers', 'comfy'] as const)
    pictures.push(await drawn(pipe, [{ image: one, mask: halves(255, 100), maskMode }]));
  test.ok(new Set(pictures).size >= 4, 'greys count, but for diffusers');
  const [left, right] = [halves(255, 0), halves(0, 255)];
  const plain = await pixelsOf(pipe, []);
  const two = await pixelsOf(pipe, [{ image: one, mask: left }]);
  const change = (from: number, to: number): number => {
    let sum = 0;
    for (let i = 0; i < plain.length; ++i) {
      const x = Math.floor(i / 3) % 64;
      if (x >= from && x < to) sum += Math.abs(plain[i]! - two[i]!);
    }
    return sum;
  };
  test.ok(change(0, 24) > 3 * change(40, 64), 'most of the change lies where the mask is white');
  const job = pipe.generate({ ...short, height: 128, references: [{ image: one, mask: left }] });
  const events = [];
  for await (const event of job) if (event.type === 'warning') events.push(event.message);
  test.match(events, [/references\[0\]\.mask is 64 × 64 and the picture 64 × 128: it is stretched/]);
  test.same(
    (await job).warnings.map(({ message }) => message),
    events,
  );
  const both = await drawn(pipe, [
    { image: one, mask: left },
    { image: other, mask: right },
  ]);
  test.not(
    both,
    await drawn(pipe, [
      { image: other, mask: left },
      { image: one, mask: right },
    ]),
    'sides matter',
  );
});

t.test('embeds scaling', async (test) => {
  const pipe = await withAdapter(test);
  const plain = await drawn(pipe, [{ image: one, scale: 0.7 }]);
  const pictures = new Map<string, string>();
  for (const embedsScaling of EMBEDS_SCALINGS)
    pictures.set(embedsScaling, await drawn(pipe, [{ image: one, scale: 0.7, embedsScaling }]));
  test.equal(pictures.get('V only'), plain);
  test.equal(new Set(pictures.values()).size, EMBEDS_SCALINGS.length, 'no two are alike');
  const full = await pixelsOf(pipe, [{ image: one, scale: 1 }]);
  const keys = await pixelsOf(pipe, [{ image: one, scale: 1, embedsScaling: 'K+V' }]);
  test.ok(distance(full, keys) <= 1, 'at scale 1 keys and values are as they are');
  const without = await drawn(pipe, []);
  for (const embedsScaling of EMBEDS_SCALINGS)
    test.equal(await drawn(pipe, [{ image: one, scale: 0, embedsScaling }]), without, `${embedsScaling} at 0`);
});
