// Every option is described once. The table is whole, the library reads every row, and what documentation, the command line
// and the run record say is what the table says; planted defects are seen.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { generateCommand } from '../../../lib/cli/generate.js';
import { type Group, group, type Row } from '../../../lib/options/row.js';
import { TABLE } from '../../../lib/options/table/index.js';
import { commentsOf, defectsOf, flagsWithoutRow, namesRead } from './table-defects.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const source = (file: string): string => readFileSync(join(root, 'lib', file), 'utf8');
const readers = new Map<string, ReadonlySet<string>>();
const read = (room: string): ReadonlySet<string> => {
  const known = readers.get(room);
  if (known) return known;
  const files = readdirSync(join(root, 'lib', room)).filter((file) => file.endsWith('.ts'));
  const names = new Set(files.flatMap((file) => [...namesRead(file, source(`${room}/${file}`))]));
  readers.set(room, names);
  return names;
};
const groups = Object.values(TABLE) as readonly Group[];

t.test('the table is whole, its rows are read and documented as they are', async (test) => {
  for (const [name, it] of Object.entries(TABLE) as [string, Group][]) test.same(defectsOf(it, source, read), [], name);
});

t.test('planted defects are seen', async (test) => {
  const row: Row = {
    type: 'whole',
    range: [1, 4],
    unit: 'steps',
    default: 1,
    flag: { none: 'x' },
    acts: 'run',
    says: 'X',
  };
  const planted = (name: string, changed: Partial<Record<keyof Row, unknown>>): string[] =>
    defectsOf(
      group({ call: 'x', rooms: ['run'], rows: { [name]: { ...row, ...changed } as Row }, later: [] }),
      source,
      read,
    );
  test.same(planted('steps', {}), [], 'the row itself is fine');
  test.same(planted('steps', { range: undefined }), ['steps has no range']);
  test.same(planted('steps', { unit: undefined }), ['steps has no unit']);
  test.same(planted('steps', { flag: undefined }), ['steps has no flag']);
  test.same(planted('steps', { acts: undefined }), ['steps does not say what it acts on']);
  test.same(planted('steps', { says: undefined }), ['steps has no sentence, or one with a full stop']);
  test.same(planted('steps', { default: undefined }), ['steps has no default']);
  test.same(planted('sampler', { type: 'choice' }), ['sampler has no names']);
  test.same(planted('swirl', {}), ['swirl is read by nothing']);
  const { documented } = TABLE.generate;
  const documentedAs = (rows: Record<string, Row>): string[] =>
    defectsOf({ call: 'x', documented, rooms: ['run'], rows, later: [] }, source, read);
  const { steps, ...others } = TABLE.generate.rows as Readonly<Record<string, Row>>;
  test.same(documentedAs(others), ['steps has no row']);
  test.same(documentedAs({ ...others, steps: { ...steps!, range: [1, 2000] } }), ['steps: its comment lacks 1…2,000']);
  test.same(documentedAs({ ...others, steps: { ...steps!, default: 40 } }), ['steps: its comment lacks "Default 40"']);
  test.same(documentedAs({ ...others, steps: steps!, seeds: row }), ['seeds is not in GenerateOptions']);
});

t.test('every flag of the command line has its row, and every row with a flag is on the command line', async (test) => {
  const flags = generateCommand().options.map((option) => option.flags);
  test.same(flagsWithoutRow(flags, groups), []);
  test.same(flagsWithoutRow([...flags, '--swirl <n>'], groups), ['--swirl <n>'], 'a flag without row is seen');
  const wanted = groups.flatMap(({ rows }) => Object.values(rows).map(({ flag }) => flag));
  for (const flag of wanted) if (typeof flag === 'string') test.ok(flags.includes(flag), flag);
});

t.test('the run record has the fields that the table says, and facts beside them', async (test) => {
  const recorded = (it: Group): string[] =>
    Object.entries(it.rows).flatMap(([name, { record }]) => (record ? [name] : []));
  const fields = commentsOf('images/metadata.ts', source('images/metadata.ts'), 'RunRecord');
  const facts = [
    'version',
    'package',
    'batch',
    'device',
    'dtype',
    'model',
    'imageBackground',
    'vaeTiling',
    'loras',
    'textEmbeddings',
    'truncated',
  ];
  test.same([...fields.keys()].sort(), [...recorded(TABLE.generate), ...facts].sort());
  const reference = /\n {2}readonly references: readonly \{(.*?)\n {2}\}\[\]/s.exec(source('images/metadata.ts'))![1]!;
  const inner = [...reference.matchAll(/readonly (\w+)\??:/g)].map((match) => match[1]!);
  test.same(
    inner.sort(),
    [
      ...recorded(TABLE.reference),
      'variant',
      'adapterVersion',
      'used',
      'cropFace',
      'faceCrop',
      'sha256',
      'region',
      'givenWeights',
      'detSize',
      'detThreshold',
    ].sort(),
  );
});

t.test('README.md and docs/options.md have the tables', async (test) => {
  const script = new URL('../../../scripts/options.mjs', import.meta.url).href;
  const { withTables, allOptions } = (await import(script)) as {
    withTables: (readme: string, table?: object) => string;
    allOptions: () => string;
  };
  const hint = 'as `node scripts/options.mjs` writes it';
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  test.equal(withTables(readme), readme, hint);
  test.not(withTables(readme, { ...TABLE, reference: TABLE.load }), readme, 'another table is seen');
  test.equal(allOptions(), readFileSync(join(root, 'docs/options.md'), 'utf8'), hint);
});
