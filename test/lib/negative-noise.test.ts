// Noise made of the reference as what is steered away from, through the public API on the bundled model.
import t from 'tap';
import type { GenerateOptions, NegativeNoise, Reference } from '../../lib/index.js';
import { NOISES } from '../../lib/options/table/negative.js';
import { digestOf, failure, opened, reference, scene, sketch } from './sketch.js';

const short: GenerateOptions = { ...scene, steps: 2, guidanceScale: 3, width: 64, height: 64 };
const [one, other] = [reference('person-5-1.png'), reference('person-3-1.png')];

t.test('noise in the place of a negative picture', async (test) => {
  const pipe = await opened(test);
  await pipe.addAdapter(sketch.adapters.base, { name: 'base' });
  await pipe.addAdapter(sketch.adapters['faceid-plusv2'], { name: 'faceid-plus', face: sketch.face });
  await pipe.addAdapter(sketch.adapters.faceid, { name: 'faceid', face: sketch.face });
  const run = (given: Partial<Reference>, more: Partial<GenerateOptions> = {}) =>
    pipe.generate({ ...short, ...more, references: [{ adapter: 'base', image: one, ...given } as Reference] });
  const drawn = async (given: Partial<Reference>, more: Partial<GenerateOptions> = {}): Promise<string> =>
    digestOf((await run(given, more)).images[0]!.data);

  const pictures = new Map<string, string>([['none', await drawn({})]]);
  for (const noise of NOISES) pictures.set(noise, await drawn({ negative: { noise, strength: 0.7 } }));
  test.equal(new Set(pictures.values()).size, NOISES.length + 1, 'no two are alike');
  test.equal(await drawn({ negative: { noise: 'fade', strength: 0.7 } }), pictures.get('fade'), 'the same each time');
  test.not(await drawn({ negative: { noise: 'fade' } }), pictures.get('fade'), 'strength');
  test.not(await drawn({ negative: { noise: 'fade', strength: 0.7, blur: 9 } }), pictures.get('fade'), 'blur');
  test.equal(
    await drawn({ negative: { noise: 'fade', strength: 0 } }),
    await drawn({ negative: one }),
    'without noise: the picture itself',
  );
  const ofFirst = { image: undefined, images: [one, other] };
  test.equal(
    await drawn({ ...ofFirst, negative: { noise: 'fade', strength: 0 } }),
    await drawn({ ...ofFirst, negative: one }),
    'of several pictures the first',
  );
  test.not(
    await drawn({ adapter: 'faceid-plus', negative: { noise: 'shuffle' } }),
    await drawn({ adapter: 'faceid-plus' }),
    'the picture that FaceID Plus reads beside the identity',
  );
  const { images } = await run({ negative: { noise: 'gaussian', strength: 0.5 } });
  const { negative } = images[0]!.metadata.references[0]!;
  test.same(negative, { noise: 'gaussian', strength: 0.5, blur: 0 }, 'in the record');
  const said = async (given: Partial<Reference>, more: Partial<GenerateOptions> = {}): Promise<string[]> =>
    (await run(given, more)).warnings.map(({ message }) => message);
  test.match(await said({ adapter: 'faceid', negative: { noise: 'fade' } }), [/negative has no effect/]);
  test.match(await said({ negative: { noise: 'fade' } }, { guidanceScale: 1 }), [/negative has no effect/]);

  const wrong = (negative: object) => failure(run({ negative: negative as NegativeNoise }));
  test.match(await wrong({ noise: 'fad' }), { code: 'OPTION_UNKNOWN', message: /references\[0\]\.negative\.noise/ });
  test.match(await wrong({ noise: 'fade', strength: 2 }), { code: 'OPTION_RANGE', message: /negative\.strength/ });
  test.match(await wrong({ noise: 'fade', blur: 1.5 }), { code: 'OPTION_RANGE', message: /negative\.blur/ });
  test.match(await wrong({ noise: 'fade', size: 5 }), { code: 'OPTION_UNKNOWN', message: /size/ });
  test.match(await wrong({}), { code: 'OPTION_TYPE', message: /references\[0\]\.negative/ });
});

t.test('an embedding has no picture to make noise of: it is made of black', async (test) => {
  const pipe = await opened(test);
  const adapter = await pipe.addAdapter(sketch.adapters.base);
  const drawn = async (given: Reference): Promise<string> =>
    digestOf((await pipe.generate({ ...short, references: [given] })).images[0]!.data);
  const black = { data: new Uint8Array(32 * 32 * 3), width: 32, height: 32, channels: 3 } as const;
  const embedding = await adapter.encode(one);
  test.equal(
    await drawn({ embedding, negative: { noise: 'fade', strength: 0 } }),
    await drawn({ embedding, negative: black }),
  );
});
