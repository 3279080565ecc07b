// Likeness through the public API, by the protocol of models/sketch/README.md: eight people that no network saw, each in
// another scene, two seeds. Identity is the cosine of the recogniser between picture and reference; no face counts 0.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { type Adapter, defaultModel, FaceAnalyzer, IpAdapterError, Pipeline } from '../../lib/index.js';

const { path, adapters, face } = defaultModel();
const family = dirname(path);
const SCENES = [
  ['smiling', 'a green hoodie', 'yellow'],
  ['surprised', 'a black blazer', 'pink'],
  ['angry', 'a white t-shirt', 'blue'],
  ['sleeping', 'a purple sweater', 'green'],
  ['laughing', 'red overalls', 'grey'],
  ['serious', 'a blue v-neck shirt', 'orange'],
  ['winking', 'a yellow t-shirt', 'purple'],
  ['sad', 'a pink hoodie', 'white'],
] as const;
const SEEDS = [3, 4];
const SCALES = [0, 0.25, 0.5, 0.75, 1];
const TOLERANCE = 0.05; // of a mean, against the reference implementation's

/** Mean identity of the reference implementation by scale, from the table in the model's README. */
const table = new Map(
  [
    ...readFileSync(join(family, 'README.md'), 'utf8').matchAll(/^\| ([a-z0-9-]+(?: \(\d references?\))?) \|(.*)\|$/gm),
  ].flatMap(([, name, cells]) => {
    const means = cells!.split('|').map((cell) => /(-?\d\.\d+) \//.exec(cell)?.[1]);
    return means.some((mean) => mean !== undefined)
      ? [[name!, means.map((mean) => (mean === undefined ? undefined : Number(mean)))] as const]
      : [];
  }),
);

const photo = (person: number, picture = 1): string => join(family, 'references', `person-${person}-${picture}.png`);

const cosine = (a: Float32Array, b: Float32Array): number => {
  const dot = (u: Float32Array, v: Float32Array): number => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

t.test('likeness is the reference implementation’s, adapter by adapter', async (test) => {
  const pipe = await Pipeline.load(path);
  const analyzer = await FaceAnalyzer.load(face);
  test.teardown(() => Promise.all([pipe.dispose(), analyzer.dispose()]));
  const known = await Promise.all(SCENES.map((_, i) => analyzer.identity(photo(i + 1))));

  /** Everyone in their scene; `whose` is the person whose likeness is measured. */
  const measured = async (adapter: Adapter, scale: number, pictures = 1, whose = (person: number) => person) => {
    const values: number[] = [];
    let missed = 0;
    for (const [i, [expression, clothes, background]] of SCENES.entries()) {
      const images = Array.from({ length: pictures }, (_, k) => photo(i + 1, k + 1));
      for (const seed of SEEDS) {
        const result = await pipe.generate({
          prompt: `portrait of a person, ${expression}, wearing ${clothes}, ${background} background`,
          negativePrompt: '',
          width: 128,
          height: 128,
          sampler: 'dpmpp_2m',
          schedule: 'karras',
          steps: 20,
          guidanceScale: 3,
          seed,
          references: [{ adapter, images, scale }],
        });
        const { data, width, height } = result.images[0]!;
        try {
          const { identity } = await analyzer.identity({ data, width, height, channels: 3 });
          values.push(cosine(identity, known[whose(i + 1) - 1]!.identity));
        } catch (error) {
          if (!(error instanceof IpAdapterError && error.code === 'FACE_NOT_FOUND')) throw error;
          missed += 1;
          values.push(0);
        }
      }
    }
    return { mean: values.reduce((sum, v) => sum + v, 0) / values.length, worst: Math.min(...values), missed };
  };

  const check = async (row: string, adapter: Adapter, scales: readonly number[], pictures = 1): Promise<number[]> => {
    const means: number[] = [];
    for (const scale of scales) {
      const expected = table.get(row)?.[SCALES.indexOf(scale)];
      const { mean, worst, missed } = await measured(adapter, scale, pictures);
      means.push(mean);
      const line = `${row} at ${scale}: mean ${mean.toFixed(3)}, reference ${expected}, worst ${worst.toFixed(2)}, missed ${missed}`;
      test.comment(line);
      test.ok(expected !== undefined && Math.abs(mean - expected) <= TOLERANCE, line);
    }
    return means;
  };

  for (const name of ['base', 'plus', 'faceid'] as const) {
    await using adapter = await pipe.addAdapter(adapters[name], name === 'faceid' ? { face } : {});
    await check(name, adapter, [0, 1]);
  }
  {
    await using adapter = await pipe.addAdapter(adapters['faceid-portrait'], { face });
    await check('faceid-portrait (3 references)', adapter, [0, 1], 3);
    await check('faceid-portrait (1 reference)', adapter, [1]);
  }
  await using adapter = await pipe.addAdapter(adapters['faceid-plusv2'], { face });
  const means = await check('faceid-plusv2', adapter, SCALES);
  test.same(
    means,
    [...means].sort((a, b) => a - b),
    'rises with scale',
  );
  const other = await measured(adapter, 1, 1, (person) => (person % SCENES.length) + 1);
  test.ok(other.mean <= 0.3, `against another person's reference: ${other.mean.toFixed(3)}`);
});
