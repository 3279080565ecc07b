// node scripts/check-cuda.mjs [--fast]: builds every CUDA kernel for every architecture we ship an image or code for, and
// fails on warnings, stack frames, spills, registers above what the launch bounds leave, no launch bounds, or too large a
// library. --fast: one architecture. Where there is no nvcc it says so and is content.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARCHITECTURES, MOST_BYTES } from './cuda.mjs';
import { complaints, instructionComplaints, kernelsOf } from './ptxas.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const FAST = [80];
const AT_ONCE = 2;

const fast = process.argv.includes('--fast');
const places = ['nvcc', ...[process.env.CUDA_HOME, '/usr/local/cuda'].map((folder) => `${folder}/bin/nvcc`)];
const nvcc = places.find((place) => spawnSync(place, ['--version']).status === 0);
if (!nvcc) {
  console.log('cuda: no nvcc here, the kernels were not compiled for a card');
  process.exit(0);
}

const disassembler = nvcc.replace(/nvcc$/, 'cuobjdump');
const disassembles = spawnSync(disassembler, ['--version']).status === 0;
if (!disassembles) console.log('cuda: no cuobjdump here, instructions are looked at in the PTX alone');

/** @param {string} image */
const sassOf = (image) =>
  disassembles ? spawnSync(disassembler, ['-sass', image], { encoding: 'utf8', maxBuffer: 2 ** 28 }).stdout : undefined;

/** sm_75 has no bf16 products, and no instances of them; nor of what has no registers there. */
const fits = (file, architecture) => architecture >= 80 || !/_(?:bf16|ampere)\.cu$/u.test(file);

const kernels = readdirSync(path.join(root, 'native/cuda/kernels')).filter((name) => name.endsWith('.cu'));
const architectures = fast ? FAST : ARCHITECTURES;
const jobs = architectures.flatMap((architecture) => [
  ...kernels
    .filter((file) => fits(file, architecture))
    .map((file) => ({ architecture, file: `native/cuda/kernels/${file}`, flags: [], shipped: true })),
  {
    architecture,
    file: 'test/native/cuda/wrappers.cu', // every wrapper once
    flags: architecture < 80 ? ['-DIPA_WITHOUT_BF16'] : [],
    shipped: false,
  },
]);
// Asserts alone, alike for every architecture.
jobs.push({ architecture: 80, file: 'test/native/cuda/driver_header.cu', flags: [], shipped: false });

const scratch = mkdtempSync(path.join(tmpdir(), 'ipa-cuda-'));
const results = [];
let next = 0;

async function work() {
  while (next < jobs.length) {
    const number = next++;
    const { architecture, file, flags, shipped } = jobs[number];
    const keep = path.join(scratch, String(number));
    mkdirSync(keep);
    const image = path.join(keep, 'image.cubin');
    const args = ['-std=c++20', '-Inative', '-cubin', `-arch=sm_${architecture}`, '-Xptxas', '-v'];
    const warnings = ['-Werror', 'all-warnings', '--keep', '--keep-dir', keep];
    const started = Date.now();
    const { error, text } = await new Promise((resolve) =>
      execFile(
        nvcc,
        [...args, ...warnings, ...flags, file, '-o', image],
        { cwd: root, timeout: 600_000, maxBuffer: 2 ** 26 },
        (failure, stdout, stderr) => resolve({ error: failure, text: `${stdout}${stderr}` }),
      ),
    );
    const ptx = error ? '' : readFileSync(path.join(keep, `${path.basename(file, '.cu')}.ptx`), 'utf8');
    const asserts = file.endsWith('driver_header.cu');
    results.push({
      architecture,
      file,
      shipped,
      seconds: (Date.now() - started) / 1000,
      bytes: error ? 0 : statSync(image).size,
      kernels: kernelsOf(text),
      found: error
        ? [text.trim().slice(0, 4000)]
        : asserts
          ? []
          : [...complaints(text, ptx), ...instructionComplaints(path.basename(file), architecture, ptx, sassOf(image))],
    });
    for (const made of readdirSync(keep)) if (path.join(keep, made) !== image) rmSync(path.join(keep, made));
  }
}

/** Bytes of the images as the library has them: one compressed file per source. */
function packed() {
  const tool = nvcc.replace(/nvcc$/, 'fatbinary');
  let sum = 0;
  for (const file of kernels) {
    const images = jobs.flatMap((job, i) =>
      path.basename(job.file) === file
        ? [`--image3=kind=elf,sm=${job.architecture},file=${path.join(scratch, String(i), 'image.cubin')}`]
        : [],
    );
    const fatbin = path.join(scratch, `${file}.fatbin`);
    const { status, stderr } = spawnSync(tool, [`--create=${fatbin}`, '-64', '--compress-mode=size', ...images]);
    if (status !== 0) throw new Error(`${tool}: ${stderr}`);
    sum += statSync(fatbin).size;
  }
  return sum;
}

const started = Date.now();
let bytes = 0;
try {
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (!results.some(({ bytes: made }) => made === 0)) bytes = packed();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

let wrong = 0;
for (const architecture of architectures) {
  const its = results.filter((result) => result.architecture === architecture);
  const shipped = its.filter((result) => result.shipped);
  const all = shipped.flatMap((result) => result.kernels);
  const size = shipped.reduce((sum, result) => sum + result.bytes, 0);
  const seconds = its.reduce((sum, result) => sum + result.seconds, 0);
  const most = all.reduce((left, right) => (right.registers > left.registers ? right : left), {
    registers: 0,
    name: '',
  });
  const what = `${all.length} kernels, ${(size / 1e6).toFixed(2)} MB, at most ${most.registers} registers (${most.name})`;
  console.log(`sm_${architecture}: ${what}, ${seconds.toFixed(0)} s of nvcc`);
}
for (const { architecture, file, found } of results)
  for (const text of found) {
    wrong += 1;
    console.log(`sm_${architecture} ${file}: ${text}`);
  }
if (bytes > MOST_BYTES) {
  wrong += 1;
  console.log(`all images together are ${bytes} bytes compressed, more than ${MOST_BYTES}`);
}
const seconds = ((Date.now() - started) / 1000).toFixed(0);
console.log(
  `cuda: ${results.length} compilations, ${(bytes / 1e6).toFixed(2)} MB compressed, ${wrong} complaints, ${seconds} s`,
);
process.exitCode = wrong > 0 ? 1 : 0;
