// The prebuilt addons of a package: each can be loaded where it is promised to be, and a release has one for every machine.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkFile } from './check-file.mjs';
import { MACHINES } from './machines.mjs';
import { isNewer, limitsOf } from './systems.mjs';

/** The glibc that a text promises to run on, from its words `glibc 2.NN`. @param {string} text */
export const promisedGlibc = (text) => /glibc (2\.\d+)/.exec(text)?.[1];

/**
 * What a release promises is what its compiler was told. Other files, made by a machine's own compiler, need the glibc
 * of that machine: of them README's word is held.
 * @param {string} folder prebuilds/
 * @param {{ promised?: string, isRelease?: boolean, folders?: readonly string[] }} [options] promised: README's glibc
 * @returns {{ complaints: string[], lines: string[] }}
 */
export function checkPrebuilds(folder, { promised, isRelease = false, folders } = {}) {
  const complaints = [];
  const lines = [];
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : [];
  const files = names.filter((name) => name.endsWith('.node')).map((name) => name.replaceAll(path.sep, '/'));
  for (const name of files.sort()) {
    const machine = MACHINES.find((row) => `${row.folder}/${row.file}` === name);
    if (!machine) {
      complaints.push(`${name}: is for no machine of scripts/cross/machines.mjs`);
      continue;
    }
    const { system, oldest } = limitsOf(machine);
    const isGlibc = system === 'linux-gnu';
    const limit = isRelease && isNewer(promised ?? '', oldest ?? '') ? oldest : promised;
    const bytes = readFileSync(path.join(folder, name));
    const found = checkFile(machine, bytes, { name, folders, oldest: isGlibc ? limit : oldest });
    complaints.push(...found.complaints);
    lines.push(isGlibc ? `${found.summary}; README promises glibc ${promised}, a release ${oldest}` : found.summary);
  }
  if (!promised) complaints.push('README.md: no line says which `glibc 2.NN` the prebuilt addon needs');
  for (const { name, folder: home, file } of isRelease ? MACHINES : [])
    if (!files.includes(`${home}/${file}`))
      complaints.push(`${home}/${file}: is missing (npm run make-prebuilds -- ${name})`);
  return { complaints, lines };
}
