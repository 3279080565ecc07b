// Several references of one person on the bundled model: which are trusted, how they count, what the record says.
import t, { type Test } from 'tap';
import { Embedding, FaceAnalyzer, type GenerateOptions, type Pipeline, type Reference } from '../../lib/index.js';
import { digestOf, failure, opened, reference, scene, sketch } from './sketch.js';

const short: GenerateOptions = { ...scene, steps: 2, guidanceScale: 3, width: 64, height: 64 };
const person = (number: number, picture = 1): string => reference(`person-${number}-${picture}.png`);
const [first, second, third] = [person(5, 1), person(5, 2), person(5, 3)];
const stranger = person(3);
const nobody = reference('nobody.png');

const withAdapters = async (test: Test): Promise<Pipeline> => {
  const pipe = await opened(test);
  const face = await FaceAnalyzer.load({ ...sketch.face, detSize: 192 });
  test.teardown(() => face.dispose());
  for (const name of ['faceid', 'faceid-plusv2', 'faceid-portrait'] as const)
    await pipe.addAdapter(sketch.adapters[name], { name, face });
  await pipe.addAdapter(sketch.adapters.base, { name: 'base' });
  return pipe;
};

const made = async (pipe: Pipeline, given: Reference) => {
  const { images, warnings } = await pipe.generate({ ...short, references: [given] });
  const record = images[0]!.metadata.references[0]!;
  return {
    digest: digestOf(images[0]!.data),
    warnings: warnings.map(({ code, message }) => `${code} ${message}`),
    record,
  };
};

t.test('somebody else among three is found, and may be left out', async (test) => {
  const pipe = await withAdapters(test);
  const adapter = 'faceid';
  const together = [first, second, stranger];
  const warned = await made(pipe, { adapter, images: together });
  test.match(warned.warnings, [/^REFERENCE_QUALITY references\[0\]\.images\[2\] seems to be of another person/]);
  test.equal(warned.record.used, undefined);
  const dropped = await made(pipe, { adapter, images: together, outliers: 'drop' });
  test.match(dropped.record, { outliers: 'drop', used: [0, 1] });
  test.equal(dropped.record.images.length, 3, 'the record has all that were given');
  const two = await made(pipe, { adapter, images: [first, second] });
  test.same(two.warnings, [], 'one person');
  test.equal(dropped.digest, two.digest, 'as if it had not been given');
  test.not(dropped.digest, warned.digest);
  test.match(
    await failure(pipe.generate({ ...short, references: [{ adapter, images: together, outliers: 'error' }] })),
    {
      code: 'FACE_REFERENCES_DISAGREE',
      message: /references\[0\]\.images\[2\]/,
    },
  );
  const meant = await made(pipe, { adapter, images: [first, stranger], outliers: 'off', weights: [0.5, 0.5] });
  test.same([meant.warnings, meant.record.weights], [[], [0.5, 0.5]]);
});

t.test('best and quality, from pictures and from an embedding', async (test) => {
  const pipe = await withAdapters(test);
  const images = [first, second, third];
  for (const adapter of ['faceid', 'faceid-plusv2', 'faceid-portrait']) {
    const best = await made(pipe, { adapter, images, combine: 'best' });
    const [place] = best.record.used!;
    test.equal(best.record.used!.length, 1);
    test.equal(
      best.digest,
      (await made(pipe, { adapter, image: images[place!]! })).digest,
      `${adapter}: that picture alone`,
    );
    const weighed = await made(pipe, { adapter, images, weights: 'quality' });
    test.equal(weighed.record.weights!.length, 3);
    const again = await made(pipe, { adapter, images, weights: weighed.record.weights! });
    test.equal(weighed.digest, again.digest, `${adapter}: the recorded numbers draw the same`);
  }
  const handle = await pipe.addAdapter(sketch.adapters['faceid-plusv2'], { name: 'other', face: sketch.face });
  const embedding = await handle.encode([first, nobody, third], { onMissing: 'skip' });
  test.match(embedding.info, { pictures: 3, entries: 2, used: [0, 2] });
  test.equal(embedding.info.qualities?.length, 2);
  const kept = Embedding.from(embedding.toBuffer());
  test.same(kept.info, embedding.info);
  const given: readonly Partial<Reference>[] = [{ combine: 'best' }, { weights: 'quality' }, { weights: [1, 0, 3] }];
  for (const how of given) {
    const pictures = { adapter: handle, images: [first, nobody, third], onMissing: 'skip', ...how } as Reference;
    const want = await made(pipe, pictures);
    const found = await made(pipe, { adapter: handle, embedding: kept, ...how } as Reference);
    test.equal(found.digest, want.digest, JSON.stringify(how));
    test.same([found.record.used, found.record.weights], [want.record.used, want.record.weights]);
  }
});

