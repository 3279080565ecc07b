// The optional packages with the CUDA library, packages/cuda-<platform>-<arch>: what must be true of one.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { readElf } from './cross/elf.mjs';
import { foreignLibraries } from './cross/systems.mjs';
import { MOST_BYTES } from './cuda.mjs';

const HOST_BYTES = 3e6; // of the library beside its images
const json = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** Their folders. @param {string} root */
export const cudaPackages = (root) =>
  readdirSync(path.join(root, 'packages')).map((name) => path.join(root, 'packages', name));

/** What is wrong with a package's manifest. @param {string} root @param {string} folder */
export function manifestComplaints(root, folder) {
  const main = json(path.join(root, 'package.json'));
  const own = json(path.join(folder, 'package.json'));
  const name = path.basename(folder);
  const [, platform, arch] = /^cuda-(\w+)-(\w+)$/.exec(name) ?? [];
  const peer = main.peerDependencies?.[own.name];
  const told = [
    [own.name !== `@node-ip-adapter/${name}`, `is named ${own.name}`],
    [own.version !== main.version, `is of version ${own.version}, node-ip-adapter of ${main.version}`],
    [own.license !== main.license, `has the licence ${own.license}, node-ip-adapter ${main.license}`],
    [`${own.os}-${own.cpu}` !== `${platform}-${arch}`, `is for ${own.os}-${own.cpu}`],
    [peer !== main.version, `stands in node-ip-adapter's peerDependencies as ${peer}, not as ${main.version}`],
    [main.peerDependenciesMeta?.[own.name]?.optional !== true, 'is not optional for node-ip-adapter'],
  ];
  return told.filter(([wrong]) => wrong).map(([, text]) => `packages/${name}: ${text}`);
}

/** What is wrong with a package that is to be published. @param {string} root @param {string} folder */
export function packageComplaints(root, folder) {
  const name = path.basename(folder);
  const found = manifestComplaints(root, folder);
  for (const file of ['README.md', 'LICENSE', 'ipa_cuda.so'])
    if (!existsSync(path.join(folder, file)))
      found.push(`packages/${name}: no ${file}; npm run make-cuda-package makes it`);
  const library = path.join(folder, 'ipa_cuda.so');
  if (!existsSync(library)) return found;
  const { size } = statSync(library);
  const most = MOST_BYTES + HOST_BYTES;
  if (size > most) found.push(`packages/${name}: ipa_cuda.so has ${size} bytes, at most ${most} allowed`);
  const bytes = readFileSync(library);
  for (const needed of foreignLibraries(readElf(bytes)))
    found.push(`packages/${name}: ipa_cuda.so needs ${needed}, which a user may not have`);
  if (bytes.includes(root)) found.push(`packages/${name}: ipa_cuda.so names the folder it was built in`);
  return found;
}

/** What of these packages lies in the main package's tarball, by the paths in it. @param {readonly string[]} names */
export const strayFiles = (names) =>
  names.filter((name) => /^packages\/|\bipa_(cuda|emulated)\b.*\.(so|dll)$/.test(name));
