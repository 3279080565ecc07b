// Looks at the object files of the per-level kernels. A function with vague linkage (inline, template) that is not in
// the level's own namespace may be the copy that the linker keeps for everybody, and then a CPU without that
// instruction set dies in it.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const objectsRoot = fileURLToPath(new URL('../build-cmake/CMakeFiles', import.meta.url));
const folders = existsSync(objectsRoot)
  ? readdirSync(objectsRoot).filter((name) => /^ipa_cpu_\w+\.dir$/.test(name))
  : [];

const complaints = [];
let objects = 0;
for (const folder of folders) {
  const level = folder.slice('ipa_cpu_'.length, -'.dir'.length);
  const where = path.join(objectsRoot, folder);
  for (const file of readdirSync(where, { recursive: true }).filter((name) => /\.o(bj)?$/.test(name))) {
    objects += 1;
    const nm = spawnSync('nm', ['-C', '--defined-only', path.join(where, file)], { encoding: 'utf8' });
    if (nm.status !== 0) throw new Error(`nm ${file}: ${nm.error?.message ?? nm.stderr}`);
    for (const line of nm.stdout.split('\n')) {
      const [, name] = /^\S* W (.*)$/.exec(line) ?? []; // W: a function of which the linker keeps one
      if (name && !name.includes(`ipa::cpu::${level}::`)) complaints.push(`${level}: ${path.basename(file)}: ${name}`);
    }
  }
}

// The base level asks nothing of the CPU, so its copies harm nobody.
const harmful = complaints.filter((text) => !text.startsWith('base:'));
for (const text of harmful) process.stderr.write(`${text}\n`);
if (objects === 0) process.stderr.write('no kernel objects in build-cmake: run npm run build first\n');
if (harmful.length > 0) {
  process.stderr.write('give these internal linkage or move them into ipa::cpu::IPA_ISA (CMakeLists.txt, Kernels)\n');
}
console.log(`kernels: ${objects} objects in ${folders.length} levels, ${harmful.length} shared functions`);
process.exitCode = objects === 0 || harmful.length > 0 ? 1 : 0;
