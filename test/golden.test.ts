// Every golden case of test/golden on every CPU level, one subtest each. A level that this CPU lacks, and that has no
// stand-in, is one named skip;
// cases of later work are listed and count as nothing.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { allLevels, goldenResults, levelsHere, type Result } from './runner/run.mjs';

const levels = levelsHere().usual;
for (const level of allLevels.filter((name) => !levels.some((here) => here.replace('-stand-in', '') === name)))
  t.test(`golden cases on ${level}`, { skip: 'this CPU has no such level' }, () => {});

const later: Result[] = [];
for await (const result of goldenResults(fileURLToPath(new URL('./golden', import.meta.url)), levels)) {
  if (result.status === 'not yet') {
    later.push(result);
    continue;
  }
  const { status, worst, limit, message } = result;
  await t.test(`${result.case}${result.level && ` on ${result.level}`}`, async (test) =>
    test.equal(status, 'passed', status === 'passed' ? message : `${message}, worst ${worst} of ${limit}`),
  );
}
const kinds = new Map<string, number>();
for (const { kind, message } of later) kinds.set(`${kind} (${message})`, (kinds.get(`${kind} (${message})`) ?? 0) + 1);
// scripts/test.mjs shows these before its closing line.
for (const [kind, count] of kinds) t.comment(`not yet: ${count} golden ${count === 1 ? 'case' : 'cases'} ${kind}`);
