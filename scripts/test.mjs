// npm test: builds what is out of date, runs the native test program and the TypeScript tests, and ends with one line
// `N passed, N failed, N skipped`. `npm test -- WORD` runs the native tests and the test files whose name has WORD.
// `npm run test:full` (--full) runs what takes 16 GB and many minutes instead: test/full.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ensureBuilt, products, root } from './ensure-built.mjs';
import { failed, nativeTotals, remarks, sum, tapTotals, totalsLine } from './test-totals.mjs';

const isFull = process.argv.includes('--full');
const filter = process.argv.slice(2).find((argument) => argument !== '--full') ?? '';
const ending = isFull ? '.full.ts' : '.test.ts';

// The tests need no card; one that this machine has would draw other bytes than the CPU.
const env = { ...process.env, IPA_DEVICE: process.env.IPA_DEVICE || 'cpu' };

/** Runs a program with its output passed through and kept. */
function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    child.on('error', (error) => resolve({ output, end: error.message }));
    child.on('close', (status, signal) => resolve({ output, status, end: signal ?? `exit code ${status}` }));
  });
}

/** What the runner counted, with its exit code believed over its counts. */
function judged(what, totals, { status, end }) {
  if (!totals) return failed(`${what} ended without totals (${end})`);
  return status === 0 || totals.failed > 0 ? totals : sum([totals, failed(`${what} ended with ${end}`)]);
}

async function nativeTests() {
  const result = await run(products.nativeTests, filter ? [filter] : []);
  return judged('the native test program', nativeTotals(result.output), result);
}

async function typescriptTests() {
  const files = readdirSync(path.join(root, 'test'), { recursive: true })
    .filter((file) => file.endsWith(ending) && file.includes(filter))
    .map((file) => path.posix.join('test', file.replaceAll(path.sep, '/')))
    .sort();
  if (files.length === 0) return filter ? sum([]) : failed(`no test/**/*${ending} found`);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'node-ip-adapter-test-'));
  try {
    const tapFile = path.join(folder, 'output.tap');
    const tap = path.join(root, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs');
    const alone = isFull ? ['--jobs=1', '--timeout=3600'] : [];
    const args = [tap, `--output-file=${tapFile}`, '--reporter=min', ...alone, ...files];
    const result = await run(process.execPath, args);
    const report = readFileSync(tapFile, 'utf8');
    for (const line of remarks(report)) console.log(line);
    return judged('tap', tapTotals(report), result);
  } catch (error) {
    return failed(`tap wrote no results: ${error.message}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await ensureBuilt({ nativeTests: true, golden: true, machines: !isFull && 'test/machines/'.includes(filter) });
let totals = sum([...(isFull ? [] : [await nativeTests()]), await typescriptTests()]);
if (totals.passed + totals.failed + totals.skipped === 0) totals = failed(`no test matches "${filter}"`);
if (totals.failures.length > 0) console.log(`\nfailed:\n${totals.failures.map((name) => `  ${name}`).join('\n')}`);
console.log(`\n${totalsLine(totals)}`);
process.exitCode = totals.failed > 0 ? 1 : 0;
