// npm run lint: format and lint rules of biome, clang-format, the types of the library and of the tests, the workflows of
// releases. All of them run whatever the earlier ones say; the failed ones are named at the end.
import { biome, clangFormat, runsScript } from './style.mjs';
import { workflows } from './workflows.mjs';

const checks = [
  ['biome', () => biome()],
  ['clang-format', () => clangFormat()],
  ['types of lib', () => runsScript('typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json'])],
  ['types of test', () => runsScript('typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.test.json'])],
  ['workflows', workflows],
];

const failures = [];
for (const [name, passes] of checks) if (!(await passes())) failures.push(name);
if (failures.length > 0) {
  process.stderr.write(`lint failed: ${failures.join(', ')} (npm run format mends what is only layout)\n`);
  process.exitCode = 1;
} else {
  process.stderr.write('lint: nothing to complain about\n');
}
