// Likeness through the public API, by the protocol of models/sketch/README.md: eight people that no network saw, each in
// another scene, two seeds. Identity is the cosine of the recogniser between picture and reference; no face counts 0.
// One test file per way of computing calls it: the table must hold for each.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { FaceAnalyzer, IpAdapterError, type LoadOptions, Pipeline, type Reference } from '../../lib/index.js';
import { cosine, reference, sketch } from './sketch.js';

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
const PEOPLE = SCENES.map((_, i) => i + 1);
const SEEDS = [3, 4];
const SCALES = [0, 0.25, 0.5, 0.75, 1];
/** What is drawn: rows of the table, the adapter, its scales, how many pictures of the person it is shown. */
const ROWS = [
  { row: 'base', name: 'base', scales: [0, 1], pictures: 1 },
  { row: 'plus', name: 'plus', scales: [0, 1], pictures: 1 },
  { row: 'faceid', name: 'faceid', scales: [0, 1], pictures: 1 },
  { row: 'faceid-portrait (3 references)', name: 'faceid-portrait', scales: [0, 1], pictures: 3 },
  { row: 'faceid-portrait (1 reference)', name: 'faceid-portrait', scales: [1], pictures: 1 },
  { row: 'faceid-plusv2', name: 'faceid-plusv2', scales: SCALES, pictures: 1 },
] as const;
const portraitRow = (count: number): string =>
  ROWS.find((it) => it.name === 'faceid-portrait' && it.pictures === count)!.row;
const TOLERANCE = 0.05; // of a mean, against the reference implementation's
const STRANGER = 0.3; // highest mean identity against another person's reference
const BLENDED = 0.1; // least that half of a person adds to the mean; one alone adds 0.4, somebody else nothing
const GAIN = -0.01; // least that two more pictures of a person may add to a Portrait's mean: none, but for rounding

interface Likeness {
  readonly mean: number;
  readonly worst: number;
  readonly missed: number;
}

/** What the reference implementation reached, from the table of the model's README: means by scale, the worst at 1. */
const table = new Map(
  readFileSync(join(dirname(sketch.path), 'README.md'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, row, ...cells] = line.split('|').map((cell) => cell.trim());
      const means = cells.slice(0, SCALES.length).map((cell) => /^(-?\d\.\d+) \//.exec(cell)?.[1]);
      if (row === undefined || means.every((mean) => mean === undefined)) return [];
      return [[row, { means: means.map(Number), worst: Number(cells[SCALES.length]) }] as const];
    }),
);

const photo = (person: number, picture = 1): string => reference(`person-${person}-${picture}.png`);

const shown = (row: string, scale: number, { mean, worst, missed }: Likeness): string => {
  const expected = table.get(row);
  const worstThere = scale === 1 ? expected?.worst.toFixed(2) : '-';
  return (
    `${row.padEnd(30)} ${scale.toFixed(2)}  ${mean.toFixed(3).padStart(6)} (${expected?.means[SCALES.indexOf(scale)]?.toFixed(2)})` +
    `  ${worst.toFixed(2).padStart(5)} (${worstThere})  ${missed} (0)`
  );
};

