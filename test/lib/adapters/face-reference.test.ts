// `faces` is short for references: what each entry becomes, what is refused, and how the command line says it.
import { Option } from 'commander';
import t from 'tap';
import type { ReferenceSettings } from '../../../lib/adapters/reference.js';
import { flagsOf } from '../../../lib/cli/flags.js';
import { ReferenceList } from '../../../lib/cli/references.js';
import type { ModelDefaults } from '../../../lib/models/options.js';
import { FACE_REFERENCE } from '../../../lib/options/table/faces.js';
import { runSettings } from '../../../lib/run/options.js';

const defaults: ModelDefaults = {
  width: 64,
  height: 128,
  steps: 30,
  guidanceScale: 7.5,
  sampler: 'pndm',
  schedule: undefined,
  scale: 0.8,
};
const image = { data: new Uint8Array(16 * 16 * 3), width: 16, height: 16, channels: 3 } as const;
const referencesOf = (options: object): readonly ReferenceSettings[] =>
  runSettings({ prompt: 'two people', ...options }, defaults).references;
const faceOf = (face: object): ReferenceSettings => referencesOf({ faces: [{ image, ...face }] })[0]!;

/** What a mask of a box has of white: columns and rows from the first to beyond the last. */
const extent = ({ mask }: ReferenceSettings): readonly number[] => {
  if (mask?.kind !== 'raw') throw new Error('no pixels');
  const { data, width } = mask;
  const at = [...data.keys()].filter((i) => data[i] === 255);
  const [columns, rows] = [at.map((i) => i % width), at.map((i) => Math.floor(i / width))];
  const found = [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
  const area = (found[2]! - found[0]!) * (found[3]! - found[1]!);
  t.equal(at.length, area, 'a box, and black around it');
  return found;
};

t.test('a box becomes a mask of the picture’s size', async (test) => {
  test.same(extent(faceOf({ region: [0, 0, 0.5, 1] })), [0, 0, 32, 128]);
  test.same(extent(faceOf({ region: [0.25, 0.5, 0.75, 0.5] })), [16, 64, 64, 128]);
  test.same(extent(faceOf({ region: [0, 0, 1, 1] })), [0, 0, 64, 128]);
  const wide = referencesOf({ width: 256, height: 64, faces: [{ image, region: [0.5, 0, 0.5, 1] }] })[0]!;
  test.same(extent(wide), [128, 0, 256, 64], 'of the run, not of the model');
  const thirds = [0, 1, 2].map((i) => extent(faceOf({ region: [i / 3, 0, 1 / 3, 1] })));
  test.same(
    thirds.map(([from, , to]) => [from, to]),
    [
      [0, 21],
      [21, 43],
      [43, 64],
    ],
    'neighbours touch and do not overlap',
  );
});

t.test('an entry is a reference, after the others', async (test) => {
  const given = {
    references: [{ image }],
    faces: [{ image, region: image, scale: 0.5, adapter: 'faceid' }, { image }],
  };
  const [first, masked, whole] = referencesOf(given);
  test.equal(first!.option, 'references[0]');
  test.match(masked, { option: 'faces[0]', scale: 0.5, adapter: 'faceid', mask: { option: 'faces[0].region' } });
  test.match(whole, { option: 'faces[1]', scale: 0.8, adapter: undefined, mask: undefined });
  test.same(referencesOf({ faces: [] }), []);
});

t.test('what is no region is refused by name', async (test) => {
  const refused = (face: object): object => {
    try {
      faceOf(face);
    } catch (error) {
      return error as object;
    }
    return { code: 'none' };
  };
  for (const region of [[0, 0, 1], ['0', 0, 1, 1], [0, 0, [1], 1], 7, {}])
    test.match(refused({ region }), { code: 'OPTION_TYPE', message: /faces\[0\]\.region/ }, JSON.stringify(region));
  for (const region of [
    [0, 0, 64, 128],
    [-0.1, 0, 0.5, 1],
    [0.6, 0, 0.5, 1],
    [0, 0, 0, 1],
    [0, 0, Number.NaN, 1],
    [0.5, 0.5, 0.001, 0.001],
  ])
    test.match(refused({ region }), { code: 'OPTION_RANGE', message: /faces\[0\]\.region/ }, JSON.stringify(region));
  test.match(refused({ region: [0, 0, 64, 128] }), { hint: /fractions, not pixels/ });
  test.match(refused({ regions: [] }), { code: 'OPTION_UNKNOWN', hint: /region/ });
  test.match(refused({ image: 5 }), { code: 'OPTION_TYPE', message: /faces\[0\]\.image/ });
  test.throws(() => referencesOf({ references: new Array(9).fill({ image }), faces: new Array(8).fill({ image }) }), {
    code: 'OPTION_RANGE',
    message: /faces/,
  });
});

t.test('--face and --region', async (test) => {
  const list = new ReferenceList();
  const options = new Map(flagsOf(FACE_REFERENCE).map(({ option, names }) => [names[0]!, option]));
  for (const [name, option] of options) list.collect(option, name, 'face');
  const reference = new Option('--reference <file>');
  list.collect(reference, 'image', 'reference');
  const say = (option: Option, text: string): void => void option.parseArg!(text, undefined);
  say(reference, 'style.png');
  say(options.get('image')!, 'her.png');
  say(options.get('region')!, '0, 0, 0.5, 1');
  say(options.get('image')!, 'him.png');
  say(options.get('region')!, 'right.png');
  say(options.get('image')!, 'they.png');
  test.same(list.grouped(), [
    { kind: 'reference', images: ['style.png'], flags: {} },
    { kind: 'face', images: ['her.png'], flags: { region: [0, 0, 0.5, 1] } },
    { kind: 'face', images: ['him.png'], flags: { region: 'right.png' } },
    { kind: 'face', images: ['they.png'], flags: {} },
  ]);
});
