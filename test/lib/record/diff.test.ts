// Each option of the table is in the record, and changing it alone makes the comparison name it and nothing else.
import t from 'tap';
import type { RunRecord } from '../../../lib/images/metadata.js';
import { type Group, type Row, recordedOf } from '../../../lib/options/row.js';
import { TABLE } from '../../../lib/options/table/index.js';
import { diffRecords } from '../../../lib/record/diff.js';

/** Two values of an option, as records have them. */
const valuesOf = (name: string, row: Row): readonly [unknown, unknown] => {
  if (name === 'seed') return ['1', '18446744073709551615'];
  if (row.type === 'choice') return [row.names![0], row.names!.length > 1 ? row.names!.at(-1) : 'one that came later'];
  if (row.type === 'whole' || row.type === 'number') return row.range ?? [1, 2];
  if (row.type === 'flag') return [false, true];
  if (name === 'images' || name === 'weights') return [['ab'], ['ab', 'cd']];
  if (name === 'scale') return [0.7, { mid: 1 }];
  if (name === 'clipSkip')
    return [
      [0, 0],
      [1, 0],
    ];
  if (name === 'size') return [{ width: 64 }, { width: 128 }];
  return ['one', 'another'];
};

const madeOf = (it: Group): Record<string, unknown> =>
  recordedOf(it, Object.fromEntries(Object.entries(it.rows).map(([name, row]) => [name, valuesOf(name, row)[0]])));

/** Groups whose options stand in the record, and where. */
const PLACES = {
  generate: '',
  reference: 'references[0]',
  control: 'controls[0]',
  init: 'init',
  hires: 'hires',
  reuse: 'reuse',
  freeU: 'freeU',
} as const;
type Place = keyof typeof PLACES;
const NESTED: readonly string[] = ['references', 'controls', 'init', 'hires', 'reuse', 'freeU'];

const groupOf = (place: Place): Group => TABLE[place];

const record = (change: { readonly place?: Place; readonly fields?: object } = {}): RunRecord => {
  const of = (place: Place): object => ({ ...madeOf(groupOf(place)), ...(change.place === place && change.fields) });
  return {
    version: 1,
    package: 'node-ip-adapter 0.0.0',
    ...madeOf(TABLE.generate),
    device: 'cpu',
    dtype: 'f32',
    model: { name: 'm', family: 'sd15', sha256: 'aa' },
    loras: [{ name: 'ink', scale: 1, textScale: 1, sha256: 'cc' }],
    references: [{ variant: 'plus', ...of('reference'), sha256: { adapter: 'bb' } }],
    controls: [{ kind: 'controlnet', ...of('control') }],
    init: of('init'),
    hires: of('hires'),
    reuse: of('reuse'),
    freeU: of('freeU'),
    ...(change.place === 'generate' && change.fields),
  } as unknown as RunRecord;
};

/** Options that the record has in another form, or that change no picture. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'generate.count': 'every picture has a record with its own seed',
  'generate.metadata': 'says whether there is a record',
  'generate.loras': 'as `loras`, together with those of the prompt',
  'generate.preview': 'changes no picture',
  'generate.faces': 'as references with `region`',
  'generate.signal': 'changes no picture',
  'generate.onProgress': 'changes no picture',
  'reference.image': 'as `images`',
};

t.test('every option of a run is in its record', async (test) => {
  for (const place of Object.keys(PLACES) as Place[])
    for (const [name, row] of Object.entries(groupOf(place).rows)) {
      const isElsewhere = Object.hasOwn(ELSEWHERE, `${place}.${name}`);
      test.not(row.record === true, isElsewhere, `${place}.${name} is in the record, or is said to be elsewhere`);
    }
});

t.test('an option changed alone is named, and nothing else', async (test) => {
  const before = record();
  test.same(diffRecords(before, record()), { changes: [], several: false });
  let tried = 0;
  for (const place of Object.keys(PLACES) as Place[])
    for (const [name, row] of Object.entries(groupOf(place).rows)) {
      if (!row.record || NESTED.includes(name)) continue;
      const [a, b] = valuesOf(name, row);
      const option = [PLACES[place], name].filter(Boolean).join('.');
      const { changes, several } = diffRecords(before, record({ place, fields: { [name]: b } }));
      test.same(changes, [{ option, a, b }]);
      test.equal(several, false);
      const gone = diffRecords(before, record({ place, fields: { [name]: undefined } }));
      test.same(gone.changes, [{ option, a, b: undefined }], `${option} left out`);
      tried += 1;
    }
  test.ok(tried > 50, `${tried} options`);
});

t.test('what follows from a change is not one more', async (test) => {
  const before = record();
  const [first] = before.references;
  const other = { ...first!, adapter: 'other', variant: 'faceid', sha256: { adapter: 'dd' } };
  const { changes, several } = diffRecords(before, { ...before, references: [other] } as RunRecord);
  test.same(changes, [{ option: 'references[0].adapter', a: first!.adapter, b: 'other' }]);
  test.equal(several, false);
  const again = { ...before, references: [{ ...first!, sha256: { adapter: 'dd' } }] } as RunRecord;
  test.match(diffRecords(before, again).changes, [{ option: 'references[0].sha256' }], 'the same name, another file');
});

t.test('several changes are said to be several; lists are compared entry by entry', async (test) => {
  const before = record();
  const two = { ...before, steps: 3, loras: [] } as RunRecord;
  const { changes, several } = diffRecords(before, two);
  test.same(
    changes.map(({ option }) => option),
    ['steps', 'loras[0]'],
  );
  test.equal(several, true);
  const written = { ...before, package: 'node-ip-adapter 9.9.9', truncated: true as const };
  test.same(diffRecords(before, written).changes, [], 'of the record, not of the picture');
});