t.test('a picture without a face', async (test) => {
  const pipe = await withAdapters(test);
  const adapter = 'faceid-portrait';
  const images = [first, nobody, second];
  const skipped = await made(pipe, { adapter, images, onMissing: 'skip' });
  test.match(skipped.warnings, [/^REFERENCE_QUALITY references\[0\]\.images\[1\] is left out/]);
  test.match(skipped.record, { onMissing: 'skip', used: [0, 2] });
  test.equal(skipped.digest, (await made(pipe, { adapter, images: [first, second] })).digest);
  test.match(await failure(pipe.generate({ ...short, references: [{ adapter, images }] })), {
    code: 'FACE_NOT_FOUND',
    message: /references\[0\]\.images\[1\]/,
  });
});

t.test('embeddings of earlier versions', async (test) => {
  const pipe = await withAdapters(test);
  const handle = await pipe.addAdapter(sketch.adapters.faceid, { name: 'other', face: sketch.face });
  const whole = (await handle.encode([first, second])).toBuffer();
  const length = Number(whole.readBigUInt64LE());
  const header = whole.toString('utf8', 8, 8 + length);
  const changed = (from: RegExp, to: string): Buffer => {
    test.match(header, from);
    const text = Buffer.from(header.replace(from, to));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([size, text, whole.subarray(8 + length)]);
  };
  const old = Embedding.from(changed(/,\\"qualities\\":\[[^\]]*\]/, ''));
  test.match(old.info, { pictures: 2, entries: 2, used: [0, 1], qualities: undefined });
  const plain = await made(pipe, { adapter: handle, embedding: old });
  test.same(plain.warnings, []);
  for (const how of [{ combine: 'best' }, { weights: 'quality' }] as const) {
    const { digest, warnings } = await made(pipe, { adapter: handle, embedding: old, ...how });
    test.equal(digest, plain.digest);
    test.match(warnings, [
      /^OPTION_CONFLICT references\[0\]\.(combine "best"|weights "quality") has no effect: the embedding/,
    ]);
  }
  for (const qualities of ['[0.5]', '[0.5,2]', '["a","b"]']) {
    const bytes = changed(/\\"qualities\\":\[[^\]]*\]/, `\\"qualities\\":${qualities.replaceAll('"', '\\"')}`);
    test.match(await failure((async () => Embedding.from(bytes))()), { code: 'MODEL_HEADER_INVALID' }, qualities);
  }
});

t.test('what cannot act is said', async (test) => {
  const pipe = await withAdapters(test);
  const images = [first, second];
  const plain = await made(pipe, { adapter: 'base', images });
  for (const how of [
    { combine: 'best' },
    { weights: 'quality' },
    { outliers: 'drop' },
    { onMissing: 'skip' },
  ] as const) {
    const { digest, warnings } = await made(pipe, { adapter: 'base', images, ...how });
    test.equal(digest, plain.digest, JSON.stringify(how));
    test.match(warnings, [new RegExp(`OPTION_CONFLICT references\\[0\\]\\.${Object.keys(how)[0]}.* has no effect`)]);
  }
  const { warnings } = await made(pipe, { adapter: 'faceid', images, combine: 'best', weights: [1, 2] });
  test.match(warnings, [/weights has no effect/]);
});
