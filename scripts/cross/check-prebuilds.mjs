// The prebuilt addons of a package: each can be loaded where it is promised to be, and a release has one for every machine.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkFile } from './check-file.mjs';
import { MACHINES } from './machines.mjs';
import { limitsOf } from './systems.mjs';

/** The glibc that a text promises to run on, from its words `glibc 2.NN`. @param {string} text */
export const promisedGlibc = (text) => /glibc (2\.\d+)/.exec(text)?.[1];

const ANY = '99'; // newer than any glibc

/**
 * A release is held to what its compiler was told, and README to the same. A file that a machine's own compiler made needs
 * the glibc of that machine, and nothing is promised of it.
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
    const isOwn = system === 'linux-gnu' && !isRelease;
    const bytes = readFileSync(path.join(folder, name));
    const found = checkFile(machine, bytes, { name, folders, oldest: isOwn ? ANY : oldest });
    complaints.push(...found.complaints);
    lines.push(isOwn ? `${found.summary}; a release's needs glibc ${oldest}` : found.summary);
  }
  if (!promised) complaints.push('README.md: no line says which `glibc 2.NN` the prebuilt addon needs');
  for (const { oldest, system } of promised ? MACHINES.map(limitsOf) : [])
    if (system === 'linux-gnu' && oldest !== promised)
      complaints.push(`README.md: promises glibc ${promised}, addons are built for ${oldest}`);
  for (const { name, folder: home, file } of isRelease ? MACHINES : [])
    if (!files.includes(`${home}/${file}`))
      complaints.push(`${home}/${file}: is missing (npm run make-prebuilds -- ${name})`);
  return { complaints, lines };
}
