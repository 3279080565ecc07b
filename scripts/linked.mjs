// Which libraries a shared object of ours may need: those that every Linux has. Used by the package checks.
import { spawnSync } from 'node:child_process';

const EVERYWHERE = /^(libc|libm|libdl|libpthread|librt|ld-linux[\w-]*)\.so/;

/** Libraries that a file is linked with and that a user may not have. @param {string} file */
export function foreignLibraries(file) {
  const { status, stdout, error, stderr } = spawnSync('readelf', ['-d', file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`readelf -d ${file}: ${error?.message ?? stderr}`);
  return [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)]
    .map((match) => match[1])
    .filter((name) => !EVERYWHERE.test(name));
}
