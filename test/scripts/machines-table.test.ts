// The table of machines: README.md shows docs/machines.json, which knows the machines that are built for, and keeps what
// tests tell it in order.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { MACHINES } from '../../scripts/cross/machines.mjs';
import { root } from '../../scripts/cross/package.mjs';
import { merged, type Row, readMachines, recordTested, type Tested } from '../../scripts/cross/tested.mjs';
import { machinesTable, withMachines } from '../../scripts/machines-table.mjs';

const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** What a target of the cross compiler says of the system; musl and Windows say no version. */
const promised = (target: string): string => {
  const [, glibc, macos] = /-gnu\.([\d.]+)$|-macos\.([\d.]+)$/.exec(target) ?? [];
  if (glibc) return `glibc ${glibc}`;
  if (macos) return `macOS ${macos}`;
  return target.includes('musl') ? 'musl 1.2.4' : 'Windows 10';
};

t.test('README.md shows what docs/machines.json says', async (test) => {
  const readme = read('README.md');
  test.equal(withMachines(readme, readMachines()), readme, 'node scripts/machines-table.mjs makes it anew');
  test.not(withMachines(readme, readMachines().slice(1)), readme, 'a row less is seen');
  test.throws(() => withMachines('no marks', []), /README\.md has no/);
});

t.test('docs/machines.json has the machines that are built for', async (test) => {
  const rows = readMachines();
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
  test.same(
    rows.map(({ name, needs, node }) => ({ name, needs, node })),
    MACHINES.map(({ name, target }) => ({ name, needs: promised(target), node: engines.node })),
  );
  for (const { name, tested } of rows) {
    const again = tested.reduce((all, row) => merged(all, row), [] as Tested[]);
    test.same(again, tested, `${name}: in order, nothing twice, nothing unknown`);
  }
});

t.test('what comes takes the place of its like', async (test) => {
  const one: Tested = { how: 'itself', what: 'doctor', node: '22.1.0' };
  test.same(merged([one], { ...one, node: 'v22.2.0' }), [{ ...one, node: '22.2.0' }]);
  test.same(merged([{ ...one, node: '24.0.0' }], one), [one, { ...one, node: '24.0.0' }], 'by versions of Node');
  test.same(
    merged([one], { how: 'itself', what: 'native tests' }).map(({ what }) => what),
    ['native tests', 'doctor'],
  );
  const linked: Tested = { how: 'not run', what: 'linked' };
  const looked: Tested = { how: 'not run', what: 'linked, imports and signature checked' };
  test.same(merged([linked], looked), [looked]);
  test.same(merged([looked], one), [one], 'something was run');
  test.same(merged([one], looked), [one]);
  test.throws(() => merged([], { how: 'by faith', what: 'doctor' } as never), /how "by faith" is not one of itself, /);
  test.throws(() => merged([], { how: 'itself', what: 'all' } as never), /what "all" is not one of native tests, /);
});

t.test('the words of a row', async (test) => {
  const row = (tested: Tested[]): Row => ({ name: 'a', needs: 'b', node: 'c || d', tested });
  const [, , all, none] = machinesTable([
    row([
      { how: 'itself', what: 'native tests' },
      { how: 'itself', what: 'doctor', node: '20.1.0' },
      { how: 'itself', what: 'doctor', node: '22.1.0' },
      { how: 'itself', what: 'portrait', node: '20.1.0' },
      { how: 'itself', what: 'portrait', node: '22.1.0' },
      { how: 'wine', what: 'doctor', node: '20.1.0' },
    ]),
    row([]),
  ]).split('\n');
  test.equal(
    all,
    '| `a` | b | `c \\|\\| d` | itself: native tests; doctor, portrait (Node 20.1.0, 22.1.0)<br>wine: doctor (Node 20.1.0) |',
  );
  test.match(none, '| nothing so far |');
});

t.test('a test tells what it saw, where that is asked for', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-machines-'));
  const { IPA_RECORD_MACHINES: before } = process.env;
  test.teardown(() => {
    rmSync(folder, { recursive: true });
    if (before === undefined) delete process.env.IPA_RECORD_MACHINES;
    else process.env.IPA_RECORD_MACHINES = before;
  });
  const file = join(folder, 'machines.json');
  writeFileSync(file, read('docs/machines.json'));
  const row: Tested = { how: 'itself', what: 'portrait', node: '99.0.0' };
  delete process.env.IPA_RECORD_MACHINES;
  recordTested('win32-x64', row, file);
  test.equal(readFileSync(file, 'utf8'), read('docs/machines.json'));
  process.env.IPA_RECORD_MACHINES = '1';
  recordTested('win32-x64', row, file);
  const changed = (name: string): boolean => {
    const [old, now] = [readMachines(), readMachines(file)].map((rows) => rows.find((one) => one.name === name));
    return JSON.stringify(old) !== JSON.stringify(now);
  };
  test.same(
    MACHINES.map(({ name }) => name).filter((name) => changed(name)),
    ['win32-x64'],
  );
  test.same(readMachines(file).find(({ name }) => name === 'win32-x64')?.tested[0], row);
  const once = readFileSync(file, 'utf8');
  recordTested('win32-x64', row, file);
  test.equal(readFileSync(file, 'utf8'), once, 'the same again changes nothing');
  test.same(readdirSync(folder), ['machines.json'], 'nothing is left beside it');
  test.throws(() => recordTested('vax', row, file), /no machine is called vax/);
});
