// Every way in which the addon is not to be had, from made-up facts; and docs/install.md, which lists them.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { FAILURES, FILE_HINTS, loadError } from '../../../../lib/native/binary/load-error.js';
import { isOtherLibc } from '../../../../lib/native/binary/shipped.js';
import { CASES, found, local, machines, named, nothing, whole } from './made-facts.js';

const MOST = 600; // characters of message and hint together

for (const [what, facts, row, words] of CASES)
  t.test(what, async (test) => {
    const error = loadError(facts, new Error('the cause'));
    const failure = FAILURES.find(({ id }) => id === row);
    test.equal(error.details.failure, row, error.message);
    test.equal(error.code, failure?.code);
    test.equal(error.name, 'BinaryError');
    for (const word of words) test.ok(error.message.includes(word), `${word}: ${error.message}`);
    const { platform, arch, libc = '', libcVersion } = facts.machine;
    const machine = `${platform}-${arch}${libc && `, ${libc}`}${libcVersion ? ` ${libcVersion}` : ''}`;
    test.ok(error.message.includes(`(${machine})`), `the machine: ${error.message}`);
    test.equal(error.hint, (failure?.isOfFile && FILE_HINTS[facts.source]) || failure?.hint, 'whole');
    test.ok(error.message.length + error.hint.length <= MOST && !/…/.test(error.message), `whole: ${error.message}`);
    test.match(error.details, { platform, arch, tried: facts.tried, prebuilds: facts.carried });
    if (failure?.tellsPlaces)
      for (const place of facts.tried)
        test.ok(error.message.includes(place.slice(facts.root.length + 1)), `it looked at ${place}: ${error.message}`);
    test.match(error.cause, { message: 'the cause' });
  });

t.test('every row has its case, and a name of its own', async (test) => {
  const rows = FAILURES.map(({ id }) => id);
  test.same(new Set(CASES.map(([, , row]) => row)), new Set(rows));
  test.equal(new Set(rows).size, rows.length);
});

t.test('who named the file says which hint', async (test) => {
  const wrong = { version: '0.0.9' };
  test.match(loadError(named(machines.linux, wrong)), { message: /^IPA_BINARY names /, hint: /IPA_BINARY/ });
  test.match(loadError(local(machines.linux, wrong)).hint, /npx node-ip-adapter build, or remove it/);
  test.match(loadError(found(machines.linux, wrong)).hint, /npm ci/);
  const noexec = { reason: 'failed to map segment from shared object: Operation not permitted' };
  test.match(loadError(named(machines.linux, noexec)), { message: /^IPA_BINARY names /, hint: /remount,exec/ });
  test.notMatch(loadError(local(machines.linux, { ...wrong, carried: [] })).message, /stands behind/);
});

t.test('a path from outside cannot write over the terminal', async (test) => {
  const { message } = loadError(named(machines.linux, { path: '/x\u001b[2J.node', file: { state: 'absent' } }));
  test.ok(message.includes('\\u001B') && !message.includes('\u001b'), message);
});

t.test('a file for the other libc is not tried', async (test) => {
  const [glibc, musl] = ['/p/node-ip-adapter.glibc.node', '/p/node-ip-adapter.musl.node'];
  test.ok(isOtherLibc(glibc, machines.alpine) && isOtherLibc(musl, machines.linux));
  test.notOk(isOtherLibc(musl, machines.alpine) || isOtherLibc(glibc, machines.linux));
  test.notOk(isOtherLibc('/p/node_ip_adapter.node', machines.alpine), 'one without a name for it');
  test.notOk(isOtherLibc(glibc, { ...machines.linux, libc: undefined as never }), 'where it is not known');
});

t.test('a whole package and no file is never called whole', async (test) => {
  for (const machine of Object.values(machines)) {
    const { message } = loadError(nothing(machine, whole));
    test.ok(message.length > 0 && !message.includes('undefined'), message);
  }
});

t.test('docs/install.md lists every row with its hint', async (test) => {
  const page = readFileSync(new URL('../../../../docs/install.md', import.meta.url), 'utf8');
  const lines = page.split('\n').filter((line) => line.startsWith('|'));
  for (const { id, code, hint } of FAILURES) {
    const line = lines.find((text) => text.includes(`\`${id}\``));
    test.ok(line?.includes(`\`${code}\``), `${id} has its line, with ${code}`);
    test.ok(line?.includes(hint), `${id}: ${hint}`);
  }
  for (const hint of Object.values(FILE_HINTS)) test.ok(page.includes(hint), hint);
  const told = lines.map((line) => /^\| `([\w+-]+)` \|/.exec(line)?.[1]).filter((id) => id && id !== 'failure');
  test.same(told.sort(), FAILURES.map(({ id }) => id).sort(), 'and no other');
});