/** The table, with the bundled model loaded so. */
export const checkLikeness = async (options: LoadOptions): Promise<void> => {
  const pipe = await Pipeline.load(sketch.path, options);
  t.comment(`level ${pipe.info.level}, ${pipe.info.dtype}`);
  const analyzer = await FaceAnalyzer.load({ ...sketch.face, detSize: 192 });
  t.teardown(() => Promise.all([pipe.dispose(), analyzer.dispose()]));
  for (const name of new Set(ROWS.map((row) => row.name))) {
    await pipe.addAdapter(sketch.adapters[name], { name, ...(name.startsWith('faceid') ? { face: analyzer } : {}) });
  }

  const known = await Promise.all(PEOPLE.map((person) => analyzer.identity(photo(person))));

  /** Identity of a person's scene drawn by a reference; undefined where no face is found. */
  const drawn = async (person: number, seed: number, given: Reference): Promise<Float32Array | undefined> => {
    const [expression, clothes, background] = SCENES[person - 1]!;
    const { images } = await pipe.generate({
      prompt: `portrait of a person, ${expression}, wearing ${clothes}, ${background} background`,
      negativePrompt: '',
      width: 128,
      height: 128,
      sampler: 'dpmpp_2m',
      schedule: 'karras',
      steps: 20,
      guidanceScale: 3,
      seed,
      references: [given],
    });
    const { data, width, height } = images[0]!;
    try {
      return (await analyzer.identity({ data, width, height, channels: 3 }, { pickFace: 'largest' })).identity;
    } catch (error) {
      if (!(error instanceof IpAdapterError && error.code === 'FACE_NOT_FOUND')) throw error;
      return undefined;
    }
  };

  /** Everyone in their scene, shown their first `count` pictures; likeness to the person that `whose` names. */
  const measured = async (
    adapter: string,
    scale: number,
    count: number,
    whose = (person: number): number => person,
  ): Promise<Likeness> => {
    const identities: number[] = [];
    let missed = 0;
    for (const person of PEOPLE) {
      for (const seed of SEEDS) {
        const images = Array.from({ length: count }, (_, i) => photo(person, i + 1));
        const identity = await drawn(person, seed, { adapter, images, scale });
        if (!identity) missed += 1;
        identities.push(identity ? cosine(identity, known[whose(person) - 1]!.identity) : 0);
      }
    }
    const mean = identities.reduce((sum, v) => sum + v, 0) / identities.length;
    return { mean, worst: Math.min(...identities), missed };
  };

  const means = new Map<string, number>(); // by row and scale
  const lines: string[] = [];
  for (const { row, name, scales, pictures } of ROWS) {
    for (const scale of scales) {
      t.test(`${row} at ${scale} is as like as in the reference implementation`, async (test) => {
        const found = await measured(name, scale, pictures);
        means.set(`${row} ${scale}`, found.mean);
        const line = shown(row, scale, found);
        lines.push(line);
        const expected = table.get(row)?.means[SCALES.indexOf(scale)] ?? Number.NaN;
        test.ok(Math.abs(found.mean - expected) <= TOLERANCE, line);
      });
    }
  }

  t.test('faceid-plusv2 is the more like the greater its scale', async (test) => {
    const rising = SCALES.map((scale) => means.get(`faceid-plusv2 ${scale}`)!);
    for (const [i, mean] of rising.slice(1).entries()) test.ok(mean > rising[i]!, `${SCALES[i]} to ${SCALES[i + 1]}`);
  });

  t.test('faceid-plusv2 does not look like another person', async (test) => {
    const { mean } = await measured('faceid-plusv2', 1, 1, (person) => (person % PEOPLE.length) + 1);
    lines.push(`faceid-plusv2 at 1 against the next person's reference: ${mean.toFixed(3)} (at most ${STRANGER})`);
    test.ok(mean <= STRANGER, mean.toFixed(3));
  });

  t.test('faceid-portrait gains by more pictures of a person', async (test) => {
    const [three, one] = [3, 1].map((count) => means.get(`${portraitRow(count)} 1`)!);
    const line = `faceid-portrait at 1: three references ${three!.toFixed(3)}, one ${one!.toFixed(3)}`;
    lines.push(line);
    test.ok(three! >= one! + GAIN, line);
  });

  t.test('half of each of two people is nearer to both than they are to each other', async (test) => {
    let [toFirst, toSecond, apart, held] = [0, 0, 0, 0]; // sums over pairs
    const pairs = PEOPLE.flatMap((a) => PEOPLE.filter((b) => b > a).map((b) => [a, b] as const));
    for (const [a, b] of pairs) {
      const [first, second] = [known[a - 1]!.identity, known[b - 1]!.identity];
      const images = [photo(a), photo(b)];
      const identity = await drawn(a, SEEDS[0]!, { adapter: 'faceid', images, weights: [0.5, 0.5], outliers: 'off' });
      const [one, other] = [first, second].map((it) => (identity ? cosine(identity, it) : 0));
      const between = cosine(first, second);
      toFirst += one! / pairs.length;
      toSecond += other! / pairs.length;
      apart += between / pairs.length;
      if (one! > between && other! > between) held += 1;
    }
    const line =
      `faceid, half of each of two people: ${toFirst.toFixed(3)} to the first, ${toSecond.toFixed(3)} to the second; ` +
      `they to each other ${apart.toFixed(3)}; so in ${held} of ${pairs.length} pairs`;
    lines.push(line);
    test.ok(Math.min(toFirst, toSecond) >= apart + BLENDED, line);
    test.ok(held > pairs.length / 2, 'in most pairs');
  });

  t.test('the table', async (test) => {
    test.comment(
      `identity: mean, worst, missed faces; in brackets what models/sketch/README.md says\n${lines.join('\n')}`,
    );
  });
};
