// npm run bench [-- --level LEVEL] [--only NAME,NAME…] [--repetitions N] [--threads N] [--json FILE]
//               [--against onnxruntime | cross | PROGRAM]
// Builds the bench and prints one table: what this CPU can do, then kernels and whole networks as shares of it.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = path.join(root, 'build-cmake/Release', process.platform === 'win32' ? 'ipa_bench.exe' : 'ipa_bench');

let options;
try {
  options = parseArgs({
    options: {
      level: { type: 'string' },
      only: { type: 'string' },
      repetitions: { type: 'string' },
      threads: { type: 'string' },
      json: { type: 'string' },
      against: { type: 'string' },
    },
  }).values;
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const build = spawnSync(process.execPath, [path.join(root, 'scripts/build-native.cjs'), '--target', 'ipa_bench'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (build.status !== 0) process.exit(1);

if (options.against === 'onnxruntime') {
  const { compare } = await import('../bench/against.mjs');
  process.exit(await compare(program, options));
}
if (options.against !== undefined) {
  const { comparePrograms } = await import('../bench/against-bench.mjs');
  process.exit(await comparePrograms(program, options));
}

const passedOn = ['level', 'only', 'repetitions', 'threads'].flatMap((name) =>
  options[name] === undefined ? [] : [`--${name}`, options[name]],
);
const child = spawn(program, passedOn, { stdio: ['ignore', 'pipe', 'inherit'] });
const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));

/** The CPU's model number, which its name may leave out; Linux alone tells it. */
const modelNumber = () => {
  try {
    return Number(/^model\s*: (\d+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
};

const result = {
  machine: { cpu: os.cpus()[0]?.model ?? 'unknown', model: modelNumber(), memory: os.totalmem() },
  level: '',
  peaks: {},
  rows: [],
};
const cell = (value, digits) => (value ? value.toFixed(digits) : '-');
const megabytes = (bytes) => (bytes ? (bytes / 2 ** 20).toFixed(0) : '-');
const print = (name, ...cells) => console.log(name.padEnd(34) + cells.map((text) => text.padStart(12)).join(''));
let headed = false;
for await (const line of createInterface({ input: child.stdout })) {
  const row = JSON.parse(line);
  if (row.level !== undefined) {
    result.level = row.level;
    result.machine.threads = row.threads;
    console.log(`${result.machine.cpu}, ${row.threads} threads, level ${row.level}`);
  } else if (row.peak !== undefined) {
    result.peaks[row.peak] = row.gflop ?? row.gbyte;
    console.log(`  peak ${row.peak}: ${row.gflop === undefined ? `${row.gbyte} GB/s` : `${row.gflop} GFLOP/s`}`);
  } else {
    if (!headed) print('', 'ms', 'GFLOP/s', 'GB/s', 'of peak', 'error', 'MiB planned', 'MiB peak');
    headed = true;
    print(
      row.name,
      cell(row.seconds * 1000, 2),
      cell(row.gflop, 1),
      cell(row.gbyte, 2),
      row.ratio ? `${row.ratio.toFixed(2)}x` : cell(row.fraction, 3),
      row.error ? row.error.toExponential(1) : '-',
      megabytes(row.bytesPlanned),
      megabytes(row.bytesPeak),
    );
    const { gbyte, ratio, ...always } = row;
    result.rows.push({ ...always, ...(gbyte && { gbyte }), ...(ratio && { ratio }) });
  }
}
const end = await ended;
for (const unit of ['f32 512', 'vdpbf16ps', 'amx bf16'])
  if (!(unit in result.peaks)) console.log(`${unit}: not measured, this CPU does not have it`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`);
process.exit(end === 0 ? 0 : 1);
