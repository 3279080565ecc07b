// npm run golden -- FOLDER [--level base,avx2] | --list
// Checks every golden case of a folder (test/golden/README.md) and ends with `N passed, N failed, N not yet`. Networks of
// true size (up to 11 GB) run on the fastest level for f32 and the fastest for bf16, or on those that are named.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './ensure-built.mjs';

const usage = (problem) => {
  console.error(`${problem}\nusage: npm run golden -- FOLDER [--level LEVEL]… | --list`);
  process.exit(1);
};

let given;
try {
  given = parseArgs({
    allowPositionals: true,
    options: { level: { type: 'string', multiple: true }, list: { type: 'boolean' } },
  });
} catch (error) {
  usage(error.message);
}
const { values, positionals } = given;

if (values.list) {
  const { kinds } = await import('../test/runner/kinds.mjs');
  for (const { kind, later } of kinds) console.log(later ? `${kind.padEnd(24)}not yet: ${later}` : kind);
  process.exit(0);
}
if (positionals.length !== 1) usage('Name one folder of golden cases.');

await ensureBuilt({ golden: true });
const { fastestOf, goldenResults, levelsHere } = await import('../test/runner/run.mjs');
// npm changes to the package's folder; the path is meant from where the user stood.
const folder = path.resolve(process.env.INIT_CWD ?? process.cwd(), positionals[0]);
const here = levelsHere();
const levels = values.level?.flatMap((list) => list.split(',')) ?? here.usual;
for (const level of levels)
  if (!here.all.includes(level))
    usage(`This CPU and build have no level "${level}"; they have ${here.all.join(', ')}.`);

const counts = { passed: 0, failed: 0, 'not yet': 0 };
const short = (value) => (value === null ? 'infinite' : value.toExponential(2));
for await (const result of goldenResults(folder, levels, {
  trueSize: values.level ? levels : fastestOf(levels),
})) {
  const { case: name, level, status, worst, limit, message } = result;
  counts[status === 'unknown kind' ? 'failed' : status] += 1;
  const measured =
    status === 'passed' ? `worst ${short(worst)} of ${short(limit)}${message && `, ${message}`}` : message;
  const numbers =
    status === 'failed' && limit !== null && limit !== 0 ? `worst ${short(worst)} of ${short(limit)}, ` : '';
  console.log(`${status.padEnd(8)} ${name}${level && ` on ${level}`}: ${numbers}${measured}`);
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts['not yet']} not yet`);
process.exitCode = counts.failed > 0 || counts.passed + counts['not yet'] === 0 ? 1 : 0;
